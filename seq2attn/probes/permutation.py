"""Does an encoder know the order of its words? Permute them, and see whether anything but the order changes."""

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from seq2attn.attention import Attention, Dot, Global, Request, softmax
from seq2attn.build.model import build_seq2seq
from seq2attn.config.model import ModelConfig
from seq2attn.models.seq2seq import Encoder
from seq2attn.tables import Table, text_table
from seq2attn.tensors import reorder

TOLERANCE = 1e-12  # differences up to here are rounding, in fp64
SENTENCES, WORDS, VOCABULARY, WIDTH = 16, 12, 100, 16

_TRANSFORMER = {"type": "transformer", "layers": 2, "feedforward": 32}
ENCODERS: dict[str, dict[str, object]] = {
    "Transformer, no positions": _TRANSFORMER | {"positions": "none"},
    "Transformer, sinusoidal positions": _TRANSFORMER | {"positions": "sinusoidal"},
    "convolutions, no positions": {"type": "conv", "layers": 2, "positions": "none"},
    "bidirectional LSTM": {"type": "lstm", "width": WIDTH // 2},
}


@dataclass(frozen=True)
class PermutationEffect:
    """The largest absolute change of any component, in fp64, when the words are permuted: of a word's state, and of the
    context vector of a query that attends to the states."""

    encoder: str
    states: float
    context: float

    @property
    def verdict(self) -> str:
        """Whether the states move with their words (equivariant), the context stays (invariant), and what that means."""
        equivariant, invariant = self.states <= TOLERANCE, self.context <= TOLERANCE
        return (
            f"states {'' if equivariant else 'not '}equivariant, context {'' if invariant else 'not '}invariant: "
            f"{'blind to word order' if equivariant and invariant else 'word order counts'}"
        )


@dataclass(frozen=True)
class Permutation:
    """The effect on every encoder."""

    seed: int
    encoders: tuple[PermutationEffect, ...]

    def to_json(self) -> dict[str, Any]:
        """`encoders` has the two changes and the verdict of each; changes up to `tolerance` are rounding."""
        encoders = [asdict(effect) | {"verdict": effect.verdict} for effect in self.encoders]
        return {"seed": self.seed, "tolerance": TOLERANCE, "encoders": encoders}

    def to_text(self) -> str:
        """A table with a row for each encoder, what its columns mean above it, and the verdicts below."""
        header = ("encoder", "states", "context")
        rows = tuple((effect.encoder, f"{effect.states:.1e}", f"{effect.context:.1e}") for effect in self.encoders)
        verdicts = "\n".join(f"{effect.encoder}: {effect.verdict}." for effect in self.encoders)
        return f"""\
Encoders with random weights read {SENTENCES} sentences of {WORDS} words, and the same words in another order (fp64).
States: the largest change of a word's state. Context: the largest change of the context vector of a query.
Changes up to {TOLERANCE:g} are rounding.

{text_table(Table(header, rows))}

{verdicts}"""


def measure_permutation(*, seed: int) -> Permutation:
    """Draw sentences, weights and queries from `seed`, and permute the words for every encoder."""
    return Permutation(seed, tuple(_permute_words(name, seed) for name in ENCODERS))


@torch.no_grad()
def _permute_words(name: str, seed: int) -> PermutationEffect:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        words = torch.randint(4, VOCABULARY, (SENTENCES, WORDS))
        orders = torch.rand(SENTENCES, WORDS).argsort(1)
        query = torch.randn(SENTENCES, 1, WIDTH, dtype=torch.float64)
        encoder = _build_encoder(name)
    before, after = encoder(words), encoder(words.gather(1, orders))
    attention = Attention(score=Dot(scale=WIDTH**-0.5), span=Global(), normalizer=softmax, context_width=WIDTH)
    context, permuted_context = (
        attention(Request(query), attention.remember(encoded.states, encoded.mask, encoded.values)).context
        for encoded in (before, after)
    )
    states_change = after.states - reorder(before.states, orders)
    return PermutationEffect(name, _largest(states_change), _largest(permuted_context - context))


def _build_encoder(name: str) -> Encoder:
    model = ModelConfig.model_validate(
        {"embedding": {"width": WIDTH}, "encoder": ENCODERS[name], "decoder": {"type": "luong"}}
    )
    network = build_seq2seq(model, source_size=VOCABULARY, target_size=VOCABULARY, max_length=WORDS)
    return network.double().eval().encoder


def _largest(difference: Tensor) -> float:
    return float(difference.abs().max())
