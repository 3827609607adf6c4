"""How sharp is the attention of a trained model? Its weights' zeros and entropy, beside those of random scores."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from seq2attn.attention import Normalizer
from seq2attn.inference.model import Model
from seq2attn.models.sites import AttentionSite, find_attentions
from seq2attn.probes.sentences import Quality, encode_pair, measure_quality
from seq2attn.tables import Table, text_table

SMALL = 1e-3  # a weight below this counts as small


@dataclass(frozen=True)
class WeightStatistics:
    """Means over queries with n ≥ 2 legal keys.

    `zeros`: the share of weights that are exactly 0; `small`: of those below SMALL; `entropy`: the entropy H of the weights
    over its largest value ln n, so from 0 to 1; `support`: the effective support e^H, in keys.
    """

    zeros: float
    small: float
    entropy: float
    support: float


@dataclass(frozen=True)
class PartStatistics:
    """One head or hop of an attention; `part` is "" for an attention that has neither.

    `queries`: how many had a choice of at least two keys; `keys`: legal keys of a query, on average; `random`: the same
    normalizer on scores drawn from N(0, 1) for the same queries and keys.
    """

    place: str
    layer: int
    part: str
    queries: int
    keys: float
    trained: WeightStatistics
    random: WeightStatistics


@dataclass(frozen=True)
class AttentionStatistics:
    """All attentions of the model in folder `model`, measured on `sentences` sentences, which it translates with `quality`."""

    model: str
    sentences: int
    seed: int
    quality: Quality
    rows: tuple[PartStatistics, ...]

    @property
    def verdict(self) -> str:
        """Empty for a model that translates; for one that does not, a warning."""
        if self.quality.learned:
            return ""
        return (
            f"This model has not learned to translate yet (BLEU {self.quality.bleu:.1f} on these sentences), "
            "so its figures say nothing about what attention learns."
        )

    def to_json(self) -> dict[str, Any]:
        """`rows` has an entry for each head or hop; shares and `entropy` are between 0 and 1, `keys` and `support` count keys."""
        quality = {"bleu": self.quality.bleu, "learned": self.quality.learned, "verdict": self.verdict}
        rows = [asdict(row) for row in self.rows]
        return {"model": self.model, "sentences": self.sentences, "seed": self.seed, **quality, "rows": rows}

    def to_text(self) -> str:
        """A table with a row for each head or hop, what its columns mean above it, and the verdict below."""
        columns = ("zeros", "< 0.001", "H / ln n", "e^H")
        header = ("attention", "layer", "part", "keys", *columns, f"random: {columns[0]}", *columns[1:])
        rows = tuple(
            (row.place, str(row.layer), row.part, f"{row.keys:.1f}", *_cells(row.trained), *_cells(row.random))
            for row in self.rows
        )
        text = f"""\
{self.model}: the weights of every attention over {self.sentences} sentences, while it reads the reference translations.
Means over all queries, legal keys only. zeros: weights of exactly 0. H / ln n: entropy, as a share of that of equal weights.
e^H: the number of keys that share the weight. random: the same normalizer on random scores, drawn from N(0, 1).

{text_table(Table(header, rows))}"""
        return f"{text}\n\n{self.verdict}" if self.verdict else text


def _cells(statistics: WeightStatistics) -> tuple[str, ...]:
    return (
        f"{statistics.zeros:.1%}",
        f"{statistics.small:.1%}",
        f"{statistics.entropy:.3f}",
        f"{statistics.support:.1f}",
    )


@torch.no_grad()
def measure_attention(model: Model, pairs: Sequence[tuple[str, str]], *, seed: int) -> AttentionStatistics:
    """Teacher forcing over each pair of source and target alone, with every normalizer watched.

    `seed` decides the random scores. The model is afterwards as it was before.
    """
    generator = torch.Generator().manual_seed(seed)
    sites = find_attentions(model.network)
    device = model.network.output.device
    with watch_normalizers(sites, generator) as watches:
        for pair in pairs:
            source, target = encode_pair(model.tokenizer, pair)
            model.network(source.to(device), target.to(device))
    rows = tuple(row for site, watch in zip(sites, watches, strict=True) for row in watch.summarize(site))
    return AttentionStatistics(str(model.path), len(pairs), seed, measure_quality(model, pairs), rows)


@contextmanager
def watch_normalizers(sites: Sequence[AttentionSite], generator: torch.Generator) -> Iterator[list["Watch"]]:
    """Put a `Watch` around each site's normalizer, and take it away at the end, whatever happens in between."""
    watches = [Watch(site, generator) for site in sites]
    try:
        for site, watch in zip(sites, watches, strict=True):
            site.attention.normalizer = watch
        yield watches
    finally:
        for site, watch in zip(sites, watches, strict=True):
            if not isinstance(watch.normalizer, nn.Module):
                del site.attention.normalizer  # torch refuses to put a function where a module is
            site.attention.normalizer = watch.normalizer


class Watch(nn.Module):
    """A normalizer that gives another one's weights, and adds up what they look like for each head or hop."""

    def __init__(self, site: AttentionSite, generator: torch.Generator) -> None:
        super().__init__()
        self.normalizer: Normalizer = site.attention.normalizer
        self.generator = generator
        self.hops = len(site.parts) if site.parts[0].startswith("hop") else 1
        self.heads = len(site.parts) // self.hops
        self.calls = 0
        self.totals = torch.zeros(len(site.parts), 10, dtype=torch.float64)

    def forward(self, scores: Float[Tensor, "*R S"], legal: Bool[Tensor, "*#R S"]) -> Float[Tensor, "*R S"]:
        """The weights that the watched normalizer gives."""
        weights = self.normalizer(scores, legal)
        random = torch.randn(scores.shape, generator=self.generator).to(scores)
        legal = legal.expand(scores.shape)
        trained, drawn = describe_rows(weights, legal), describe_rows(self.normalizer(random, legal), legal)
        by_head = torch.cat([trained, drawn[..., 2:]], -1).reshape(self.heads, -1, self.totals.shape[1])
        first = self.calls % self.hops
        self.totals[first : first + self.heads] += by_head.nansum(1)
        self.calls += 1
        return weights

    def summarize(self, site: AttentionSite) -> list[PartStatistics]:
        """The means for each head or hop, without those whose queries never had a choice."""
        rows = []
        for part, (queries, *sums) in zip(site.parts, self.totals.tolist(), strict=True):
            if queries:
                keys, *means = (total / queries for total in sums)
                trained, random = WeightStatistics(*means[:4]), WeightStatistics(*means[4:])
                rows.append(PartStatistics(site.place, site.layer, part, int(queries), keys, trained, random))
        return rows


def describe_rows(weights: Float[Tensor, "*R S"], legal: Bool[Tensor, "*R S"]) -> Float[Tensor, "*R 6"]:
    """1, the legal keys n, the shares of zeros and small weights, H / ln n and e^H of each row; NaN where n < 2.

    In fp64, so on the CPU: not every device has it.
    """
    weights, legal = weights.cpu().double(), legal.cpu().double()
    keys = legal.sum(-1)
    entropy = torch.special.entr(weights).sum(-1)
    zeros = ((weights == 0) * legal).sum(-1) / keys
    small = ((weights < SMALL) * legal).sum(-1) / keys
    rows = torch.stack([torch.ones_like(keys), keys, zeros, small, entropy / keys.log(), entropy.exp()], -1)
    return rows.masked_fill((keys < 2)[..., None], math.nan)
