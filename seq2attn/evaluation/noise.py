"""BLEU under noise: what a model loses where some subwords of its sources are replaced by others."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from statistics import fmean, stdev
from typing import Any

from seq2attn.errors import UsageError


@dataclass(frozen=True)
class Replace:
    """Noise that replaces each source subword, with probability `rate`, by another one, drawn uniformly.

    It is measured at each of `rates`, with each of the seeds 1 to `seeds`. Raises UsageError for a rate that is not a
    probability and for fewer than one seed.
    """

    rates: tuple[float, ...]
    seeds: int

    def __post_init__(self) -> None:
        for rate in self.rates:
            if not 0 <= rate <= 1:
                raise UsageError(f"--rate {rate:g}: not a probability", "rates lie between 0 and 1: --rate 0,0.05,0.15")
        if self.seeds < 1:
            raise UsageError(f"--noise-seeds {self.seeds}: not 1 or more", "for example --noise-seeds 5")

    @property
    def passes(self) -> int:
        """How many times a test set is translated with noise; at rate 0 there is none."""
        return self.seeds * sum(rate > 0 for rate in self.rates)

    def __call__(self, ids: Sequence[int], pieces: Sequence[int], *, rate: float, seed: int, line: int) -> list[int]:
        """The ids of a line, some of them replaced by others of `pieces`; the last one, the end of sentence, stays.

        A pure function of its arguments. What is replaced at one rate is replaced by the same piece at every higher rate.
        """
        random = Random(f"{seed} {line}")
        noised = []
        for token in ids[:-1]:
            hit = random.random() < rate
            while (other := random.choice(pieces)) == token:
                pass
            noised.append(other if hit else token)
        return [*noised, ids[-1]]


@dataclass(frozen=True)
class NoisyBleu:
    """BLEU in percent at one rate, for each seed, and the share of all subwords that was really replaced."""

    rate: float
    achieved: float
    bleu: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Mean BLEU over the seeds."""
        return fmean(self.bleu)

    @property
    def std(self) -> float | None:
        """√(Σ(x − x̄)² / (n − 1)) over the seeds; None for one."""
        return stdev(self.bleu) if len(self.bleu) > 1 else None


@dataclass(frozen=True)
class NoiseResult:
    """BLEU in percent without noise and at each rate."""

    clean_bleu: float
    points: tuple[NoisyBleu, ...]

    def relative_drop(self, point: NoisyBleu) -> float | None:
        """(clean − mean) / clean, the share of BLEU that is lost; None if the clean BLEU is 0."""
        return (self.clean_bleu - point.mean) / self.clean_bleu if self.clean_bleu else None

    def to_json(self) -> dict[str, Any]:
        """The key "noise" of `seq2attn evaluate --noise replace --json`."""
        rates = [
            {
                "rate": point.rate,
                "achieved": point.achieved,
                "bleu": {"mean": point.mean, "std": point.std, "by_seed": list(point.bleu)},
                "relative_drop": self.relative_drop(point),
            }
            for point in self.points
        ]
        return {"kind": "replace", "seeds": len(self.points[0].bleu), "rates": rates}

    def to_text(self) -> str:
        """A table for the terminal: one row for each rate."""
        lines = ["noise rate  achieved    BLEU     sd    drop  by seed"]
        for point in self.points:
            std, drop = point.std, self.relative_drop(point)
            cells = (
                f"{point.rate:10g}",
                f"{point.achieved:8.3f}",
                f"{point.mean:6.2f}",
                "    –" if std is None else f"{std:5.2f}",
                "     –" if drop is None else f"{drop:6.1%}",
                " ".join(f"{bleu:.2f}" for bleu in point.bleu),
            )
            lines.append("  ".join(cells))
        return "\n".join(lines)


def measure_noise(
    noise: Replace,
    sources: Sequence[list[int]],
    pieces: Sequence[int],
    bleu: Callable[[list[list[int]]], float],
    *,
    clean_bleu: float,
) -> NoiseResult:
    """BLEU of noisy sources at each rate and for each seed.

    `sources` are subword ids with EOS last; `pieces` are the ids that may replace others. `bleu` translates such sources
    and scores the translations; where nothing was replaced, `clean_bleu` is taken instead. Raises ValueError for fewer
    than two pieces.
    """
    if len(set(pieces)) < 2:
        raise ValueError(f"{len(set(pieces))} pieces: there is no other to replace one by")
    subwords = sum(len(ids) - 1 for ids in sources)
    points = []
    for rate in noise.rates:
        replaced, scores = 0, []
        for seed in range(1, noise.seeds + 1):
            noised = [noise(ids, pieces, rate=rate, seed=seed, line=line) for line, ids in enumerate(sources)]
            changes = sum(map(_count_differences, sources, noised))
            scores.append(bleu(noised) if changes else clean_bleu)
            replaced += changes
        points.append(NoisyBleu(rate, replaced / max(1, subwords * noise.seeds), tuple(scores)))
    return NoiseResult(clean_bleu, tuple(points))


def _count_differences(left: Sequence[int], right: Sequence[int]) -> int:
    return sum(a != b for a, b in zip(left, right, strict=True))
