"""How sharp is the attention of a trained model? Its weights' zeros and entropy, beside those of random scores."""

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from seq2attn.attention import Normalizer
from seq2attn.inference.model import Model
from seq2attn.probes.sites import Site, encoded_pair, sites
from seq2attn.tables import Table, text_table

SMALL = 1e-3


@dataclass(frozen=True)
class Shape:
    """Means over queries with n ≥ 2 legal keys: the share of weights that are exactly 0 and of those below SMALL; the
    entropy H of the weights over its largest value ln n; and the effective support e^H, in keys.
    """

    zeros: float
    small: float
    entropy: float
    support: float


@dataclass(frozen=True)
class Row:
    """One head or hop (or the only one: ""). `keys`: legal ones, on average. `random`: the same normalizer, on scores
    drawn from N(0, 1) for the same queries and keys.
    """

    place: str
    layer: int
    part: str
    queries: int
    keys: float
    trained: Shape
    random: Shape


@dataclass(frozen=True)
class Attentions:
    """All attentions of one model over some sentences."""

    model: str
    sentences: int
    seed: int
    rows: tuple[Row, ...]

    def to_json(self) -> dict[str, Any]:
        """All figures."""
        return asdict(self)

    def to_text(self) -> str:
        """For a terminal."""
        shape = ("zeros", "< 0.001", "H / ln n", "e^H")
        header = ("attention", "layer", "part", "keys", *shape, f"random: {shape[0]}", *shape[1:])
        rows = tuple(
            (r.place, str(r.layer), r.part, f"{r.keys:.1f}", *_cells(r.trained), *_cells(r.random)) for r in self.rows
        )
        return f"""\
{self.model}: the weights of every attention over {self.sentences} sentences, the reference translation given.
Means over all queries, legal keys only. zeros: weights of exactly 0. H / ln n: entropy over that of equal weights.
e^H: to how many keys the weights amount. random: the same normalizer on random scores, drawn from N(0, 1).

{text_table(Table(header, rows))}"""


def _cells(shape: Shape) -> tuple[str, ...]:
    return f"{shape.zeros:.1%}", f"{shape.small:.1%}", f"{shape.entropy:.3f}", f"{shape.support:.1f}"


@torch.no_grad()
def measure(model: Model, pairs: list[tuple[str, str]], *, seed: int) -> Attentions:
    """Teacher forcing over each pair alone. The model's normalizers are replaced by ones that count: use it for nothing else."""
    generator = torch.Generator().manual_seed(seed)
    watched = [(site, _Watch(site, generator)) for site in sites(model.network)]
    for site, watch in watched:
        del site.attention.normalizer
        site.attention.normalizer = watch
    device = model.network.output.device
    for pair in pairs:
        source, target = encoded_pair(model.tokenizer, pair)
        model.network(source.to(device), target.to(device))
    rows = tuple(row for site, watch in watched for row in watch.rows(site))
    return Attentions(str(model.path), len(pairs), seed, rows)


class _Watch(nn.Module):
    """A normalizer that adds up what its weights look like, for each head or hop."""

    def __init__(self, site: Site, generator: torch.Generator) -> None:
        super().__init__()
        self.normalizer: Normalizer = site.attention.normalizer
        self.generator = generator
        self.hops = len(site.parts) if site.parts[0].startswith("hop") else 1
        self.heads = len(site.parts) // self.hops
        self.calls = 0
        self.totals = torch.zeros(len(site.parts), 10, dtype=torch.float64)

    def forward(self, scores: Float[Tensor, "*R S"], legal: Bool[Tensor, "*#R S"]) -> Float[Tensor, "*R S"]:
        """The weights that the normalizer gives."""
        weights = self.normalizer(scores, legal)
        random = torch.randn(scores.shape, generator=self.generator).to(scores)
        legal = legal.expand(scores.shape)
        counted = torch.cat([_measures(weights, legal), _measures(self.normalizer(random, legal), legal)[..., 2:]], -1)
        by_head = counted.reshape(self.heads, -1, counted.shape[-1])
        first = self.calls % self.hops
        self.totals[first : first + self.heads] += by_head.nansum(1).cpu()
        self.calls += 1
        return weights

    def rows(self, site: Site) -> list[Row]:
        """The means; no row for a part that never had a choice."""
        found = []
        for part, (queries, *sums) in zip(site.parts, self.totals.tolist(), strict=True):
            if queries:
                keys, *shapes = (total / queries for total in sums)
                trained, random = Shape(*shapes[:4]), Shape(*shapes[4:])
                found.append(Row(site.place, site.layer, part, int(queries), keys, trained, random))
        return found


def _measures(weights: Float[Tensor, "*R S"], legal: Bool[Tensor, "*R S"]) -> Float[Tensor, "*R 6"]:
    """1, the legal keys n, zeros, small ones, H / ln n and e^H of each row; NaN where n < 2."""
    weights, legal = weights.double(), legal.double()
    keys = legal.sum(-1)
    entropy = torch.special.entr(weights).sum(-1)
    zeros = ((weights == 0) * legal).sum(-1) / keys
    small = ((weights < SMALL) * legal).sum(-1) / keys
    rows = torch.stack([torch.ones_like(keys), keys, zeros, small, entropy / keys.log(), entropy.exp()], -1)
    return rows.masked_fill((keys < 2)[..., None], math.nan)
