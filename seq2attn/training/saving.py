"""Checkpoints of a whole run: model, optimizer, random state and callbacks; which are kept, and going on from one."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict

import torch
from torch import Tensor

from seq2attn.training.callbacks import Metrics, TrainLog, Validation
from seq2attn.training.checkpoint import (
    MODEL,
    OPTIMIZER,
    RANDOM,
    TRAINED,
    CallbackStates,
    Checkpoints,
    CheckpointState,
    PositionState,
    copy_weights,
    load_weights,
    read_tensors,
)
from seq2attn.training.ranking import sort_best_first
from seq2attn.training.trainer import Callback, Position, Trainer


class Saving(Callback):
    """Saves a checkpoint after each validation, every so many minutes, on a signal, and at the end.

    Of these it keeps the newest, and those that are the best by `metric`. It stands last among the callbacks, so that it
    saves what the others have done.
    """

    def __init__(
        self,
        checkpoints: Checkpoints,
        metrics: Metrics,
        log: TrainLog,
        validation: Validation,
        *,
        metric: str,
        keep_last: int,
        keep_best: int,
        every_minutes: float = math.inf,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._checkpoints = checkpoints
        self._metrics = metrics
        self._log = log
        self._validation = validation
        self._metric = metric
        self._keep_last = keep_last
        self._keep_best = keep_best
        self._seconds = 60 * every_minutes
        self._clock = clock
        self._saved_at = clock()
        self._saved: tuple[int, int] | None = None

    def after_update(self, trainer: Trainer) -> None:
        """Save after a validation, when a signal has come, and when the last checkpoint is too long ago."""
        due = self._clock() - self._saved_at >= self._seconds
        if trainer.position.update in self._validation.history or trainer.stop.signal is not None or due:
            self.save(trainer)

    def at_end(self, trainer: Trainer) -> None:
        """Save the end, and keep only what was validated, so that stopping on the way leaves no trace."""
        self.save_unless_saved(trainer)
        self._keep(trainer.position.update, self.validated())

    def save_unless_saved(self, trainer: Trainer) -> None:
        """Save, unless the last checkpoint is just that."""
        if self._saved != self._identify(trainer):
            self.save(trainer)

    def best(self) -> list[int]:
        """Kept updates that were validated, best first; of those with equal metrics the newer."""
        history = self._validation.history
        return sort_best_first(self._metric, {update: history[update] for update in self.validated()})

    def validated(self) -> list[int]:
        """Kept updates that were validated, newest first."""
        return [update for update in reversed(self._checkpoints.updates()) if update in self._validation.history]

    def save(self, trainer: Trainer) -> None:
        """Write one checkpoint, then remove those that are neither new nor good.

        Only a checkpoint after a validation is an event: the metrics are those of a run that was never stopped.
        """
        update, log = trainer.position.update, self._log.state(trainer)  # it waits for updates that are under way
        if update in self._validation.history:
            self._metrics.write("checkpoint", update)
        self._metrics.sync()
        state = CheckpointState(
            position=PositionState(**asdict(trainer.position)),
            seconds=trainer.seconds,
            tokens=trainer.tokens,
            schedule=trainer.schedule.state(),
            callbacks=CallbackStates(log=log, validation=self._validation.state()),
            metrics_bytes=self._metrics.size(),
        )
        trained = copy_weights(trainer.model)
        self._checkpoints.save(
            update,
            model=trained if trainer.average is None else trained | trainer.average.weights(),
            optimizer=_copy_optimizer(trainer.optimizer),
            random=_copy_random_state(),
            state=state,
            trained=None if trainer.average is None else trained,
        )
        self._saved, self._saved_at = self._identify(trainer), self._clock()
        self._tidy(update)

    def resume(self, trainer: Trainer, update: int) -> None:
        """Put trainer and callbacks back to where checkpoint `update` was written."""
        folder, state = self._checkpoints.path(update), self._checkpoints.read_state(update)
        load_weights(trainer.model, read_tensors(folder / MODEL), folder / MODEL)
        if trainer.average is not None:
            trainer.average.restore(read_tensors(folder / TRAINED))
        _restore_optimizer(trainer.optimizer, read_tensors(folder / OPTIMIZER))
        _restore_random_state(read_tensors(folder / RANDOM))
        trainer.position = Position(**state.position.model_dump())
        trainer.seconds, trainer.tokens = state.seconds, state.tokens
        trainer.schedule.restore(state.schedule)
        self._log.restore(state.callbacks.log)
        self._validation.restore(state.callbacks.validation)
        self._metrics.cut(state.metrics_bytes)
        self._saved = self._identify(trainer)

    def _tidy(self, update: int) -> None:
        """Keep the newest and the best; never fewer than the newest two, for the newest might be found damaged.

        A checkpoint that was saved for a signal or by time goes with the next one, so that a run that was stopped keeps what
        any other would.
        """
        older = [kept for kept in self._checkpoints.updates() if kept <= update]
        newest = self.validated()
        self._keep(update, older[-2:] if len(newest) < 2 else newest)

    def _keep(self, update: int, newest: list[int]) -> None:
        self._checkpoints.keep([update, *newest[: max(2, self._keep_last)], *self.best()[: self._keep_best]])

    def _identify(self, trainer: Trainer) -> tuple[int, int]:
        """Update and number of validations: what tells one checkpoint from another."""
        return trainer.position.update, len(self._validation.history)


def _copy_optimizer(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    state = optimizer.state_dict()["state"]
    return {
        f"{index}.{name}": value.detach().cpu().contiguous()
        for index, values in state.items()
        for name, value in values.items()
        if isinstance(value, Tensor)
    }


def _restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _copy_random_state() -> dict[str, Tensor]:
    tensors = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        tensors["cuda"] = torch.cuda.get_rng_state()
    return tensors


def _restore_random_state(tensors: Mapping[str, Tensor]) -> None:
    torch.set_rng_state(tensors["cpu"])
    if "cuda" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors["cuda"])
