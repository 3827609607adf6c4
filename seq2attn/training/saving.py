"""Checkpoints of a whole run: model, optimizer, random state and callbacks; which are kept, and going on from one."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from seq2attn.training.callbacks import Metrics, Validation
from seq2attn.training.checkpoint import MODEL, OPTIMIZER, RANDOM, Checkpoints, load_weights, read_tensors, weights
from seq2attn.training.schedule import goodness
from seq2attn.training.trainer import Callback, Step, Trainer


class Saving:
    """A checkpoint after each validation, at the end, and when asked to; keeps the newest and the best.

    It stands last, so that what it saves is the state after all others have done their part.
    """

    def __init__(
        self,
        checkpoints: Checkpoints,
        metrics: Metrics,
        validation: Validation,
        others: Mapping[str, Callback],
        *,
        metric: str,
        keep_last: int,
        keep_best: int,
    ) -> None:
        self._checkpoints = checkpoints
        self._metrics = metrics
        self._validation = validation
        self._others = others
        self._metric = metric
        self._keep_last = keep_last
        self._keep_best = keep_best
        self._saved: tuple[int, int] | None = None
        self.asked = False

    def after_update(self, trainer: Trainer, step: Step) -> None:
        """Save after a validation or when asked."""
        if trainer.position.update in self._validation.history or self.asked:
            self.save(trainer)
            trainer.stop = trainer.stop or self.asked

    def at_end(self, trainer: Trainer) -> None:
        """Save the end, which is validated; only what was validated is kept, so that stopping on the way leaves no trace."""
        self.save_now(trainer)
        self._keep(trainer.position.update, self.validated())

    def save_now(self, trainer: Trainer) -> None:
        """Save, unless the last checkpoint is just that."""
        if self._saved != self._now(trainer):
            self.save(trainer)

    def state(self) -> dict[str, Any]:
        """What is on disk is the state."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Nothing."""

    def best(self) -> list[int]:
        """Kept updates that were validated, best first (the earliest of equals)."""
        history = self._validation.history
        return sorted(self.validated(), key=lambda update: (-goodness(self._metric, history[update]), update))

    def validated(self) -> list[int]:
        """Kept updates that were validated, newest first."""
        return [update for update in reversed(self._checkpoints.updates()) if update in self._validation.history]

    def save(self, trainer: Trainer) -> None:
        """Write one checkpoint, then remove those that are neither new nor good.

        One that was only asked for is no event: the metrics are those of a run that was never stopped.
        """
        update = trainer.position.update
        if update in self._validation.history:
            self._metrics.write("checkpoint", update)
        self._metrics.sync()
        state = {
            "position": vars(trainer.position),
            "seconds": trainer.seconds,
            "tokens": trainer.tokens,
            "schedule": trainer.schedule.state(),
            "callbacks": {name: callback.state() for name, callback in self._others.items()},
            "metrics_bytes": self._metrics.size(),
        }
        self._checkpoints.save(
            update,
            model=weights(trainer.model),
            optimizer=_optimizer_tensors(trainer.optimizer),
            random=_random_tensors(),
            state=state,
        )
        self._saved = self._now(trainer)
        self._tidy(update)

    def resume(self, trainer: Trainer, update: int) -> None:
        """Put trainer and callbacks back to where checkpoint `update` was written."""
        folder, state = self._checkpoints.path(update), self._checkpoints.state(update)
        load_weights(trainer.model, read_tensors(folder / MODEL), folder / MODEL)
        _restore_optimizer(trainer.optimizer, read_tensors(folder / OPTIMIZER))
        _restore_random(read_tensors(folder / RANDOM))
        for name, value in state["position"].items():
            setattr(trainer.position, name, value)
        trainer.seconds, trainer.tokens = state["seconds"], state["tokens"]
        trainer.schedule.restore(state["schedule"])
        for name, callback in self._others.items():
            callback.restore(state["callbacks"][name])
        self._metrics.cut(state["metrics_bytes"])
        self._saved = self._now(trainer)

    def _tidy(self, update: int) -> None:
        """Keep the newest and the best; never fewer than the newest two, for the newest might be found damaged.

        One that was only asked for goes with the next, so that a run that was stopped keeps what any other would.
        """
        older = [kept for kept in self._checkpoints.updates() if kept <= update]
        newest = self.validated()
        self._keep(update, older[-2:] if len(newest) < 2 else newest)

    def _keep(self, update: int, newest: list[int]) -> None:
        self._checkpoints.keep([update, *newest[: max(2, self._keep_last)], *self.best()[: self._keep_best]])

    def _now(self, trainer: Trainer) -> tuple[int, int]:
        """Update and number of validations: what tells one checkpoint from another."""
        return trainer.position.update, len(self._validation.history)


def _optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
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


def _random_tensors() -> dict[str, Tensor]:
    tensors = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        tensors["cuda"] = torch.cuda.get_rng_state()
    return tensors


def _restore_random(tensors: Mapping[str, Tensor]) -> None:
    torch.set_rng_state(tensors["cpu"])
    if "cuda" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors["cuda"])
