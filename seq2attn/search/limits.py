"""How long a translation may become: a line over the length of its source, learned from the training pairs."""

import math
from dataclasses import dataclass

import numpy as np

ROOM = 1.5  # a translation may be this much longer than training says
MOST_RATIO = 100.0  # so that the limit of a long line stays finite memory, whatever the training pairs were


@dataclass(frozen=True)
class OutputLimit:
    """At most ⌈ratio · n⌉ + extra tokens, end of sentence included, for a source of n subwords, end of sentence included.

    The defaults are the limit of version 0.1.0, whose models keep it.
    """

    ratio: float = 2.0
    extra: int = 10

    @classmethod
    def fixed(cls, tokens: int) -> "OutputLimit":
        """The same limit for every source."""
        return cls(0.0, tokens)

    def __call__(self, subwords: int) -> int:
        """The limit for a source of so many subwords."""
        return math.ceil(self.ratio * subwords) + self.extra

    def describe(self) -> str:
        """How a message names the limit."""
        return f"{self.extra:,} subwords" if self.ratio == 0 else f"{self.ratio:g} × source + {self.extra:,} subwords"


def learn_limit(source_lengths: np.ndarray, target_lengths: np.ndarray) -> OutputLimit:
    """A limit for sources like these that is at least 1.5 times as long as each target, and never below 2·n + 10.

    The ratio is 1.5 times that of all target subwords to all source subwords, which a single odd pair hardly moves; `extra` is
    what the pair that needs most needs beyond it. So a line of n subwords gets at most ratio · n + 1.5 · (longest target).

    source_lengths, target_lengths: subwords of each training pair, end of sentence included, both of shape "N".
    """
    mean = float(target_lengths.sum() / source_lengths.sum())
    ratio = min(max(OutputLimit.ratio, math.ceil(100 * ROOM * mean) / 100), MOST_RATIO)
    missing = float((ROOM * target_lengths - ratio * source_lengths).max())
    return OutputLimit(ratio, max(OutputLimit.extra, math.ceil(missing)))
