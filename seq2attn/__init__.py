"""seq2attn: train, compare and understand Seq2Seq translation models."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from seq2attn.inference.model import Model

__version__ = "0.1.0"
__all__ = ["__version__", "load"]


def load(path: str | Path, device: str = "auto") -> Model:
    """Load a trained model (a run directory or a copy of its model/ folder): `load(path).translate(lines)`."""
    from seq2attn.inference.model import load as load_model

    return load_model(path, device)
