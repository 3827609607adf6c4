"""seq2attn: train, compare and understand Seq2Seq translation models."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from seq2attn.inference.model import Model

__version__ = "0.2.0.dev0"
__all__ = ["__version__", "load"]


def load(
    path: str | Path,
    device: str | torch.device = "auto",
    checkpoint: str | int | None = None,
    precision: str | None = None,
) -> Model:
    """Load a trained model from a run directory, or from its model/ folder wherever that was copied.

        model = seq2attn.load("runs/first")
        model.translate(["The dog sleeps in the garden."])

    `device` is "cpu", "cuda", "cuda:N" for the GPU number N, "mps", or "auto" for the first of CUDA, MPS and CPU that is
    there. `checkpoint` chooses one of a run's checkpoints instead: "last", "best", or the number of an update. `precision` is
    that of translating, "fp32", "bf16" or "auto" (bf16 where the hardware has it); None takes the config's.

    Raises seq2attn.errors.UsageError if there is no model or no such device, and its subclasses DataError and
    ConfigError if a file of the model is damaged. A folder from a stranger is safe to load: nothing in it is executed.
    """
    from seq2attn.inference.model import load as load_model

    return load_model(path, device, checkpoint, precision)
