"""What is each head of a trained model good for? Each is masked in turn, and BLEU is measured without it."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from seq2attn.attention import AttentionOutput, Latent, MultiHead
from seq2attn.build.evaluation import build_bleu
from seq2attn.errors import UsageError
from seq2attn.inference.model import Model
from seq2attn.probes.sites import Site, encoded_pair, sites
from seq2attn.tables import Table, format_signed, text_table

LITTLE = 0.5  # BLEU
_MUCH = 0.4  # a share of the weight that is worth a name


@dataclass(frozen=True)
class Look:
    """A head's weights, on average over queries: the largest one; that on the sentence's mark (the end of the source, the
    start of the target); and, where a sequence attends to itself, the distance in subwords from query to key that gets most,
    marks left out, with its share.
    """

    largest: float
    mark: float
    distance: int | None
    at_distance: float

    def __str__(self) -> str:
        names = {0: "itself", -1: "the subword before", 1: "the subword after"}
        if self.mark > max(self.at_distance, _MUCH):
            return f"the sentence mark ({self.mark:.2f})"
        if self.distance is not None and self.at_distance > _MUCH:
            return f"{names.get(self.distance, f'{self.distance:+d} subwords')} ({self.at_distance:.2f})"
        return "one place at a time" if self.largest > 0.6 else "many places"


@dataclass(frozen=True)
class Head:
    """One head, and BLEU without it."""

    place: str
    layer: int
    head: int
    bleu: float
    look: Look


@dataclass(frozen=True)
class Heads:
    """All heads of a model: BLEU of greedy translations of some sentences, with all heads and without each."""

    model: str
    sentences: int
    signature: str
    bleu: float
    heads: tuple[Head, ...]

    @property
    def verdict(self) -> str:
        """How many heads do little alone."""
        idle = sum(self.bleu - head.bleu < LITTLE for head in self.heads)
        return f"{idle} of {len(self.heads)} heads, each masked alone, cost less than {LITTLE:g} BLEU."

    def to_json(self) -> dict[str, Any]:
        """All figures."""
        heads = [asdict(head) | {"lost": self.bleu - head.bleu, "looks_at": str(head.look)} for head in self.heads]
        return asdict(self) | {"heads": heads, "verdict": self.verdict}

    def to_text(self) -> str:
        """For a terminal."""
        header = ("attention", "layer", "head", "BLEU", "lost", "largest", "looks at")
        rows = tuple(
            (
                h.place,
                f"{h.layer}",
                f"{h.head}",
                f"{h.bleu:.1f}",
                format_signed(self.bleu - h.bleu),
                f"{h.look.largest:.2f}",
                f"{h.look}",
            )
            for h in self.heads
        )
        return f"""\
{self.model}: each head masked in turn; BLEU of greedy translations of {self.sentences} sentences, {self.bleu:.1f} with all heads.
lost: BLEU with all heads minus BLEU without this one. largest: the largest weight of a query, on average.
looks at: where most of the weight is, with its share; the sentence mark is the end of the source or the start of the target.

{text_table(Table(header, rows))}

{self.verdict}
{self.signature}"""


@torch.no_grad()
def measure(model: Model, pairs: list[tuple[str, str]]) -> Heads:
    """Raises UsageError if the model has no attention with heads."""
    with_heads = {site: site.around for site in sites(model.network) if isinstance(site.around, MultiHead | Latent)}
    if not with_heads:
        raise UsageError(f"{model.path}: none of its attentions has heads", "try a Transformer, or set attention.heads")
    sources, references = [source for source, _ in pairs], [target for _, target in pairs]
    metric = build_bleu(model.config).metric()

    def bleu() -> float:
        return float(metric.corpus_score(model.translate(sources, beam=1), [references]).score)

    whole = bleu()
    looks = _looks(model, list(with_heads), pairs)
    heads = tuple(
        Head(site.place, site.layer, head + 1, without, look)
        for site, attention in with_heads.items()
        for head, (without, look) in enumerate(zip(_masked(attention, bleu), looks[site], strict=True))
    )
    return Heads(str(model.path), len(pairs), str(metric.get_signature()), whole, heads)


def _masked(attention: MultiHead | Latent, bleu: Callable[[], float]) -> Iterator[float]:
    """BLEU without each head: its part of the output projection is 0 for so long."""
    for part in attention.output.weight.chunk(attention.heads, 1):
        kept = part.clone()
        part.zero_()
        yield bleu()
        part.copy_(kept)


def _looks(model: Model, with_heads: Sequence[Site], pairs: Sequence[tuple[str, str]]) -> dict[Site, list[Look]]:
    """Teacher forcing over each pair alone, with a trace of every attention."""
    totals = {site: _Total(site) for site in with_heads}
    hooks = [hook for site, total in totals.items() for hook in total.hooks(site.around)]
    device = model.network.output.device
    for pair in pairs:
        source, target = encoded_pair(model.tokenizer, pair)
        model.network(source.to(device), target.to(device))
    for hook in hooks:
        hook.remove()
    return {site: total.looks() for site, total in totals.items()}


class _Total:
    """Sums over the queries of one attention, by head."""

    def __init__(self, site: Site) -> None:
        self.mark = 0 if site.place.startswith("target to target") else -1
        self.own = site.place in ("source to source", "target to target")
        self.queries = 0
        self.largest = self.marked = torch.zeros(len(site.parts), dtype=torch.float64)
        self.at: list[Counter[int]] = [Counter() for _ in site.parts]

    def hooks(self, attention: nn.Module) -> list[RemovableHandle]:
        """Ask for a trace in every call, and count what it shows."""
        ask = attention.register_forward_pre_hook(lambda _, call: (call[0]._replace(trace=True), *call[1:]))
        return [ask, attention.register_forward_hook(lambda _, args, output: self.add(output))]

    def add(self, output: AttentionOutput) -> None:
        """Count one call: all queries of a sentence, or the next one."""
        assert output.weights is not None
        weights: Float[Tensor, "H Q S"] = output.weights[0].double().cpu()
        self.queries += weights.shape[1]
        self.largest = self.largest + weights.amax(2).sum(1)
        self.marked = self.marked + weights[:, :, self.mark].sum(1)
        if self.own:
            words = weights.clone()
            words[:, :, self.mark] = 0
            for distance in range(1 - words.shape[1], words.shape[2]):
                for head, share in enumerate(words.diagonal(distance, 1, 2).sum(1).tolist()):
                    self.at[head][distance] += share

    def looks(self) -> list[Look]:
        """The means."""
        found = []
        for at, largest, marked in zip(self.at, self.largest.tolist(), self.marked.tolist(), strict=True):
            distance, share = at.most_common(1)[0] if at else (None, 0.0)
            found.append(Look(largest / self.queries, marked / self.queries, distance, share / self.queries))
        return found
