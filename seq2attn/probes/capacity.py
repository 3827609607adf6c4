"""How much can a fixed vector hold? Vectors of several widths, attention and controls, by length and information."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from seq2attn.evaluation.bleu import Bleu
from seq2attn.probes.sentences import LEARNED_BLEU, has_learned
from seq2attn.tables import Table, text_table

WORDS = (0, 4, 8, 12, 16, 20)  # sentences longer than one number and up to the next make a group
BITS = (0, 25, 40, 55, 70, 130)
RIGHT = 0.5  # a system gives in where a smaller share of the sentences is translated without any fault


@dataclass(frozen=True)
class TranslatedSentence:
    """A test sentence: its words, its information in bits (−log2 of its probability in the grammar), and two translations."""

    words: int
    bits: float
    hypothesis: str
    reference: str

    @property
    def exact(self) -> bool:
        """True if it is right: every sentence of the grammar has exactly one right translation."""
        return self.hypothesis == self.reference


@dataclass(frozen=True)
class SentenceGroup:
    """The sentences of more than `low` and up to `high` words or bits.

    `mean`: of their words or bits; `exact`: the share translated without any fault; `bleu`. All None without sentences.
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
class MeasuredSystem:
    """One trained system on its test sentences, in groups by words and by bits."""

    name: str
    parameters: int
    by_words: tuple[SentenceGroup, ...]
    by_bits: tuple[SentenceGroup, ...]

    @property
    def learned(self) -> bool:
        """False if it translates no group of sentences better than chance."""
        return any(
            has_learned(group.bleu, group.exact)
            for group in self.by_words
            if group.bleu is not None and group.exact is not None
        )

    @property
    def words(self) -> float | None:
        """The words from which on fewer than half of the sentences are right, as `find_limit` says."""
        return find_limit(self.by_words)

    @property
    def bits(self) -> float | None:
        """The bits from which on fewer than half of the sentences are right, as `find_limit` says."""
        return find_limit(self.by_bits)


@dataclass(frozen=True)
class Capacity:
    """All systems of the experiment."""

    systems: tuple[MeasuredSystem, ...]

    @property
    def verdict(self) -> str:
        """Names the systems that have not learned yet, whose figures say nothing about capacity; empty if there are none."""
        names = [f"`{system.name}`" for system in self.systems if not system.learned]
        if not names:
            return ""
        have = f"{names[0]} has" if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]} have"
        return (
            f"{have} not learned to translate yet (BLEU below {LEARNED_BLEU:g} at every length), which says nothing about "
            "capacity: raise training.max_updates."
        )

    def to_json(self) -> dict[str, Any]:
        """`systems` with their groups; `gives_in` is null where a system never gives in, 0 where it does from the start."""
        systems = [
            asdict(system) | {"gives_in": {"words": system.words, "bits": system.bits}, "learned": system.learned}
            for system in self.systems
        ]
        return {"systems": systems, "verdict": self.verdict}

    def to_text(self) -> str:
        """Where each system gives in, then tables with a row for each group and a column for each system."""
        first = ("system", "parameters", "gives in at words", "at bits")
        rows = tuple((system.name, f"{system.parameters:,}", *_format_limits(system)) for system in self.systems)
        verdict = f"\n\n{self.verdict}" if self.verdict else ""
        tables = [
            self._tabulate("words", lambda system: system.by_words, exact=True),
            self._tabulate("bits", lambda system: system.by_bits, exact=True),
            self._tabulate("words", lambda system: system.by_words, exact=False),
            self._tabulate("bits", lambda system: system.by_bits, exact=False),
        ]
        return f"""\
A system gives in where fewer than half of the sentences are translated without any fault.

{text_table(Table(first, rows))}{verdict}

Sentences translated without any fault, by the words of the source and by its information in bits:

{tables[0]}

{tables[1]}

BLEU:

{tables[2]}

{tables[3]}"""

    def _tabulate(
        self, unit: str, groups: Callable[[MeasuredSystem], tuple[SentenceGroup, ...]], *, exact: bool
    ) -> str:
        header = (unit, *(system.name for system in self.systems))
        rows = []
        for same in zip(*map(groups, self.systems), strict=True):
            figures = [group.exact if exact else group.bleu for group in same]
            shown = ("–" if figure is None else f"{figure:.0%}" if exact else f"{figure:.1f}" for figure in figures)
            rows.append((same[0].label, *shown))
        return text_table(Table(header, tuple(rows)))


def group_sentences(
    sentences: Sequence[TranslatedSentence], edges: Sequence[int], key: Callable[[TranslatedSentence], int | float]
) -> tuple[SentenceGroup, ...]:
    """Groups by `key` (words or bits), one between each pair of neighboring `edges`, of which the upper one belongs to it."""
    metric = Bleu("de").metric()
    groups = []
    for low, high in pairwise(edges):
        members = [sentence for sentence in sentences if low < key(sentence) <= high]
        if not members:
            groups.append(SentenceGroup(low, high, 0, None, None, None))
            continue
        mean = sum(map(key, members)) / len(members)
        exact = sum(sentence.exact for sentence in members) / len(members)
        hypotheses, references = [s.hypothesis for s in members], [s.reference for s in members]
        bleu = metric.corpus_score(hypotheses, [references]).score
        groups.append(SentenceGroup(low, high, len(members), mean, exact, bleu))
    return tuple(groups)


def find_limit(groups: Sequence[SentenceGroup]) -> float | None:
    """Where the share of faultless translations first falls below RIGHT, by straight lines between the groups' means.

    0 if it is below RIGHT from the first group on; None if it never falls below.
    """
    known = [(group.mean, group.exact) for group in groups if group.mean is not None and group.exact is not None]
    if known and known[0][1] < RIGHT:
        return 0.0
    for (x, y), (later, below) in pairwise(known):
        if below < RIGHT:
            return x + (later - x) * (y - RIGHT) / (y - below)
    return None


def _format_limits(system: MeasuredSystem) -> tuple[str, str]:
    if not system.learned:
        return "not learned yet", "not learned yet"
    return _format_limit(system.words, WORDS), _format_limit(system.bits, BITS)


def _format_limit(limit: float | None, edges: Sequence[int]) -> str:
    if limit is None:
        return f"beyond {edges[-1]:g}"
    return f"{limit:.0f}" if limit else "from the start"
