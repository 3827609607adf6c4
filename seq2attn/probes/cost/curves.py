"""Figures by length: how fast they grow, and rows of them for a terminal."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import linear_regression
from typing import Any

from seq2attn.tables import Table, text_table

LONG = 512  # positions; over shorter sequences, costs that do not depend on the length outweigh the others


@dataclass(frozen=True)
class Curve:
    """A figure at each length; lengths ascend."""

    name: str
    lengths: tuple[int, ...]
    figures: tuple[int, ...] | tuple[float, ...]

    @property
    def slope(self) -> float | None:
        """a of figure ∝ length^a, by least squares over logarithms of the longer half; None for a single length."""
        if len(self.lengths) < 2:
            return None
        half = len(longer_half(self.lengths))
        logarithms = [[math.log(each) for each in row[-half:]] for row in (self.lengths, self.figures)]
        return linear_regression(*logarithms).slope

    def lower_from(self, other: "Curve") -> int | None:
        """The length from which on this curve is always below `other`; None if it ends above."""
        found = None
        for length, own, others in zip(self.lengths[::-1], self.figures[::-1], other.figures[::-1], strict=True):
            if own >= others:
                break
            found = length
        return found

    def to_json(self) -> dict[str, Any]:
        """Figures in the order of the lengths."""
        return {"name": self.name, "figures": list(self.figures), "slope": self.slope}


def longer_half(lengths: Sequence[int]) -> Sequence[int]:
    """The upper half of ascending lengths, the middle one with it; at least two where there are two."""
    return lengths[-max(2, (len(lengths) + 1) // 2) :]


def curves_text(label: str, curves: Sequence[Curve], cell: Callable[[float], str], *, slopes: bool = True) -> str:
    """A row for each curve, a column for each length, and the slopes last."""
    header = (label, *(f"{length:,}" for length in curves[0].lengths), *(["slope"] if slopes else []))
    rows = tuple(
        (curve.name, *map(cell, curve.figures), *([_slope_text(curve.slope)] if slopes else [])) for curve in curves
    )
    return text_table(Table(header, rows))


def _slope_text(slope: float | None) -> str:
    return "–" if slope is None else f"{slope:.2f}"
