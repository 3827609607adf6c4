"""How far BLEU in a group of sentences may be the luck of which sentences those are: bootstrap intervals."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from sacrebleu.metrics.bleu import BLEU

RESAMPLES = 1000
_SEED = 12345  # sacrebleu's own default
_TAIL = 2.5  # percent on each side


class Interval(NamedTuple):
    """The middle 95 % of what RESAMPLES draws of as many sentences give, in BLEU points."""

    low: float
    high: float


def resample_groups(
    runs: Sequence[Sequence[str]], references: Sequence[str], groups: Sequence[Sequence[int]], metric: BLEU
) -> list[np.ndarray | None]:
    """BLEU of each group on RESAMPLES draws of its sentences, with replacement; None for a group without sentences.

    `runs`: the translations with each seed, whose BLEU is averaged; `groups`: the indices of the sentences. The draws depend on
    the groups alone, so that two systems are drawn alike and their differences are paired (Koehn 2004).
    """
    statistics = [np.asarray(metric._extract_corpus_statistics(run, [references]), dtype=np.int64) for run in runs]
    generator = np.random.default_rng(_SEED)
    drawn: list[np.ndarray | None] = []
    for group in groups:
        if not group:
            drawn.append(None)
            continue
        rows = generator.choice(np.asarray(group), (RESAMPLES, len(group)))
        scores = [
            [metric._compute_score_from_stats(row).score for row in own[rows].sum(1).tolist()] for own in statistics
        ]
        drawn.append(np.mean(scores, 0))
    return drawn


def find_interval(drawn: np.ndarray) -> Interval:
    """The interval of a figure that was computed on every draw."""
    low, high = np.percentile(drawn, (_TAIL, 100 - _TAIL)).tolist()
    return Interval(low, high)
