"""What happens beside training, in the order in which a run lists it: log, validate, stop early, save."""

import json
import math
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from seq2attn import durable
from seq2attn.errors import DivergedError, NotFiniteError
from seq2attn.training.checkpoint import LogState, ValidationState
from seq2attn.training.ranking import rank
from seq2attn.training.trainer import DIVERGED_HINT, Callback, Trainer


class Metrics:
    """metrics.jsonl, one object a line. Its length is part of a checkpoint, so that resuming cuts off what came after."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, event: str, update: int, **values: float | int) -> None:
        """Append one event and flush it."""
        line = json.dumps({"event": event, "update": update, **values}, allow_nan=False)
        durable.append(self.path, f"{line}\n".encode())

    def size(self) -> int:
        """How many bytes are written."""
        return self.path.stat().st_size if self.path.exists() else 0

    def cut(self, size: int) -> None:
        """Forget everything after `size` bytes."""
        if self.path.exists():
            os.truncate(self.path, min(size, self.size()))

    def sync(self) -> None:
        """Make durable what is written."""
        if self.path.exists():
            durable.sync(self.path)


class TrainLog(Callback):
    """Writes a train event every `every` updates and at the end.

    It holds the mean loss in nats a target token, the learning rate, the updates skipped so far, and the target tokens a
    second. `show` is called with the update and these figures.
    """

    def __init__(self, metrics: Metrics, every: int, show: Callable[[int, Mapping[str, float]], None]) -> None:
        self._metrics = metrics
        self._every = every
        self._show = show
        self._sums = LogState()

    def after_update(self, trainer: Trainer) -> None:
        """Write when it is time."""
        if trainer.position.update % self._every == 0:
            self._write(trainer)

    def at_end(self, trainer: Trainer) -> None:
        """Write what has not been written yet."""
        self._write(trainer)

    def state(self, trainer: Trainer) -> LogState:
        """The sums since the last event."""
        for step in trainer.read_steps():
            self._sums = LogState(
                nll=self._sums.nll + step.nll,
                tokens=self._sums.tokens + step.tokens,
                seconds=self._sums.seconds + step.seconds,
                rate=step.learning_rate,
            )
        return self._sums

    def restore(self, state: LogState) -> None:
        """Go on with these sums."""
        self._sums = state

    def _write(self, trainer: Trainer) -> None:
        sums = self.state(trainer)
        if not sums.tokens:
            return
        values = {
            "loss": sums.nll / sums.tokens,
            "learning_rate": sums.rate,
            "seconds": round(trainer.seconds, 3),
            "target_tokens_per_second": round(sums.tokens / sums.seconds, 1),
        }
        self._metrics.write("train", trainer.position.update, **values, skipped=trainer.position.skipped)
        self._show(trainer.position.update, values)
        self._sums = LogState(rate=sums.rate)


class Validation(Callback):
    """Calls the injected `validate` every `every` updates and at the end, and keeps all of its metrics in `history`.

    `history`: update → metric → value. `show` is called with the update and the metrics. Raises DivergedError if what the
    model says then is not finite.
    """

    def __init__(
        self,
        validate: Callable[[], Mapping[str, float]],
        metrics: Metrics,
        every: int,
        show: Callable[[int, Mapping[str, float]], None],
    ) -> None:
        self._validate = validate
        self._metrics = metrics
        self._every = every
        self._show = show
        self.history: dict[int, dict[str, float]] = {}

    def is_due(self, update: int) -> bool:
        """Whether the validation after this update is still to be done."""
        return update > 0 and update % self._every == 0 and update not in self.history

    def after_update(self, trainer: Trainer) -> None:
        """Validate when it is time."""
        if self.is_due(trainer.position.update):
            self._run(trainer)

    def at_end(self, trainer: Trainer) -> None:
        """Validate the last update, if that has not been done."""
        if trainer.position.update not in self.history:
            self._run(trainer)

    def state(self) -> ValidationState:
        """The metrics of every validation."""
        return ValidationState(history=self.history)

    def restore(self, state: ValidationState) -> None:
        """Go on with this history."""
        self.history = dict(state.history)

    def _run(self, trainer: Trainer) -> None:
        started = time.perf_counter()
        update = trainer.position.update
        rate = f"(learning rate {trainer.schedule.rate(update):.2g})"
        try:
            with trainer.stop.during_validation(), torch.random.fork_rng(), trainer.averaged():
                values = dict(self._validate())
        except NotFiniteError as error:
            raise DivergedError(f"update {update}: in validation, {error.message} {rate}", DIVERGED_HINT) from error
        if not all(map(math.isfinite, values.values())):
            raise DivergedError(f"update {update}: the validation loss is not finite {rate}", DIVERGED_HINT)
        trainer.schedule.observe(values)
        self.history[update] = values
        self._metrics.write("validation", update, **values, seconds=round(time.perf_counter() - started, 3))
        self._show(update, values)


class EarlyStopping(Callback):
    """Stops training when `metric` has not improved in the last `patience` validations.

    Where the metric is as good as the best, a lower loss is an improvement too.
    """

    def __init__(self, validation: Validation, metric: str, patience: int) -> None:
        self._validation = validation
        self._metric = metric
        self._patience = patience

    def after_update(self, trainer: Trainer) -> None:
        """Look at the history after each validation."""
        if trainer.position.update in self._validation.history:
            trainer.stop.early = self.is_exhausted()

    def is_exhausted(self) -> bool:
        """Whether the last improvement is `patience` validations ago."""
        history = self._validation.history
        values = [rank(self._metric, history[update]) for update in sorted(history)]
        return bool(values) and len(values) - 1 - values.index(max(values)) >= self._patience
