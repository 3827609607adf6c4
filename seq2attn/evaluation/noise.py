"""BLEU under noise: what a model loses where some subwords of its sources are replaced by others."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from statistics import fmean, stdev
from typing import Any

from seq2attn.errors import UsageError


@dataclass(frozen=True)
class Replace:
    """Each source subword becomes, with probability `rate`, another one, uniformly drawn; measured at each of `rates`.

    The noise is drawn `seeds` times, with the seeds 1 to `seeds`. Raises UsageError for rates that are no probabilities
    and for fewer than one seed.
    """

    rates: tuple[float, ...]
    seeds: int

    def __post_init__(self) -> None:
        for rate in self.rates:
            if not 0 <= rate <= 1:
                raise UsageError(f"--rate {rate:g}: not a probability", "rates lie between 0 and 1: --rate 0,0.05,0.15")
        if self.seeds < 1:
            raise UsageError(f"--noise-seeds {self.seeds}: not 1 or more", "for example --noise-seeds 5")

    def __call__(self, ids: Sequence[int], pieces: Sequence[int], *, rate: float, seed: int, line: int) -> list[int]:
        """The ids of a line with some replaced by others of `pieces`; the last, the end of the sentence, stays.

        A pure function of its arguments. What is replaced at one rate is replaced, by the same, at every higher rate.
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
    """BLEU in percent at one rate, for each seed, and the share of all subwords that were replaced."""

    rate: float
    achieved: float
    bleu: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Over the seeds."""
        return fmean(self.bleu)

    @property
    def std(self) -> float | None:
        """√(Σ(x − x̄)² / (n − 1)) over the seeds; None for one."""
        return stdev(self.bleu) if len(self.bleu) > 1 else None


@dataclass(frozen=True)
class NoiseCurve:
    """The BLEU without noise, in percent, and that at each rate."""

    clean_bleu: float
    points: tuple[NoisyBleu, ...]

    def relative_drop(self, point: NoisyBleu) -> float | None:
        """(clean − mean) / clean, the share of the BLEU that is lost; None where the clean BLEU is 0."""
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
        """For a terminal."""
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


def noise_curve(
    noise: Replace,
    sources: Sequence[list[int]],
    pieces: Sequence[int],
    bleu: Callable[[list[list[int]]], float],
    *,
    clean_bleu: float,
) -> NoiseCurve:
    """The BLEU of noised sources at each rate and for each seed; `bleu` translates sources, ids with EOS last, and scores.

    Sources in which nothing was replaced have `clean_bleu`. `pieces` are the ids that may stand for others; raises
    ValueError for fewer than two.
    """
    if len(set(pieces)) < 2:
        raise ValueError(f"{len(set(pieces))} pieces: there is no other to replace one by")
    subwords = sum(len(ids) - 1 for ids in sources)
    points = []
    for rate in noise.rates:
        replaced, scores = 0, []
        for seed in range(1, noise.seeds + 1):
            noised = [noise(ids, pieces, rate=rate, seed=seed, line=line) for line, ids in enumerate(sources)]
            changes = sum(map(_differences, sources, noised))
            scores.append(bleu(noised) if changes else clean_bleu)
            replaced += changes
        points.append(NoisyBleu(rate, replaced / max(1, subwords * noise.seeds), tuple(scores)))
    return NoiseCurve(clean_bleu, tuple(points))


def _differences(left: Sequence[int], right: Sequence[int]) -> int:
    return sum(a != b for a, b in zip(left, right, strict=True))
