"""Checkpoints: everything a run is, as safetensors and JSON with checksums, in a folder that appears whole or not at all."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from seq2attn import durable
from seq2attn.errors import DataError, Seq2attnError

MODEL, OPTIMIZER, RANDOM, STATE = "model.safetensors", "optimizer.safetensors", "random.safetensors", "state.json"
_NAME = re.compile(r"update-(\d+)")


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
        names = (_NAME.fullmatch(path.name) for path in self.folder.glob("update-*"))
        return sorted(int(name[1]) for name in names if name)

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
        """A crash or an OSError leaves the old checkpoint or the new one, never a torn one. The folder's parent must be there."""
        if not self.folder.exists():
            self.folder.mkdir()
            durable.sync(self.folder.parent)
        files = _files({MODEL: model, OPTIMIZER: optimizer, RANDOM: random}, {STATE: state})
        durable.write_folder(self.path(update), durable.with_sums(files))

    def recover(self) -> None:
        """Finish what a crash left unfinished. Only for who may write here."""
        for path in self.folder.glob(".update-*.old"):
            durable.recover(path.with_name(path.name.removeprefix(".").removesuffix(".old")))

    def newest(self) -> tuple[int | None, list[str]]:
        """The newest checkpoint that is whole, and what is wrong with those after it.

        Raises Seq2attnError if there are some and none is whole.
        """
        flaws: list[str] = []
        for update in reversed(self.updates()):
            flaw = self.flaw(update)
            if flaw is None:
                return update, flaws
            flaws.append(flaw)
        if flaws:
            raise Seq2attnError(f"no checkpoint is whole: {'; '.join(flaws)}", "start again with --overwrite")
        return None, []

    def flaw(self, update: int) -> str | None:
        """What is wrong with a checkpoint: a file that is missing, or not as SHA256SUMS says."""
        folder = self.path(update)
        try:
            lines = (folder / durable.SUMS).read_text(encoding="ascii").splitlines()
            sums = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
            for name in (MODEL, OPTIMIZER, RANDOM, STATE):
                with (folder / name).open("rb") as file:
                    if hashlib.file_digest(file, "sha256").hexdigest() != sums.get(name):
                        return f"{folder / name}: damaged, its checksum differs"
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else None
            return f"{folder}: damaged, {durable.SUMS} or a file of it cannot be read: {reason or error}"
        return None

    def keep(self, updates: Iterable[int]) -> None:
        """Remove all others, and what a crash left."""
        wanted = set(updates)
        for update in self.updates():
            if update not in wanted:
                durable.drop_folder(self.path(update))
        for left in self.folder.glob(".update-*"):
            durable.remove_folder(left)

    def weights(self, updates: Sequence[int]) -> dict[str, Tensor]:
        """The weights of a checkpoint, or the average of several. Raises Seq2attnError if one is damaged."""
        for flaw in filter(None, map(self.flaw, updates)):
            raise Seq2attnError(flaw, "it is needed here; start again with --overwrite")
        files = [self.path(update) / MODEL for update in updates]
        return read_tensors(files[0]) if len(files) == 1 else average(files)

    def state(self, update: int) -> dict[str, Any]:
        """The JSON part of a checkpoint."""
        return json.loads((self.path(update) / STATE).read_text(encoding="utf-8"))


def _files(
    tensors: Mapping[str, Mapping[str, Tensor]], objects: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[str, bytes]]:
    """The files of a checkpoint, made one after the other."""
    for name, values in tensors.items():
        yield name, to_bytes(dict(values))
    for name, value in objects.items():
        yield name, json.dumps(value, indent=1).encode()
