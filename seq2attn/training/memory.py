"""Whether the largest batches fit into memory, tried before training starts."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

from seq2attn.data.batches import Batch
from seq2attn.errors import Seq2attnError
from seq2attn.training.trainer import Trainer

_WORDS = ("can't allocate memory", "not enough memory", "out of memory", "bad_alloc")


class OutOfMemoryError(Seq2attnError):
    """A batch does not fit into memory."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says so: PyTorch's own type on a GPU, a RuntimeError with certain words on a CPU."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _WORDS)


def check_memory(trainer: Trainer, batches: Iterable[Batch], *, batch_tokens: int, accumulation: int) -> None:
    """Run each batch forward and backward; weights, buffers and random state stay as they are, bit for bit.

    Raises OutOfMemoryError, naming the `training.batch_tokens` that would fit, as tried with halves of the batch.
    """
    with leave_no_trace(trainer.model):
        for batch in batches:
            if not _fits(trainer, batch):
                raise _too_large(trainer, batch, batch_tokens, accumulation)


def _fits(trainer: Trainer, batch: Batch) -> bool:
    try:
        trainer.differentiate(batch, 1)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        return False
    finally:
        trainer.model.zero_grad(set_to_none=True)
    return True


def _too_large(trainer: Trainer, batch: Batch, batch_tokens: int, accumulation: int) -> OutOfMemoryError:
    rows, length = len(batch.source), max(batch.source.shape[1], batch.target.shape[1])
    message = (
        f"out of memory: a batch of {rows} pairs of up to {length} subwords (training.batch_tokens: {batch_tokens})"
    )
    part, parts = rows // 2, 2
    while part and not _fits(trainer, Batch(batch.source[:part], batch.target[:part], batch.indices[:part])):
        part, parts = part // 2, parts * 2
    if not part:
        return OutOfMemoryError(
            f"{message} does not fit, nor does one pair of it", "lower data.max_length, or make the model smaller"
        )
    return OutOfMemoryError(
        f"{message} does not fit; training.batch_tokens: {batch_tokens // parts} would",
        f"set training.batch_tokens to {batch_tokens // parts}, and training.accumulation to {accumulation * parts} for "
        "updates of the same size",
    )


@contextmanager
def leave_no_trace(model: nn.Module) -> Iterator[None]:
    """Put buffers, random state and the training flag back at the end of the block; the model trains inside it."""
    buffers = [(buffer, buffer.clone()) for buffer in model.buffers()]
    training = model.training
    model.train()
    with torch.random.fork_rng():
        try:
            yield
        finally:
            model.train(training)
            for buffer, before in buffers:
                buffer.copy_(before)
