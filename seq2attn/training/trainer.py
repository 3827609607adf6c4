"""The training loop, the same for every model."""

import math
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from seq2attn.attention.aggregation import Annealed
from seq2attn.data.batches import Batch
from seq2attn.errors import DivergedError
from seq2attn.models.seq2seq import Seq2Seq
from seq2attn.tensors import send
from seq2attn.tokens import PAD
from seq2attn.training.captured import Captured, can_capture
from seq2attn.training.ema import MovingAverage
from seq2attn.training.loss import sequence_loss
from seq2attn.training.r_drop import paired_loss
from seq2attn.training.schedule import Plateau, Schedule
from seq2attn.training.stop import Stop

MAX_SKIPPED = 10  # updates in a row without a finite gradient, after which a run ends
NAMED_PAIRS = 20  # how many training pairs the message about it names

DIVERGED_HINT = (
    "lower training.optimizer.learning_rate or lengthen training.schedule.warmup; then start again with --overwrite, "
    "or go on from the last checkpoint: seq2attn train CONFIG --from RUN --out NEW_RUN"
)


@runtime_checkable
class Epoch(Protocol):
    """The batches of one epoch, in order."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> Batch: ...


class Step(NamedTuple):
    """One update: its negative log-likelihood in nats, summed over its target tokens, and what it took.

    A skipped update counts no tokens.
    """

    nll: float
    tokens: int
    learning_rate: float
    seconds: float


class Callback:
    """Something that happens beside training; what a callback has nothing to do for, it leaves as it is here."""

    def after_update(self, trainer: "Trainer") -> None:
        """Called after every update."""

    def at_end(self, trainer: "Trainer") -> None:
        """Called once, when training is over."""


@dataclass
class Position:
    """How far training is: updates done, epoch and batch that come next, and updates that were skipped.

    An update without a finite loss and gradient is skipped. All are counted from 0.
    """

    update: int = 0
    epoch: int = 0
    batch: int = 0
    skipped: int = 0
    skipped_in_a_row: int = 0


class _Unread(NamedTuple):
    """An update whose outcome may still be on its way.

    pairs: of each batch. losses: that of each batch. finite: whether they and the gradient are.
    """

    update: int
    pairs: list[np.ndarray]
    losses: Tensor
    finite: Tensor
    tokens: int
    learning_rate: float
    seconds: float


class Trainer:
    """Minimizes the label-smoothed negative log-likelihood of a target token.

    An update sums the gradients of `accumulation` batches and divides by all their target tokens, so k accumulated batches
    equal one large batch. `plan_epoch(n)` gives the batches of epoch n, a pure function: together with the optimizer, the
    random state and `position`, that is all a run is. `autocast` gives the context of each forward pass; `locate` says how
    a message names the training pair of an index. `stop` is asked after each update. `average` is brought up to date with
    each. With `r_drop` every batch is read twice, with different dropout, see `paired_loss`.

    On a GPU an update is only begun, and the processor prepares the next one meanwhile; `read_steps` waits for what is under way.
    """

    def __init__(
        self,
        model: Seq2Seq,
        optimizer: torch.optim.Optimizer,
        schedule: Schedule | Plateau,
        plan_epoch: Callable[[int], Epoch],
        *,
        max_updates: int,
        accumulation: int,
        clip_norm: float,
        label_smoothing: float,
        r_drop: float | None = None,
        autocast: Callable[[], AbstractContextManager[Any]],
        locate: Callable[[int], str] = str,
        stop: Stop | None = None,
        average: MovingAverage | None = None,
    ) -> None:
        self.model = model
        self.average = average
        self.optimizer = optimizer
        self.schedule = schedule
        self.max_updates = max_updates
        self.position = Position()
        self.seconds = 0.0  # of training, without validation and checkpoints
        self.tokens = 0
        self.stop = Stop() if stop is None else stop
        self._plan_epoch = plan_epoch
        self._accumulation = accumulation
        self._clip_norm = clip_norm
        self._label_smoothing = label_smoothing
        self._r_drop = r_drop
        self._autocast = autocast
        self._locate = locate
        self._annealed = [module for module in model.modules() if isinstance(module, Annealed)]
        self._epoch: tuple[int, Epoch] | None = None
        self.captured = Captured(model, self._differentiate) if can_capture(model) else None
        self._unread: list[_Unread] = []
        self._steps: list[Step] = []

    def run(self, callbacks: Sequence[Callback]) -> None:
        """Train until `max_updates`, or until `stop`; the callbacks are called in their order after each update."""
        while self.position.update < self.max_updates and not self.stop:
            self.update()
            for callback in callbacks:
                callback.after_update(self)

    def finish(self, callbacks: Sequence[Callback]) -> None:
        """Tell every callback, in their order, that training is over."""
        for callback in callbacks:
            callback.at_end(self)

    def update(self) -> None:
        """Take one optimizer step, or skip it where loss or gradient are not finite."""
        started = time.perf_counter()
        self.model.train()
        batches = [self._next_batch() for _ in range(self._accumulation)]
        tokens = sum(int((batch.target != PAD).sum()) for batch in batches)
        self.position.update += 1
        for module in self._annealed:
            module.anneal((self.position.update - 1) / max(1, self.max_updates - 1))
        rate = self.schedule.rate(self.position.update)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        losses = [self.differentiate(batch, tokens) for batch in batches]
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self._clip_norm)
        nll = torch.stack(losses)
        finite = nll.isfinite().all() & norm.isfinite()
        on_gpu = finite.device.type == "cuda"
        if on_gpu:
            self.optimizer.found_inf = (~finite).float()  # type: ignore[attr-defined]  # the fused step then changes nothing
        if on_gpu or finite:
            self.optimizer.step()
            if self.average is not None:
                self.average.update(self.position.update, finite)
        self.optimizer.zero_grad(set_to_none=self.captured is None)
        pairs, seconds = [batch.indices for batch in batches], time.perf_counter() - started
        self._unread.append(_Unread(self.position.update, pairs, nll, finite, tokens, rate, seconds))
        if not on_gpu:
            self._read()

    def read_steps(self) -> list[Step]:
        """The updates since the last call; waits for those that are under way, and brings `position` and the sums up to date.

        Raises DivergedError if too many in a row were skipped.
        """
        self._read()
        steps, self._steps = self._steps, []
        return steps

    def averaged(self) -> AbstractContextManager[Any]:
        """For so long, the model has the weights that are validated and saved: those of `average`, if there is one."""
        return nullcontext() if self.average is None else self.average.in_place()

    def _read(self) -> None:
        started = time.perf_counter()
        for unread in self._unread:
            losses, tokens = unread.losses.tolist(), unread.tokens
            if unread.finite:
                self.position.skipped_in_a_row = 0
            else:
                self._skip(unread, losses)
                losses, tokens = [], 0
            seconds = unread.seconds + time.perf_counter() - started
            started = time.perf_counter()
            self.seconds += seconds
            self.tokens += tokens
            self._steps.append(Step(sum(losses, 0.0), tokens, unread.learning_rate, seconds))
        self._unread = []

    def differentiate(self, batch: Batch, tokens: int) -> Float[Tensor, ""]:
        """Add the gradient of the batch's loss, divided by `tokens`; gives its negative log-likelihood, in nats."""
        if self.captured is not None:
            return self.captured(batch, tokens)
        device = self.model.output.device
        return self._differentiate(send(batch.source, device), send(batch.target, device), tokens)

    def _differentiate(
        self, source: Int[Tensor, "B S"], target: Int[Tensor, "B T"], tokens: int | Float[Tensor, ""]
    ) -> Float[Tensor, ""]:
        model, smoothing, alpha = self.model, self._label_smoothing, self._r_drop
        with self._autocast():
            if alpha is None:
                loss = sequence_loss(model(source, target), model.output, model.bias, target, smoothing=smoothing)
            else:
                features = model(source.repeat(2, 1), target.repeat(2, 1))
                loss = paired_loss(features, model.output, model.bias, target, smoothing=smoothing, alpha=alpha)
        (loss.smoothed / tokens).backward()
        return loss.nll

    @property
    def epoch(self) -> Epoch:
        """The epoch that the next batch belongs to; planned once."""
        number = self.position.epoch
        if self._epoch is None or self._epoch[0] != number:
            self._epoch = (number, self._plan_epoch(number))
        return self._epoch[1]

    def _next_batch(self) -> Batch:
        position, batches = self.position, self.epoch
        batch = batches[position.batch]
        position.batch += 1
        if position.batch == len(batches):
            position.epoch, position.batch = position.epoch + 1, 0
        return batch

    def _skip(self, skipped: _Unread, losses: list[float]) -> None:
        position = self.position
        position.skipped += 1
        position.skipped_in_a_row += 1
        if position.skipped_in_a_row >= min(MAX_SKIPPED, self.max_updates):
            broken = [pairs for pairs, loss in zip(skipped.pairs, losses, strict=True) if not math.isfinite(loss)]
            pairs = [int(pair) for batch in broken or skipped.pairs for pair in batch]
            named = ", ".join(map(self._locate, pairs[:NAMED_PAIRS])) + (", …" if len(pairs) > NAMED_PAIRS else "")
            raise DivergedError(
                f"update {skipped.update}: {position.skipped_in_a_row} updates in a row had no finite loss and gradient "
                f"(learning rate {skipped.learning_rate:.2g}; the last of them read {len(pairs)} training pairs: {named})",
                DIVERGED_HINT,
            )
