"""What happens beside training, in the order in which a run lists it: log, validate, stop early, save."""

import json
import math
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from seq2attn import durable
from seq2attn.errors import DivergedError
from seq2attn.training.schedule import goodness
from seq2attn.training.trainer import Step, Trainer


class Metrics:
    """metrics.jsonl, one object a line. Its length is part of a checkpoint, so that resuming cuts off what came after."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, event: str, update: int, **values: float | int) -> None:
        """Append one event and flush it."""
        line = json.dumps({"event": event, "update": update, **values}, allow_nan=False)
        durable.append(self.path, f"{line}\n".encode())

    def size(self) -> int:
        """Bytes so far."""
        return self.path.stat().st_size if self.path.exists() else 0

    def cut(self, size: int) -> None:
        """Forget everything after `size` bytes."""
        if self.path.exists():
            os.truncate(self.path, min(size, self.size()))

    def sync(self) -> None:
        """Make durable what is written."""
        if self.path.exists():
            durable.sync(self.path)


class TrainLog:
    """A train event every `every` updates and at the last: mean loss, learning rate, skipped updates, target tokens a second."""

    def __init__(self, metrics: Metrics, every: int, show: Callable[[int, Mapping[str, float]], None]) -> None:
        self._metrics = metrics
        self._every = every
        self._show = show
        self._nll, self._tokens, self._seconds, self._rate = 0.0, 0, 0.0, 0.0

    def after_update(self, trainer: Trainer, step: Step) -> None:
        """Add up, and write when it is time."""
        self._nll += step.nll
        self._tokens += step.tokens
        self._seconds += step.seconds
        self._rate = step.learning_rate
        if trainer.position.update % self._every == 0 and self._tokens:
            self._write(trainer)

    def at_end(self, trainer: Trainer) -> None:
        """Write what is left."""
        if self._tokens:
            self._write(trainer)

    def state(self) -> dict[str, Any]:
        """The sums since the last event."""
        return {"nll": self._nll, "tokens": self._tokens, "seconds": self._seconds, "rate": self._rate}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue the sums."""
        self._nll, self._tokens, self._seconds = state["nll"], state["tokens"], state["seconds"]
        self._rate = state["rate"]

    def _write(self, trainer: Trainer) -> None:
        values = {
            "loss": self._nll / self._tokens,
            "learning_rate": self._rate,
            "seconds": round(trainer.seconds, 3),
            "target_tokens_per_second": round(self._tokens / self._seconds, 1),
        }
        self._metrics.write("train", trainer.position.update, **values, skipped=trainer.position.skipped)
        self._show(trainer.position.update, values)
        self._nll, self._tokens, self._seconds = 0.0, 0, 0.0


class Validation:
    """Calls the injected `validate` every `every` updates and at the end; remembers the last and best metrics."""

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
        self.running = False  # so that whoever is in a hurry knows that nothing but a validation is lost

    def due(self, update: int) -> bool:
        """Whether the validation after this update is still to be done."""
        return update > 0 and update % self._every == 0 and update not in self.history

    def after_update(self, trainer: Trainer, step: Step) -> None:
        """Validate when it is time."""
        if self.due(trainer.position.update):
            self._run(trainer)

    def at_end(self, trainer: Trainer) -> None:
        """Validate what the last update made, if that has not been done."""
        if trainer.position.update not in self.history:
            self._run(trainer)

    def state(self) -> dict[str, Any]:
        """The metrics of every validation so far."""
        return {"history": {str(update): metrics for update, metrics in self.history.items()}}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue the history."""
        self.history = {int(update): metrics for update, metrics in state["history"].items()}

    def _run(self, trainer: Trainer) -> None:
        started = time.perf_counter()
        try:
            self.running = True
            with torch.random.fork_rng():
                values = dict(self._validate())
        finally:
            self.running = False
        if not all(map(math.isfinite, values.values())):
            raise DivergedError(
                f"update {trainer.position.update}: the validation loss is not finite",
                "lower training.optimizer.learning_rate or lengthen training.schedule.warmup; then start again with --overwrite, "
                "or with --fork NEW_RUN from the last checkpoint",
            )
        trainer.schedule.observe(values)
        self.history[trainer.position.update] = values
        self._metrics.write(
            "validation", trainer.position.update, **values, seconds=round(time.perf_counter() - started, 3)
        )
        self._show(trainer.position.update, values)


class EarlyStopping:
    """Stops training when `metric` has not improved in the last `patience` validations."""

    def __init__(self, validation: Validation, metric: str, patience: int) -> None:
        self._validation = validation
        self._metric = metric
        self._patience = patience

    def after_update(self, trainer: Trainer, step: Step) -> None:
        """Look at the history after each validation."""
        if trainer.position.update in self._validation.history:
            trainer.stop = self.exhausted()

    def exhausted(self) -> bool:
        """Whether the last improvement is `patience` validations ago."""
        history = self._validation.history
        values = [goodness(self._metric, history[update]) for update in sorted(history)]
        return bool(values) and len(values) - 1 - values.index(max(values)) >= self._patience

    def at_end(self, trainer: Trainer) -> None:
        """Nothing."""

    def state(self) -> dict[str, Any]:
        """The history is the validation's."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Nothing."""
