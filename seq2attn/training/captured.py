"""Forward and backward of a batch as one CUDA graph: a GPU then gets its thousands of kernels in one call."""

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from seq2attn.attention import Attention, Location, Marginal, expectation
from seq2attn.data.batches import Batch
from seq2attn.models.seq2seq import Seq2Seq
from seq2attn.tensors import send
from seq2attn.tokens import EOS, PAD

LENGTH_STEP = 8  # sentences are padded to a multiple of it
ROW_STEPS = 16  # rows to one of so many numbers between two powers of two
MOST_GRAPHS = 100

Differentiate = Callable[[Tensor, Tensor, Tensor], Tensor]


class _Graph(NamedTuple):
    graph: torch.cuda.CUDAGraph
    source: Tensor
    target: Tensor
    nll: Tensor


class Captured:
    """Adds a batch's gradient to that of the parameters, which must not be set to None between two calls.

    `differentiate(source, target, tokens)` does it for tensors on the GPU, for the loss divided by `tokens`, and gives the
    negative log-likelihood. Batches are padded to few shapes. The first of each shape is differentiated as it is, the second
    captured, all others replay what was captured; what a model does must therefore not depend on numbers of Python that change
    from update to update. Once a capture fails, every batch is differentiated as it is.
    """

    def __init__(self, model: Seq2Seq, differentiate: Differentiate) -> None:
        self._model = model
        self._differentiate = differentiate
        self._graphs: dict[tuple[int, ...], _Graph] = {}
        self._seen: Counter[tuple[int, ...]] = Counter()
        self._tokens = torch.ones_like(model.bias[0])
        self._pool = torch.cuda.graph_pool_handle()
        self.failure: RuntimeError | None = None  # of a capture

    @property
    def graphs(self) -> int:
        """How many shapes were captured."""
        return len(self._graphs)

    def __call__(self, batch: Batch, tokens: int) -> Tensor:
        """The batch's negative log-likelihood, in nats."""
        self._tokens.fill_(tokens)
        source, target = round_shape(batch, self._model.longest_target)
        shape = (*source.shape, target.shape[1])
        self._seen[shape] += 1
        if shape in self._graphs:
            replayed = self._graphs[shape]
            replayed.source.copy_(source.pin_memory(), non_blocking=True)
            replayed.target.copy_(target.pin_memory(), non_blocking=True)
            replayed.graph.replay()
            return replayed.nll.clone()
        device = self._tokens.device
        sides = send(source, device), send(target, device)
        began = any(parameter.grad is not None for parameter in self._model.parameters())
        if self.failure is None and began and self._seen[shape] > 1 and len(self._graphs) < MOST_GRAPHS:
            self._capture(shape, *sides)
            if shape in self._graphs:
                self._graphs[shape].graph.replay()
                return self._graphs[shape].nll.clone()
        return self._differentiate(*sides, self._tokens)

    def _capture(self, shape: tuple[int, ...], source: Tensor, target: Tensor) -> None:
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, pool=self._pool):
                nll = self._differentiate(source, target, self._tokens)
            self._graphs[shape] = _Graph(graph, source, target, nll)
        except RuntimeError as error:  # it asks the GPU something on the way, or the memory does not suffice
            self.failure = error
            torch.cuda.synchronize()


def can_capture(model: Seq2Seq) -> bool:
    """Whether the model is on a GPU, and all that it does for a batch follows from the batch's shape.

    It is not so where attention draws positions, mixes contexts, or has a score for a fixed number of positions.
    """
    if model.output.device.type != "cuda":
        return False
    return not any(
        isinstance(module, Marginal | Location)
        or (isinstance(module, Attention) and module.aggregation is not expectation)
        for module in model.modules()
    )


def round_shape(batch: Batch, longest: int | None = None) -> tuple[Tensor, Tensor]:
    """Source and target, padded to a shape that many batches share; the loss and its gradient stay what they are.

    Both sides get one length, at most `longest`; new rows have an empty source, and no target.
    """
    rows, length = len(batch.source), max(batch.source.shape[1], batch.target.shape[1])
    length = min(_round_up(length, LENGTH_STEP), longest or length + LENGTH_STEP)
    step = max(1, (1 << (rows - 1).bit_length()) // (2 * ROW_STEPS))
    more = _round_up(rows, step) - rows
    sides = [pad(side, (0, length - side.shape[1], 0, more), value=PAD) for side in (batch.source, batch.target)]
    sides[0][rows:, 0] = EOS
    return sides[0], sides[1]


def _round_up(number: int, step: int) -> int:
    return -(-number // step) * step
