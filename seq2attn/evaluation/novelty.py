"""How much of a test set is new: n-grams of its targets that the training targets never contain."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Novelty:
    """How many of the test targets' n-grams (over whitespace words) never occur in the training targets."""

    order: int
    distinct: int
    distinct_unseen: int
    tokens: int
    tokens_unseen: int


def measure_novelty(train: Iterable[str], test: Iterable[str], order: int = 4) -> Novelty:
    """Count the `order`-grams over whitespace words in `test`, distinct and in all, and those that `train` lacks."""
    counts: dict[tuple[str, ...], int] = {}
    for line in test:
        for gram in _list_grams(line, order):
            counts[gram] = counts.get(gram, 0) + 1
    unseen = set(counts)
    for line in train:
        unseen.difference_update(_list_grams(line, order))
    return Novelty(
        order=order,
        distinct=len(counts),
        distinct_unseen=len(unseen),
        tokens=sum(counts.values()),
        tokens_unseen=sum(counts[gram] for gram in unseen),
    )


def _list_grams(line: str, order: int) -> Iterator[tuple[str, ...]]:
    words = line.split()
    return zip(*(words[start:] for start in range(order)), strict=False)
