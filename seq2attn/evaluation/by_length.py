"""BLEU by the length of the source sentence: a fixed vector loses on long sentences what attention keeps."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from seq2attn.errors import DataError
from seq2attn.evaluation.bleu import Bleu, check_aligned

EDGES = (10, 20, 30, 40, 50)


@dataclass(frozen=True)
class Bucket:
    """The sentences whose raw source has `low` to `high` words, both inclusive, and their BLEU (no upper end: None).

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


def group_by_length(sources: Sequence[str]) -> list[list[int]]:
    """The indices of the sentences of each bucket, in order; a line without words goes into the first bucket."""
    buckets: list[list[int]] = [[] for _ in range(len(EDGES) + 1)]
    for index, line in enumerate(sources):
        words = len(line.split())
        buckets[sum(words > edge for edge in EDGES)].append(index)
    return buckets


def score_by_length(
    sources: Sequence[str], hypotheses: Sequence[str], references: Sequence[str], bleu: Bleu
) -> list[Bucket]:
    """BLEU in buckets of 1–10, 11–20, …, 41–50 and more whitespace-separated words of the raw source.

    Raises DataError unless all three have the same number of lines.
    """
    check_aligned(hypotheses, references)
    if len(sources) != len(references):
        raise DataError(f"{len(sources)} source lines but {len(references)} references", "both must be line-aligned")
    metric = bleu.metric()
    lows = (1, *(edge + 1 for edge in EDGES))
    highs = (*EDGES, None)
    buckets = []
    for low, high, indices in zip(lows, highs, group_by_length(sources), strict=True):
        score = None
        if indices:
            score = metric.corpus_score([hypotheses[i] for i in indices], [[references[i] for i in indices]]).score
        buckets.append(Bucket(low, high, len(indices), score))
    return buckets
