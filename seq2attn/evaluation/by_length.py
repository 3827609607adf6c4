"""BLEU by the length of the source sentence: a fixed vector loses on long sentences what attention keeps."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from seq2attn.data.languages import space
from seq2attn.errors import DataError
from seq2attn.evaluation.bleu import Bleu, check_aligned

Unit = Literal["words", "characters"]
EDGES = (10, 20, 30, 40, 50)  # in words
CHARACTER_EDGES = (20, 40, 60, 80, 100)


def choose_unit(language: str) -> Unit:
    """What the length of a sentence is counted in: characters, where a language has no spaces between words."""
    return "words" if space(language) else "characters"


@dataclass(frozen=True)
class Bucket:
    """The sentences whose raw source has `low` to `high` words or characters, both inclusive; None: no upper end.

    `bleu` is the corpus BLEU of these sentences in percent; None where there are none.
    """

    low: int
    high: int | None
    sentences: int
    bleu: float | None

    @property
    def label(self) -> str:
        """The range as people write it: 1–10, or 51+ for the last."""
        return f"{self.low}+" if self.high is None else f"{self.low}–{self.high}"

    def to_json(self) -> dict[str, Any]:
        """An entry of "by_length" in report.json and in what `seq2attn evaluate --json` prints."""
        return {"low": self.low, "high": self.high, "sentences": self.sentences, "bleu": self.bleu}


def group_by_length(sources: Sequence[str], unit: Unit = "words") -> list[list[int]]:
    """The indices of the sentences of each bucket, in order; an empty line goes into the first bucket."""
    edges = _choose_edges(unit)
    buckets: list[list[int]] = [[] for _ in range(len(edges) + 1)]
    for index, line in enumerate(sources):
        length = count_length(line, unit)
        buckets[sum(length > edge for edge in edges)].append(index)
    return buckets


def count_length(line: str, unit: Unit) -> int:
    """The number of a line's words, or of its characters but for white space."""
    words = line.split()
    return len(words) if unit == "words" else sum(map(len, words))


def _choose_edges(unit: Unit) -> tuple[int, ...]:
    return EDGES if unit == "words" else CHARACTER_EDGES


def score_by_length(
    sources: Sequence[str], hypotheses: Sequence[str], references: Sequence[str], bleu: Bleu, unit: Unit = "words"
) -> list[Bucket]:
    """BLEU in buckets of 1–10, 11–20, …, 41–50 and more whitespace-separated words of the raw source.

    In characters the buckets are 1–20, 21–40, …, 81–100 and more.

    Raises DataError unless all three have the same number of lines.
    """
    check_aligned(hypotheses, references)
    if len(sources) != len(references):
        raise DataError(f"{len(sources)} source lines but {len(references)} references", "both must be line-aligned")
    metric = bleu.metric()
    edges = _choose_edges(unit)
    lows = (1, *(edge + 1 for edge in edges))
    highs = (*edges, None)
    buckets = []
    for low, high, indices in zip(lows, highs, group_by_length(sources, unit), strict=True):
        score = None
        if indices:
            score = metric.corpus_score([hypotheses[i] for i in indices], [[references[i] for i in indices]]).score
        buckets.append(Bucket(low, high, len(indices), score))
    return buckets
