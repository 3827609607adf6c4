"""The files of a model folder, which may come from anybody: checked before anything reads them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from seq2attn import durable
from seq2attn.errors import DataError
from seq2attn.inference.limits import LIMITS

WEIGHTS, CONFIG, CHECKSUMS = "model.safetensors", "config.yaml", durable.SUMS

_TOKENIZERS = ("joint.model", "source.model", "target.model")
_LARGEST = {CONFIG: 1 << 20, LIMITS: 1 << 10, CHECKSUMS: 1 << 20} | dict.fromkeys(_TOKENIZERS, 1 << 28)  # bytes
_DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64}
_AGAIN = "copy the model again, or train it again"


@dataclass(frozen=True)
class ModelFiles:
    """The files that a model is loaded from; `path` is how messages name the model, `tokenizer` a folder."""

    path: Path
    config: Path
    tokenizer: Path
    weights: Path
    limits: Path

    @classmethod
    def of_folder(cls, folder: Path) -> "ModelFiles":
        """Those of a model folder. Raises DataError if one of them is not what such a file may be."""
        check_files(folder)
        return cls(folder, folder / CONFIG, folder, folder / WEIGHTS, folder / LIMITS)


def check_files(folder: Path) -> None:
    """Raises DataError for a file that is not a regular one, a link out of the folder, far too large, or damaged."""
    for name in (CONFIG, LIMITS, WEIGHTS, *_TOKENIZERS, CHECKSUMS):
        file = folder / name
        if not file.exists():
            continue
        if not file.is_file():
            raise DataError(f"{file}: not a regular file", _AGAIN)
        if not file.resolve().is_relative_to(folder.resolve()):
            raise DataError(f"{file}: a link out of the model folder", "copy the file itself into the folder")
        if file.stat().st_size > _LARGEST.get(name, 1 << 62):
            raise DataError(f"{file}: {file.stat().st_size:,} bytes, far too large for this file", _AGAIN)
    _verify(folder)


def _verify(folder: Path) -> None:
    """Compare with SHA256SUMS, if the folder has one."""
    file = folder / CHECKSUMS
    if not file.exists():
        return
    for line in _read(file).decode("utf-8", "replace").splitlines():
        digest, _, name = line.partition("  ")
        if name not in (CONFIG, LIMITS, WEIGHTS, *_TOKENIZERS):
            raise DataError(f"{file}: not a list of a model's checksums: {line[:80]!r}", _AGAIN)
        if not (folder / name).exists():
            raise DataError(f"{folder / name}: missing, but listed in {CHECKSUMS}", _AGAIN)
        if _digest(folder / name) != digest:
            hint = f"{_AGAIN}; if you changed it on purpose, remove {CHECKSUMS}"
            raise DataError(
                f"{folder / name}: changed since it was written: its checksum is not that in {CHECKSUMS}", hint
            )


def _digest(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{file}: cannot be read: {error.strerror}", "look at its permissions") from error


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise DataError(f"{file}: cannot be read: {error.strerror}", "look at its permissions") from error


def read_header(file: Path) -> dict[str, Tensor]:
    """The weights' names, shapes and types as tensors without storage, from the file's header alone."""
    try:
        with safe_open(file, "pt") as weights:
            parts = {name: weights.get_slice(name) for name in weights.keys()}  # noqa: SIM118
            return {
                name: torch.empty(part.get_shape(), dtype=_DTYPES[part.get_dtype()], device="meta")
                for name, part in parts.items()
            }
    except KeyError as error:
        raise DataError(
            f"{file}: holds numbers of the type {error}; models here have {', '.join(_DTYPES)}", _AGAIN
        ) from error
    except (OSError, SafetensorError) as error:
        raise DataError(f"{file}: cannot be read: {error}", _AGAIN) from error


def check_finite(file: Path, tensors: Mapping[str, Tensor]) -> None:
    """Raises DataError for weights that are infinite or NaN."""
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise DataError(f"{file}: damaged: {name!r} holds infinite numbers or NaN", _AGAIN)
