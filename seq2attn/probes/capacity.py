"""How much can a fixed vector hold? Vectors of several widths, attention and controls, by length and information."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from seq2attn.evaluation.bleu import Bleu
from seq2attn.tables import Table, text_table

WORDS = (0, 4, 8, 12, 16, 20)  # lengths above one and up to the next make a group
BITS = (0, 25, 40, 55, 70, 130)
RIGHT = 0.5


@dataclass(frozen=True)
class Translated:
    """A test sentence: its words, its information in bits (−log2 of its probability in the grammar), and its two translations."""

    words: int
    bits: float
    hypothesis: str
    reference: str

    @property
    def exact(self) -> bool:
        """Every sentence has exactly one right translation."""
        return self.hypothesis == self.reference


@dataclass(frozen=True)
class Group:
    """The sentences of more than `low` and up to `high` words or bits: the mean of these, the share translated without any
    fault, and BLEU; None where there are no sentences.
    """

    low: int
    high: int
    sentences: int
    mean: float | None
    exact: float | None
    bleu: float | None

    @property
    def label(self) -> str:
        """The range in whole numbers."""
        return f"{self.low + 1}–{self.high}"


@dataclass(frozen=True)
class System:
    """One trained system on its test sentences, in groups of words and of bits."""

    name: str
    parameters: int
    by_words: tuple[Group, ...]
    by_bits: tuple[Group, ...]

    @property
    def words(self) -> float | None:
        """The length at which half of the sentences are right, between groups by straight lines; None: at every length."""
        return gives_in(self.by_words)

    @property
    def bits(self) -> float | None:
        """The information at which half of the sentences are right."""
        return gives_in(self.by_bits)


@dataclass(frozen=True)
class Capacity:
    """All systems of the experiment."""

    systems: tuple[System, ...]

    def to_json(self) -> dict[str, Any]:
        """All figures."""
        return {"systems": [asdict(s) | {"gives_in": {"words": s.words, "bits": s.bits}} for s in self.systems]}

    def to_text(self) -> str:
        """For a terminal."""
        first = ("system", "parameters", "gives in at words", "at bits")
        rows = tuple((s.name, f"{s.parameters:,}", _point(s.words, WORDS), _point(s.bits, BITS)) for s in self.systems)
        tables = [
            self._by("words", lambda system: system.by_words, exact=True),
            self._by("bits", lambda system: system.by_bits, exact=True),
            self._by("words", lambda system: system.by_words, exact=False),
            self._by("bits", lambda system: system.by_bits, exact=False),
        ]
        return f"""\
A system gives in where fewer than half of the sentences are translated without any fault.

{text_table(Table(first, rows))}

Sentences translated without any fault, by the words of the source and by its information:

{tables[0]}

{tables[1]}

BLEU:

{tables[2]}

{tables[3]}"""

    def _by(self, unit: str, groups: Callable[[System], tuple[Group, ...]], *, exact: bool) -> str:
        header = (unit, *(system.name for system in self.systems))
        rows = []
        for same in zip(*map(groups, self.systems), strict=True):
            figures = [group.exact if exact else group.bleu for group in same]
            shown = ("–" if figure is None else f"{figure:.0%}" if exact else f"{figure:.1f}" for figure in figures)
            rows.append((same[0].label, *shown))
        return text_table(Table(header, tuple(rows)))


def grouped(
    tested: Sequence[Translated], edges: Sequence[int], key: Callable[[Translated], int | float]
) -> tuple[Group, ...]:
    """The sentences in the ranges between `edges` of their `key`."""
    metric = Bleu("de").metric()
    groups = []
    for low, high in pairwise(edges):
        own = [each for each in tested if low < key(each) <= high]
        if not own:
            groups.append(Group(low, high, 0, None, None, None))
            continue
        mean, exact = (sum(map(figure, own)) / len(own) for figure in (key, lambda each: each.exact))
        bleu = metric.corpus_score([each.hypothesis for each in own], [[each.reference for each in own]]).score
        groups.append(Group(low, high, len(own), mean, exact, bleu))
    return tuple(groups)


def gives_in(groups: Sequence[Group]) -> float | None:
    """Where the share of faultless translations first falls below RIGHT, by straight lines between the groups' means.

    0 where it never reaches RIGHT; None where it never falls below.
    """
    known = [(group.mean, group.exact) for group in groups if group.mean is not None and group.exact is not None]
    if known and known[0][1] < RIGHT:
        return 0.0
    for (x, y), (later, below) in pairwise(known):
        if below < RIGHT:
            return x + (later - x) * (y - RIGHT) / (y - below)
    return None


def _point(point: float | None, edges: Sequence[int]) -> str:
    if point is None:
        return f"beyond {edges[-1]:g}"
    return f"{point:.0f}" if point else "from the start"
