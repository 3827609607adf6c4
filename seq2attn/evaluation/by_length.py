"""BLEU by the length of the source sentence: where a fixed vector gives way and attention does not."""

from collections.abc import Sequence
from dataclasses import dataclass

from seq2attn.errors import DataError
from seq2attn.evaluation.bleu import bleu_metric, check_aligned

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


def length_buckets(sources: Sequence[str]) -> list[list[int]]:
    """The indices of the sentences in each bucket, in order; a line without words falls into the first."""
    buckets: list[list[int]] = [[] for _ in range(len(EDGES) + 1)]
    for index, line in enumerate(sources):
        words = len(line.split())
        buckets[sum(words > edge for edge in EDGES)].append(index)
    return buckets


def bleu_by_length(
    sources: Sequence[str],
    hypotheses: Sequence[str],
    references: Sequence[str],
    *,
    target_language: str,
    lowercase: bool = False,
    tokenize: str = "auto",
) -> list[Bucket]:
    """BLEU in buckets of 1–10, 11–20, …, 41–50 and more whitespace-separated words of the raw source.

    Raises DataError if the three do not have as many lines.
    """
    check_aligned(hypotheses, references)
    if len(sources) != len(references):
        raise DataError(f"{len(sources)} source lines but {len(references)} references", "both must be line-aligned")
    metric = bleu_metric(target_language=target_language, lowercase=lowercase, tokenize=tokenize)
    lows = (1, *(edge + 1 for edge in EDGES))
    highs = (*EDGES, None)
    buckets = []
    for low, high, indices in zip(lows, highs, length_buckets(sources), strict=True):
        bleu = None
        if indices:
            bleu = metric.corpus_score([hypotheses[i] for i in indices], [[references[i] for i in indices]]).score
        buckets.append(Bucket(low, high, len(indices), bleu))
    return buckets
