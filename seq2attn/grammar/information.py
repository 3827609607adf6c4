"""The information of a drawn sentence: −log2 of the probability of the choices that made it."""

from math import log2
from random import Random


class RecordingRandom(Random):
    """Draws the numbers of `Random(seed)` and sums in `bits` the information −log2 p of each choice made with them.

    Choices are comparisons `random() < p`, `randint` and `Weighted.draw`, p the probability of what was chosen given all
    choices before it. Set `bits` to 0 where a draw begins.
    """

    def __init__(self, seed: str) -> None:
        super().__init__(seed)
        self.bits = 0.0

    def record(self, p: float) -> None:
        """Count a choice of probability p."""
        self.bits -= log2(p)

    def random(self) -> float:
        """A number from [0, 1), to be compared once, by `<`."""
        number = _Uniform(Random.random(self))
        number.random = self
        return number

    def randint(self, a: int, b: int) -> int:
        """One of the b − a + 1 whole numbers from a to b."""
        self.record(1 / (b - a + 1))
        return Random.randint(self, a, b)

    getrandbits = Random.getrandbits  # where it is not beside random(), Random draws other whole numbers


class _Uniform(float):
    """U from [0, 1) that knows its source: U < p is a choice of probability p, its opposite one of 1 − p."""

    __slots__ = ("random",)
    random: RecordingRandom

    def __lt__(self, p: float) -> bool:
        below = float.__lt__(self, p)
        self.random.record(p if below else 1 - p)
        return below
