"""Random choices, and their information: −log2 of the probability of all choices that were made."""

from bisect import bisect
from collections.abc import Iterable, Sequence
from itertools import accumulate
from math import log2
from random import Random
from typing import Generic, TypeVar

T = TypeVar("T")


class Weighted(Generic[T]):
    """A distribution over a few values."""

    def __init__(self, items: Iterable[tuple[T, float]]) -> None:
        """`items`: values with their weights, which need not sum to 1."""
        pairs = list(items)
        self.values = [value for value, _ in pairs]
        self.sums = list(accumulate(weight for _, weight in pairs))


def zipf(entries: Sequence[T]) -> Weighted[T]:
    """Entries in order of frequency: the weight of the r-th is 1 / (r + 2)."""
    return Weighted((entry, 1 / (rank + 2)) for rank, entry in enumerate(entries))


class Dice:
    """Makes every choice of one drawing, each in one call, which counts its information.

    `bits` is the sum of −log2 p over the choices so far, p the probability of what was chosen given all choices before.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self.bits = 0.0

    def happens(self, p: float) -> bool:
        """Whether something of probability p happens."""
        happened = self._random.random() < p
        self._count(p if happened else 1 - p)
        return happened

    def pick(self, first: int, last: int) -> int:
        """One of the whole numbers from `first` to `last`, all equally likely."""
        self._count(1 / (last - first + 1))
        return self._random.randint(first, last)

    def draw(self, choices: Weighted[T]) -> T:
        """One value, by weight."""
        place = bisect(choices.sums, self._random.random() * choices.sums[-1])
        weight = choices.sums[place] - (choices.sums[place - 1] if place else 0)
        self._count(weight / choices.sums[-1])
        return choices.values[place]

    def _count(self, p: float) -> None:
        self.bits -= log2(p)
