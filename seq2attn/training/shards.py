"""The rows of a batch shared out among processes of one thread each, whose gradients are added up."""

import mmap
import os
import sys
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import NamedTuple

import torch
from torch import Tensor

from seq2attn.attention.aggregation import Annealed
from seq2attn.data.batches import Batch
from seq2attn.errors import Seq2attnError
from seq2attn.forking import fork
from seq2attn.machine import one_thread, set_up_worker
from seq2attn.models.seq2seq import Seq2Seq

SHARD_TOKENS = 200  # padded, of the longer side; a smaller shard costs more than it saves

Differentiate = Callable[[Tensor, Tensor, int], Tensor]


class _Other(NamedTuple):
    """A further process, and where it leaves the gradient of each parameter."""

    process: int
    connection: Connection
    gradients: list[Tensor]


class Shards:
    """Adds a batch's gradient to that of the parameters; each of several processes computes it for rows of its own.

    Threads that share each small product wait for each other at every one; processes do not. This one takes the first shard,
    the others are forked from it when a batch needs them. The parameters then lie in memory that all share, and so do the
    others' gradients, which are added in a fixed order. Each shard draws from a generator of its own, whose seed is drawn here:
    the random state of this process is all that a run has to remember.

    `differentiate(source, target, tokens)` computes the gradient of the loss divided by `tokens`, and gives the negative
    log-likelihood.
    """

    def __init__(self, model: Seq2Seq, differentiate: Differentiate) -> None:
        self._parameters = list(model.parameters())
        self._differentiate = differentiate
        self._others: list[_Other] = []
        self._shared = False
        self._pipe = os.pipe()
        self._end = weakref.finalize(self, _end, self._others, *self._pipe)  # at the latest when Python ends

    def __call__(self, batch: Batch, tokens: int) -> Tensor:
        """The batch's negative log-likelihood, in nats. Raises Seq2attnError if the system has killed a process."""
        threads, longer = torch.get_num_threads(), max(batch.source.numel(), batch.target.numel())
        number = max(1, min(threads, len(batch.source), longer // SHARD_TOKENS))
        while len(self._others) < number - 1:
            self._begin()
        others = self._others[: number - 1]
        seeds = torch.randint(1 << 62, (number,)).tolist()
        try:
            for shard, other in enumerate(others, start=1):
                sides = [side[shard::number].numpy() for side in (batch.source, batch.target)]
                other.connection.send((*sides, tokens, seeds[shard]))
            nll = self._compute(batch.source[::number], batch.target[::number], tokens, seeds[0])
            nll += sum(map(self._collect, others))
        except (EOFError, BrokenPipeError, ConnectionResetError) as error:
            raise Seq2attnError(
                "a training process was killed, as the system does when memory runs out",
                "lower training.batch_tokens (and raise training.accumulation), or use fewer --threads; then run the same "
                "command again to go on",
            ) from error
        except BaseException:
            _end(self._others)  # answers that were not read must not be taken for an answer to the next batch
            raise
        return torch.tensor(nll, dtype=torch.float64)

    def _compute(self, source: Tensor, target: Tensor, tokens: int, seed: int) -> float:
        with one_thread(), torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            return float(self._differentiate(source, target, tokens))

    def _collect(self, other: _Other) -> float:
        answer = other.connection.recv()
        if isinstance(answer, BaseException):
            raise answer
        pairs = [
            (own.grad, more)
            for own, more in zip(self._parameters, other.gradients, strict=True)
            if own.grad is not None
        ]
        torch._foreach_add_([own for own, _ in pairs], [more for _, more in pairs])
        return float(answer)

    def _begin(self) -> None:
        if not self._shared:
            self._shared = True
            for parameter, shared in zip(self._parameters, _share(self._parameters), strict=True):
                parameter.data = shared.copy_(parameter.data)
        gradients = _share(self._parameters)
        here, there = Pipe()
        process = fork(lambda: self._serve(there, here, gradients), *self._pipe)
        there.close()
        self._others.append(_Other(process, here, gradients))

    def _serve(self, connection: Connection, parents: Connection, gradients: list[Tensor]) -> None:
        """What another process does: compute what it is asked for, until it is sent None."""
        parents.close()
        set_up_worker()
        self._zero()
        while (asked := connection.recv()) is not None:
            source, target, tokens, seed = asked
            try:
                answer: object = self._compute(torch.from_numpy(source), torch.from_numpy(target), tokens, seed)
                for parameter, shared in zip(self._parameters, gradients, strict=True):
                    if parameter.grad is not None:
                        shared.copy_(parameter.grad)
            except (RuntimeError, MemoryError) as error:
                answer = type(error)(*error.args)
            self._zero()
            connection.send(answer)

    def _zero(self) -> None:
        for parameter in self._parameters:
            parameter.grad = None


def can_share(model: Seq2Seq) -> bool:
    """Whether rows of a batch may be computed elsewhere: where forking is safe, by a model that keeps nothing of them."""
    plain = not any(isinstance(module, Annealed) for module in model.modules())
    return model.output.device.type == "cpu" and sys.platform == "linux" and torch.get_num_threads() > 1 and plain


def _share(tensors: Sequence[Tensor]) -> list[Tensor]:
    """A tensor as large as each, in memory that this process and those forked from it share."""
    sizes = [tensor.numel() for tensor in tensors]
    whole = torch.frombuffer(mmap.mmap(-1, sum(sizes) * tensors[0].element_size()), dtype=tensors[0].dtype)
    return [part.view(tensor.shape) for part, tensor in zip(whole.split(sizes), tensors, strict=True)]


def _end(others: list[_Other], *pipe: int) -> None:
    for other in others:
        with suppress(OSError):  # it may be gone
            other.connection.send(None)
        other.connection.close()
    for end in pipe:
        os.close(end)
    for other in others:
        with suppress(ChildProcessError):
            os.waitpid(other.process, 0)
    others.clear()
