"""Checkpoints: everything a run is, as safetensors and JSON, in a folder that appears whole or not at all."""

import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from seq2attn.errors import DataError, Seq2attnError

MODEL, OPTIMIZER, RANDOM, STATE = "model.safetensors", "optimizer.safetensors", "random.safetensors", "state.json"


def weights(model: nn.Module) -> dict[str, Tensor]:
    """Every trained parameter once, tied ones under their first name; and what modules keep beside (a policy's baseline)."""
    return {name: tensor.detach().cpu().contiguous() for name, tensor in _kept(model).items()}


def _kept(model: nn.Module) -> dict[str, Tensor]:
    lasting = model.state_dict().keys()
    buffers = {name: buffer for name, buffer in model.named_buffers() if name in lasting}
    return dict(model.named_parameters()) | buffers


@torch.no_grad()
def load_weights(model: nn.Module, tensors: Mapping[str, Tensor], where: Path) -> None:
    """Copy weights into `model`; names, shapes and types must be exactly the model's own."""
    kept = _kept(model)
    wrong = [n for n in kept if n not in tensors] + [n for n in tensors if n not in kept]
    wrong += [n for n, t in kept.items() if n in tensors and (t.shape, t.dtype) != (tensors[n].shape, tensors[n].dtype)]
    if wrong:
        message = f"{where}: does not fit the config's model: {wrong[0]!r} and {len(wrong) - 1} more differ"
        raise DataError(message, "config and weights must be of one model")
    for name, tensor in kept.items():
        tensor.copy_(tensors[name])


def read_tensors(file: Path) -> dict[str, Tensor]:
    """A safetensors file, or one clear line saying why not."""
    try:
        return load_file(file)
    except (OSError, SafetensorError) as error:
        raise DataError(f"{file}: cannot be read: {error}", "copy the model again, or train it again") from error


def average(files: Sequence[Path]) -> dict[str, Tensor]:
    """The mean of each parameter over checkpoints (Vaswani et al. 2017, §6.1), summed in fp64."""
    total: dict[str, Tensor] = {}
    for file in files:
        tensors = read_tensors(file)
        if total and tensors.keys() != total.keys():
            raise Seq2attnError(f"{file}: holds other parameters than {files[0]}", "average checkpoints of one run")
        for name, tensor in tensors.items():
            total[name] = total[name] + tensor.double() if name in total else tensor.double()
    return {name: (tensor / len(files)).float() for name, tensor in total.items()}


class Checkpoints:
    """The folder of a run's checkpoints: update-00000500/ and so on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def updates(self) -> list[int]:
        """The updates that have a checkpoint, oldest first."""
        return sorted(int(path.name.removeprefix("update-")) for path in self.folder.glob("update-*"))

    def path(self, update: int) -> Path:
        """The folder of one checkpoint."""
        return self.folder / f"update-{update:08d}"

    def save(
        self,
        update: int,
        *,
        model: Mapping[str, Tensor],
        optimizer: Mapping[str, Tensor],
        random: Mapping[str, Tensor],
        state: Mapping[str, Any],
    ) -> None:
        """Write aside, sync, rename: a crash leaves the old checkpoint or the new one, never a torn one."""
        aside = self.folder / f".update-{update}.writing"
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        for name, tensors in ((MODEL, model), (OPTIMIZER, optimizer), (RANDOM, random)):
            save_file(dict(tensors), aside / name)
        (aside / STATE).write_text(json.dumps(state, indent=1), encoding="utf-8")
        for file in [*aside.iterdir(), aside]:
            _sync(file)
        final = self.path(update)
        self._drop(final)
        os.replace(aside, final)
        _sync(self.folder)

    def keep(self, updates: Iterable[int]) -> None:
        """Remove all others."""
        wanted = set(updates)
        for update in self.updates():
            if update not in wanted:
                self._drop(self.path(update))

    def _drop(self, path: Path) -> None:
        """Rename before removing: a crash never leaves half a checkpoint under its name."""
        if path.exists():
            gone = path.with_name(f".{path.name}.gone")
            shutil.rmtree(gone, ignore_errors=True)
            os.replace(path, gone)
            shutil.rmtree(gone)

    def state(self, update: int) -> dict[str, Any]:
        """The JSON part of a checkpoint."""
        return json.loads((self.path(update) / STATE).read_text(encoding="utf-8"))


def _sync(path: Path) -> None:
    """Make a file, or (where the system can) a folder, durable."""
    if os.name == "nt" and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
