"""What is each head of a trained model good for? Each is masked in turn, and BLEU is measured without it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from seq2attn.attention import AttentionOutput, Latent, MultiHead
from seq2attn.errors import UsageError
from seq2attn.inference.model import Model
from seq2attn.models.maps import watch_outputs
from seq2attn.models.sites import AttentionSite, find_attentions
from seq2attn.probes.sentences import Quality, encode_pair, measure_quality
from seq2attn.tables import Table, format_signed, text_table

LITTLE = 0.5  # BLEU; a head that costs less does little alone
_NAMED = 0.4  # a share of the weight from which on a pattern has a name


@dataclass(frozen=True)
class AttentionPattern:
    """Where a head looks, on average over queries.

    `largest`: the largest weight. `mark`: the weight on the sentence's mark (the end of the source, the start of the target).
    `distance`: where a sequence attends to itself, the distance in subwords from query to key that gets most weight, marks
    left out, and None elsewhere; `at_distance`: the share of the weight at that distance.
    """

    largest: float
    mark: float
    distance: int | None
    at_distance: float

    def __str__(self) -> str:
        names = {0: "itself", -1: "the subword before", 1: "the subword after"}
        if self.mark > max(self.at_distance, _NAMED):
            return f"the sentence mark ({self.mark:.2f})"
        if self.distance is not None and self.at_distance > _NAMED:
            return f"{names.get(self.distance, f'{self.distance:+d} subwords')} ({self.at_distance:.2f})"
        return "one place at a time" if self.largest > 0.6 else "many places"


@dataclass(frozen=True)
class MaskedHead:
    """A head, numbered from 1 as layers are, the BLEU of the model without it, and where it looks when it is there."""

    place: str
    layer: int
    head: int
    bleu: float
    look: AttentionPattern


@dataclass(frozen=True)
class HeadImportance:
    """All heads of the model in folder `model`; `quality` is that of its translations of `sentences` sentences with all heads."""

    model: str
    sentences: int
    quality: Quality
    heads: tuple[MaskedHead, ...]

    @property
    def verdict(self) -> str:
        """How many heads do little alone; of a model that has not learned yet, that nothing can be said."""
        if not self.quality.learned:
            return (
                f"This model has not learned to translate yet (BLEU {self.quality.bleu:.1f} with all heads): "
                "where there is nothing to lose, no head can be missed."
            )
        idle = sum(self.quality.bleu - head.bleu < LITTLE for head in self.heads)
        return f"{idle} of {len(self.heads)} heads, each masked alone, cost less than {LITTLE:g} BLEU."

    def to_json(self) -> dict[str, Any]:
        """`bleu` is that with all heads, and within `heads` that without the head; `lost` is their difference."""
        heads = [
            asdict(head) | {"lost": self.quality.bleu - head.bleu, "looks_at": str(head.look)} for head in self.heads
        ]
        return {
            "model": self.model,
            "sentences": self.sentences,
            "signature": self.quality.signature,
            "bleu": self.quality.bleu,
            "learned": self.quality.learned,
            "heads": heads,
            "verdict": self.verdict,
        }

    def to_text(self) -> str:
        """A table with a row for each head, what its columns mean above it, and the verdict below."""
        bleu = self.quality.bleu
        header = ("attention", "layer", "head", "BLEU", "lost", "largest", "looks at")
        rows = tuple(
            (
                head.place,
                f"{head.layer}",
                f"{head.head}",
                f"{head.bleu:.1f}",
                format_signed(bleu - head.bleu),
                f"{head.look.largest:.2f}",
                f"{head.look}",
            )
            for head in self.heads
        )
        return f"""\
{self.model}: each head masked in turn; BLEU of greedy translations of {self.sentences} sentences, {bleu:.1f} with all heads.
lost: BLEU with all heads minus BLEU without this one. largest: the largest weight of a query, on average.
looks at: where most of the weight is, with its share; the sentence mark is the end of the source or the start of the target.

{text_table(Table(header, rows))}

{self.verdict}
{self.quality.signature}"""


@torch.no_grad()
def measure_heads(model: Model, pairs: Sequence[tuple[str, str]]) -> HeadImportance:
    """Translate with each head masked in turn, and trace where it looks. The model is afterwards as it was before.

    Raises UsageError if the model has no attention with heads.
    """
    holders = {
        site: site.holder for site in find_attentions(model.network) if isinstance(site.holder, MultiHead | Latent)
    }
    if not holders:
        raise UsageError(f"{model.path}: none of its attentions has heads", "try a Transformer, or set attention.heads")
    quality = measure_quality(model, pairs)
    patterns = trace_patterns(model, list(holders), pairs)
    heads = []
    for site, holder in holders.items():
        for head, pattern in enumerate(patterns[site]):
            with mask_head(holder, head):
                bleu = measure_quality(model, pairs).bleu
            heads.append(MaskedHead(site.place, site.layer, head + 1, bleu, pattern))
    return HeadImportance(str(model.path), len(pairs), quality, tuple(heads))


@contextmanager
def mask_head(attention: MultiHead | Latent, head: int) -> Iterator[None]:
    """For so long, the head's part of the output projection is 0, so the head has no part in the sum of all heads."""
    with torch.no_grad():
        part = attention.output.weight.chunk(attention.heads, 1)[head]
        original = part.clone()
        part.zero_()
    try:
        yield
    finally:
        with torch.no_grad():
            part.copy_(original)


def trace_patterns(
    model: Model, sites: Sequence[AttentionSite], pairs: Sequence[tuple[str, str]]
) -> dict[AttentionSite, list[AttentionPattern]]:
    """Where each head of `sites` looks: teacher forcing over each pair alone, with a trace of every attention."""
    device = model.network.output.device
    totals = {site: WeightTotals(site) for site in sites}
    with ExitStack() as stack:
        for site, total in totals.items():
            stack.enter_context(watch_outputs(site, total.add))
        for pair in pairs:
            source, target = encode_pair(model.tokenizer, pair)
            model.network(source.to(device), target.to(device))
    return {site: total.summarize() for site, total in totals.items()}


class WeightTotals:
    """Sums over the queries of one attention, for each head, in fp64 on the CPU."""

    def __init__(self, site: AttentionSite) -> None:
        self.mark = 0 if site.place.startswith("target to target") else -1
        self.within_one_sequence = site.place in ("source to source", "target to target")
        self.queries = 0
        self.largest = self.marked = torch.zeros(len(site.parts), dtype=torch.float64)
        self.by_distance: list[Counter[int]] = [Counter() for _ in site.parts]

    def add(self, output: AttentionOutput) -> None:
        """Add the weights of one call: of all queries of a sentence, or of the next one."""
        assert output.weights is not None
        weights: Float[Tensor, "H Q S"] = output.weights[0].cpu().double()
        self.queries += weights.shape[1]
        self.largest = self.largest + weights.amax(2).sum(1)
        self.marked = self.marked + weights[:, :, self.mark].sum(1)
        if self.within_one_sequence:
            words = weights.clone()
            words[:, :, self.mark] = 0
            for distance in range(1 - words.shape[1], words.shape[2]):
                for head, share in enumerate(words.diagonal(distance, 1, 2).sum(1).tolist()):
                    self.by_distance[head][distance] += share

    def summarize(self) -> list[AttentionPattern]:
        """The pattern of each head."""
        patterns = []
        for by_distance, largest, marked in zip(
            self.by_distance, self.largest.tolist(), self.marked.tolist(), strict=True
        ):
            distance, share = by_distance.most_common(1)[0] if by_distance else (None, 0.0)
            patterns.append(
                AttentionPattern(largest / self.queries, marked / self.queries, distance, share / self.queries)
            )
        return patterns
