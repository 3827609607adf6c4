"""What training is going to take, estimated from a few batches before it starts."""

import sys
import time

import torch

from seq2attn.tables import format_duration
from seq2attn.training.memory import leave_no_trace
from seq2attn.training.trainer import Epoch, Trainer

TRIAL_BATCHES, TRIAL_SECONDS = 8, 20.0


def estimate_training(trainer: Trainer, epoch: Epoch, *, accumulation: int) -> str:
    """Say how many epochs, how much time and how much memory training takes, as estimated by a short trial.

    epoch: one of all pairs. Batches spread over it run forward and backward; weights, buffers and random state stay as they
    are, bit for bit.
    Run the largest batches before, so that the memory that they take is counted.
    """
    batches = len(epoch)
    epochs = trainer.max_updates * accumulation / batches
    tried, seconds = _time_batches(trainer, epoch)
    duration = format_duration(seconds * accumulation * trainer.max_updates)
    memory = "" if (size := _measure_memory(trainer)) is None else f"; about {_format_bytes(size)} of memory"
    return (
        f"{batches:,} batches an epoch, so {epochs:.3g} epochs; estimated from {tried} of them: about {duration} without "
        f"validation{memory}"
    )


def _time_batches(trainer: Trainer, epoch: Epoch) -> tuple[int, float]:
    """How many batches were run, and the seconds that each of them took."""
    started, tried = time.perf_counter(), 0
    with leave_no_trace(trainer.model):
        for index in range(0, len(epoch), max(1, len(epoch) // TRIAL_BATCHES)):
            trainer.differentiate(epoch[index], 1)
            trainer.model.zero_grad(set_to_none=True)
            tried += 1
            if tried == TRIAL_BATCHES or time.perf_counter() - started > TRIAL_SECONDS:
                break
        if trainer.model.output.device.type == "cuda":
            torch.cuda.synchronize()
    return tried, (time.perf_counter() - started) / tried


def _measure_memory(trainer: Trainer) -> int | None:
    """The most bytes taken so far, on the GPU or by the process, and the optimizer's; None where a system does not tell."""
    weights = sum(parameter.numel() * parameter.element_size() for parameter in trainer.model.parameters())
    optimizer = weights * (2 if "betas" in trainer.optimizer.defaults else bool(trainer.optimizer.defaults["momentum"]))
    if trainer.model.output.device.type == "cuda":
        return torch.cuda.max_memory_allocated() + optimizer
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit + optimizer


def _format_bytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
