"""Learning-rate schedules. `rate(update)` is the rate of optimizer step `update`, counted from 1."""

import math
from collections.abc import Callable, Mapping

from seq2attn.training.ranking import WORST, rank


def constant(peak: float, warmup: int) -> Callable[[int], float]:
    """peak · min(1, update / warmup)."""
    return lambda update: peak * _warmed(update, warmup)


def inverse_sqrt(peak: float, warmup: int) -> Callable[[int], float]:
    """peak · min(update / warmup, √(warmup / update)) (Vaswani et al. 2017, eq. 3, written by its peak)."""
    start = max(1, warmup)
    return lambda update: peak * min(update / start, math.sqrt(start / update))


def cosine(peak: float, warmup: int, last: int, final: float) -> Callable[[int], float]:
    """Warm-up, then half a cosine from the peak down to `final · peak` at update `last` (Loshchilov & Hutter 2017, eq. 5)."""

    def rate(update: int) -> float:
        done = min(1.0, max(0.0, (update - warmup) / max(1, last - warmup)))
        return peak * _warmed(update, warmup) * (final + (1 - final) * (1 + math.cos(math.pi * done)) / 2)

    return rate


def _warmed(update: int, warmup: int) -> float:
    return min(1.0, update / warmup) if warmup else 1.0


class Schedule:
    """The learning rate of every update: a function of the update alone."""

    def __init__(self, rate: Callable[[int], float]) -> None:
        self._rate = rate

    def rate(self, update: int) -> float:
        """The learning rate of this update."""
        return self._rate(update)

    def observe(self, metrics: Mapping[str, float]) -> None:
        """A validation changes nothing here."""

    def state(self) -> dict[str, float]:
        """What a checkpoint keeps: nothing."""
        return {}

    def restore(self, state: Mapping[str, float]) -> None:
        """There is nothing to go on with."""


class Plateau:
    """Multiply the rate by `factor` whenever `metric` has not improved for `patience` validations.

    Where the metric is as good as the best, a lower loss is an improvement too.
    """

    def __init__(self, peak: float, *, warmup: int, factor: float, patience: int, metric: str) -> None:
        self._rate = constant(peak, warmup)
        self._factor = factor
        self._patience = patience
        self._metric = metric
        self._scale, self._best, self._bad = 1.0, WORST, 0

    def rate(self, update: int) -> float:
        """The learning rate of this update."""
        return self._scale * self._rate(update)

    def observe(self, metrics: Mapping[str, float]) -> None:
        """Count validations without improvement."""
        value = rank(self._metric, metrics)
        if value > self._best:
            self._best, self._bad = value, 0
            return
        self._bad += 1
        if self._bad >= self._patience:
            self._scale, self._bad = self._scale * self._factor, 0

    def state(self) -> dict[str, float]:
        """What a checkpoint keeps; `loss` is the loss of the best validation."""
        best, negative_loss = self._best
        return {"scale": self._scale, "best": best, "loss": -negative_loss, "bad": self._bad}

    def restore(self, state: Mapping[str, float]) -> None:
        """Continue from `state`. That of 0.1.0 has no loss, and no tie is an improvement until its best is passed."""
        self._scale, self._bad = state["scale"], int(state["bad"])
        self._best = (state["best"], -state.get("loss", -math.inf))
