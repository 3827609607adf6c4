"""How many pairs of query and key does a span allow, and how many does it compute? Counted from the spans themselves."""

import math
from dataclasses import dataclass
from typing import Any

import torch

from seq2attn.attention import Causal, Global, LocalMonotonic, Span, Strided, Window
from seq2attn.probes.cost.curves import LengthCurve, format_curves

RADIUS = 16
WINDOW = 10  # Luong's D
_AT_ONCE = 1 << 20  # pairs in memory together

FULL, CAUSAL, STRIDED_CAUSAL = "full", "causal", "strided, causal"


@dataclass(frozen=True)
class PairCounts:
    """By length: the pairs that each span allows, and the pairs whose scores it computes where it gathers its keys."""

    scored: tuple[LengthCurve, ...]
    computed: tuple[LengthCurve, ...]

    @property
    def verdict(self) -> str:
        """How many of the causal pairs are left when attention is strided, at the greatest length."""
        last = {curve.name: int(curve.figures[-1]) for curve in self.scored}
        few, all_, length = last[STRIDED_CAUSAL], last[CAUSAL], self.scored[0].lengths[-1]
        return (
            f"At length {length:,}, strided causal attention scores {few:,} of {all_:,} causal pairs: "
            f"{1 - few / all_:.1%} fewer."
        )

    def to_json(self) -> dict[str, Any]:
        """`scored` and `computed` are curves over the lengths; `radius` and `window` are counted in positions."""
        scored, computed = ([curve.to_json() for curve in curves] for curves in (self.scored, self.computed))
        return {"radius": RADIUS, "window": WINDOW, "scored": scored, "computed": computed, "verdict": self.verdict}

    def to_text(self) -> str:
        """Two tables with a row for each span and a column for each length, and the verdict."""
        return f"""\
Pairs of query and key that one head scores, by length n, counted from the spans; the same on every machine.
Window: radius {RADIUS}. Strided: stride ⌈√n⌉. Local: local-m, window {WINDOW}, target as long as source.

{format_curves("pairs scored", self.scored, "{:,}".format)}

Pairs that the gathered form of a span computes, including those outside the sentence; the masked form computes all n².

{format_curves("pairs computed", self.computed, "{:,}".format)}

{self.verdict}"""


def measure_pairs(lengths: tuple[int, ...]) -> PairCounts:
    """Count the pairs of every span at every length."""
    masked = {length: _spans(length, gathered=False) for length in lengths}
    gathered = {length: _spans(length, gathered=True) for length in lengths}
    names = list(masked[lengths[0]])
    return PairCounts(
        tuple(_make_curve(name, {n: count_pairs(masked[n][name], n)[0] for n in lengths}) for name in names),
        tuple(
            _make_curve(name, {n: count_pairs(gathered[n][name], n)[1] for n in lengths})
            for name in names
            if name not in (FULL, CAUSAL)
        ),
    )


def _spans(length: int, *, gathered: bool) -> dict[str, Span]:
    stride = square_root(length)
    return {
        FULL: Global(),
        CAUSAL: Causal(),
        "window": Window(RADIUS, gathered=gathered),
        "strided": Strided(stride, gathered=gathered),
        STRIDED_CAUSAL: Strided(stride, causal=True, gathered=gathered),
        "local": LocalMonotonic(window=WINDOW, gathered=gathered),
    }


def square_root(length: int) -> int:
    """⌈√length⌉."""
    return math.isqrt(length - 1) + 1


def count_pairs(span: Span, length: int) -> tuple[int, int]:
    """Pairs that `span` allows among `length` queries and as many keys, and pairs that it computes."""
    allowed = computed = 0
    mask = torch.ones(1, length, dtype=torch.bool)
    for queries in torch.arange(length).split(max(1, _AT_ONCE // length)):
        legal = span(torch.zeros(1, 1, len(queries), 1), mask, queries).legal
        legal = legal.expand(1, 1, len(queries), -1)
        allowed += int(legal.sum())
        computed += legal.numel()
    return allowed, computed


def _make_curve(name: str, counts: dict[int, int]) -> LengthCurve:
    return LengthCurve(name, tuple(counts), tuple(counts.values()))
