"""Whether a difference in BLEU is more than the luck of the test sentences: the paired bootstrap of sacrebleu."""

from collections.abc import Mapping, Sequence

import numpy as np
from sacrebleu.metrics.bleu import BLEU

RESAMPLES = 10_000
SEED = 12345  # sacrebleu's own default

_CHUNK = 100  # resamples drawn at once: sacrebleu draws all, which takes gigabytes for a large test set


def paired_bootstrap(
    baseline: Sequence[str],
    system: Sequence[str],
    references: Sequence[str],
    *,
    metric: BLEU,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> float:
    """The p-value of `sacrebleu --paired-bs`: how often resampled test sets differ by more than the whole one does.

    Koehn 2004, as sacrebleu's `PairedTest` computes it: with d_i = |BLEU(system) − BLEU(baseline)| on resample i,
    p = (#{d_i − mean(d) > d of the whole test set} + 1) / (resamples + 1); but 1 where the whole test set shows no
    difference, which sacrebleu calls certain.
    """
    if len(baseline) != len(references) or len(system) != len(references):
        raise ValueError(f"{len(baseline)}, {len(system)} and {len(references)} lines cannot be paired")
    ours, theirs = (
        np.asarray(metric._extract_corpus_statistics(lines, [references]), dtype=np.int64)
        for lines in (system, baseline)
    )
    generator = np.random.default_rng(seed)
    drawn = []
    for start in range(0, resamples, _CHUNK):
        rows = generator.choice(len(references), size=(min(_CHUNK, resamples - start), len(references)), replace=True)
        drawn.append(
            np.abs(_score_rows(metric, ours[rows].sum(axis=1)) - _score_rows(metric, theirs[rows].sum(axis=1)))
        )
    differences = np.concatenate(drawn)
    whole = abs(
        _score_rows(metric, ours.sum(axis=0, keepdims=True)) - _score_rows(metric, theirs.sum(axis=0, keepdims=True))
    )[0]
    if whole == 0:
        return 1.0
    return float((np.sum(differences - differences.mean() > whole) + 1) / (resamples + 1))


def _score_rows(metric: BLEU, statistics: np.ndarray) -> np.ndarray:
    """Corpus BLEU of each row of summed sentence statistics."""
    return np.array([metric._compute_score_from_stats(row).score for row in statistics.tolist()])


def find_largest_p(
    baseline: Mapping[int, Sequence[str]],
    system: Mapping[int, Sequence[str]],
    references: Sequence[str],
    *,
    metric: BLEU,
) -> float | None:
    """The largest p over the seeds that both have translations for; None if they share no seed."""
    shared = sorted(baseline.keys() & system.keys())
    values = [paired_bootstrap(baseline[seed], system[seed], references, metric=metric) for seed in shared]
    return max(values, default=None)
