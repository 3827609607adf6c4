"""How much can a fixed vector hold? Vectors of several widths, attention and controls, by length and information."""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from seq2attn.evaluation.bleu import Bleu
from seq2attn.probes.sentences import LEARNED_BLEU, has_learned
from seq2attn.tables import Table, text_table

WORDS = (0, 4, 8, 12, 16, 20, 25, 30)  # sentences longer than one number and up to the next make a group
BITS = (0, 25, 40, 55, 70, 90, 110, 190)
RIGHT = 0.5  # a system gives in where a smaller share of the sentences is translated without any fault
RESAMPLES = 1000  # of the test sentences, for an interval


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
class Limit:
    """The words or bits from which on fewer than half of the sentences are right, as `find_limit` says, and its interval.

    `low`, `high`: what 95 % of RESAMPLES draws of as many test sentences give. 0: from the start; None: beyond the longest.
    """

    at: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class MeasuredSystem:
    """One trained system on its test sentences, in groups by words and by bits, and where it gives in.

    `vector`: the numbers of its fixed vector, if they alone set it apart; None: it is attention or a control.
    """

    name: str
    parameters: int
    updates: int
    vector: int | None
    by_words: tuple[SentenceGroup, ...]
    by_bits: tuple[SentenceGroup, ...]
    words: Limit
    bits: Limit

    @property
    def learned(self) -> bool:
        """False if it translates no group of sentences better than chance."""
        return any(
            has_learned(group.bleu, group.exact)
            for group in self.by_words
            if group.bleu is not None and group.exact is not None
        )


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
            asdict(system) | {"gives_in": {"words": system.words.at, "bits": system.bits.at}, "learned": system.learned}
            for system in self.systems
        ]
        return {"systems": systems, "verdict": self.verdict}

    def to_text(self) -> str:
        """Where each system gives in, then tables with a row for each group and a column for each system."""
        first = ("system", "parameters", "updates", "gives in at words", "at bits")
        rows = tuple(
            (system.name, f"{system.parameters:,}", f"{system.updates:,}", *_format_limits(system))
            for system in self.systems
        )
        verdict = f"\n\n{self.verdict}" if self.verdict else ""
        tables = [
            self._tabulate("words", lambda system: system.by_words, exact=True),
            self._tabulate("bits", lambda system: system.by_bits, exact=True),
            self._tabulate("words", lambda system: system.by_words, exact=False),
            self._tabulate("bits", lambda system: system.by_bits, exact=False),
        ]
        return f"""\
A system gives in where fewer than half of the sentences are translated without any fault; beside it the interval that
holds 95 % of {RESAMPLES:,} draws of the test sentences.

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


def find_limit(groups: Sequence[tuple[float, float]]) -> float | None:
    """Where the share of faultless translations first falls below RIGHT, by straight lines between the groups' means.

    `groups`: mean words or bits, and the share, of each group that has sentences. 0 if it is below RIGHT from the first group
    on; None if it never falls below.
    """
    if groups and groups[0][1] < RIGHT:
        return 0.0
    for (x, y), (later, below) in pairwise(groups):
        if below < RIGHT:
            return float(x + (later - x) * (y - RIGHT) / (y - below))
    return None


def measure_limit(
    sentences: Sequence[TranslatedSentence], edges: Sequence[int], key: Callable[[TranslatedSentence], int | float]
) -> Limit:
    """Where the sentences, grouped by `key` as `group_sentences` does, are no longer right, with its bootstrap interval."""
    values, exact = np.array([float(key(one)) for one in sentences]), np.array([one.exact for one in sentences])
    places = np.searchsorted(edges, values, side="left") - 1  # edges[place] < value <= edges[place + 1]
    inside = (places >= 0) & (places < len(edges) - 1)
    values, exact, places = values[inside], exact[inside], places[inside]

    def limit(rows: np.ndarray) -> float | None:
        groups = len(edges) - 1
        members = np.bincount(places[rows], minlength=groups)
        sums = [np.bincount(places[rows], of[rows], minlength=groups) for of in (values, exact)]
        means, shares = (total / np.maximum(members, 1) for total in sums)
        return find_limit([(m, s) for m, s, number in zip(means, shares, members, strict=True) if number])

    every, generator = np.arange(len(values)), np.random.default_rng(1)
    draws = (limit(generator.choice(every, len(every))) for _ in range(RESAMPLES if len(every) else 0))
    drawn = sorted(math.inf if at is None else at for at in draws)
    low, high = (drawn[round(share * (len(drawn) - 1))] if drawn else math.inf for share in (0.025, 0.975))
    return Limit(limit(every), None if math.isinf(low) else low, None if math.isinf(high) else high)


def _format_limits(system: MeasuredSystem) -> tuple[str, str]:
    if not system.learned:
        return "not learned yet", "not learned yet"
    return _format_limit(system.words, WORDS), _format_limit(system.bits, BITS)


def _format_limit(limit: Limit, edges: Sequence[int]) -> str:
    if limit.at is None:
        return f"beyond {edges[-1]:g}"
    low, high = ("…" if end is None else f"{end:.0f}" for end in (limit.low, limit.high))
    return f"{limit.at:.0f} ({low}–{high})" if limit.at else "from the start"
