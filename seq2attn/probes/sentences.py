"""The sentences of a test set on which a trained model is probed, and whether it can translate any of them yet."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor

from seq2attn.build.data import choose_test_source, find_source
from seq2attn.build.evaluation import build_bleu
from seq2attn.config.config import Config
from seq2attn.data.files import is_blank
from seq2attn.data.tokenizer import Tokenizer
from seq2attn.errors import UsageError
from seq2attn.inference.model import Model

LEARNED_BLEU = 2.0
LEARNED_EXACT = 0.1  # of the sentences; very short ones can be right without a 4-gram, so with a BLEU of 0


@dataclass(frozen=True)
class Quality:
    """How well a model translates some sentences: BLEU, the share that equals the reference, and BLEU's signature."""

    bleu: float
    exact: float
    signature: str

    @property
    def learned(self) -> bool:
        """False for a model that translates hardly better than chance."""
        return has_learned(self.bleu, self.exact)


def has_learned(bleu: float, exact: float) -> bool:
    """True from LEARNED_BLEU on, or where at least LEARNED_EXACT of the sentences are translated without any fault."""
    return bleu >= LEARNED_BLEU or exact >= LEARNED_EXACT


def measure_quality(model: Model, pairs: Sequence[tuple[str, str]]) -> Quality:
    """Translate the sources greedily and compare with the references, with the BLEU settings of the model's config."""
    metric = build_bleu(model.config).metric()
    hypotheses, _ = model.translate_with_remarks([source for source, _ in pairs], beam=1)
    references = [target for _, target in pairs]
    bleu = float(metric.corpus_score(hypotheses, [references]).score)
    right = sum(hypothesis == reference for hypothesis, reference in zip(hypotheses, references, strict=True))
    return Quality(bleu, right / len(pairs), str(metric.get_signature()))


def choose_pairs(config: Config, test: str | None, count: int, model: Path) -> list[tuple[str, str]]:
    """`count` pairs spread evenly over a test set: the one that --test names, else data.test, else data.validation.

    `config` is that of the run or model at `model`. Raises UsageError if files are missing or no pair has words on both
    sides.
    """
    source = choose_test_source(config, test, model) or find_source(config, "validation", model)
    assert source is not None  # every config has validation pairs
    pairs = [
        (pair.source, pair.target) for pair in source.pairs() if not (is_blank(pair.source) or is_blank(pair.target))
    ]
    if not pairs:
        raise UsageError(f"{source.name}: no pair with words on both sides", "name another set with --test")
    step = max(1.0, len(pairs) / count)
    return [pairs[int(number * step)] for number in range(min(count, len(pairs)))]


def encode_pair(tokenizer: Tokenizer, pair: tuple[str, str]) -> tuple[Int[Tensor, "1 S"], Int[Tensor, "1 T"]]:
    """Source and target subwords as a batch of one sentence, which needs no padding."""
    source_ids, target_ids = tokenizer.encode_source([pair[0]]), tokenizer.encode_target([pair[1]])
    return torch.tensor(source_ids), torch.tensor(target_ids)
