"""Figures by length: how fast they grow, and a table of them."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import linear_regression
from typing import Any

from seq2attn.tables import Table, text_table

LONG = 512  # positions; over shorter sequences, costs that do not depend on the length hide those that do


@dataclass(frozen=True)
class LengthCurve:
    """A figure (seconds, bytes, a count) at each length; lengths ascend."""

    name: str
    lengths: tuple[int, ...]
    figures: tuple[int, ...] | tuple[float, ...]

    @property
    def slope(self) -> float | None:
        """a of figure ∝ length^a, by least squares over logarithms of the longer half; None for a single length."""
        if len(self.lengths) < 2:
            return None
        half = len(longer_half(self.lengths))
        logarithms = [[math.log(number) for number in row[-half:]] for row in (self.lengths, self.figures)]
        return linear_regression(*logarithms).slope

    def lower_from(self, other: "LengthCurve") -> int | None:
        """The shortest length from which on this curve is always below `other`; None if it is not below it at the end."""
        shortest = None
        for length, figure, limit in zip(self.lengths[::-1], self.figures[::-1], other.figures[::-1], strict=True):
            if figure >= limit:
                break
            shortest = length
        return shortest

    def to_json(self) -> dict[str, Any]:
        """`figures` in the order of the lengths; `slope` is null where there is one length only."""
        return {"name": self.name, "figures": list(self.figures), "slope": self.slope}


def longer_half(lengths: Sequence[int]) -> Sequence[int]:
    """The upper half of ascending lengths, including the middle one; at least two where there are two."""
    return lengths[-max(2, (len(lengths) + 1) // 2) :]


def format_curves(
    label: str, curves: Sequence[LengthCurve], cell: Callable[[float], str], *, slopes: bool = True
) -> str:
    """A table with a row for each curve, a column for each length, and the slope last; `cell` formats a figure."""
    header = (label, *(f"{length:,}" for length in curves[0].lengths), *(["slope"] if slopes else []))
    rows = tuple(
        (curve.name, *map(cell, curve.figures), *([_format_slope(curve.slope)] if slopes else [])) for curve in curves
    )
    return text_table(Table(header, rows))


def _format_slope(slope: float | None) -> str:
    return "–" if slope is None else f"{slope:.2f}"
