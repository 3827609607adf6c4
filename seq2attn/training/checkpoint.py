"""Checkpoints: everything a run is, as safetensors and JSON with checksums, in a folder that appears whole or not at all."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict, Field
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from seq2attn import durable
from seq2attn.errors import DataError, Seq2attnError

MODEL, OPTIMIZER, RANDOM, STATE = "model.safetensors", "optimizer.safetensors", "random.safetensors", "state.json"
TRAINED = (
    "trained.safetensors"  # the weights that training goes on with, where those of the model are their moving average
)
_NAME = re.compile(r"update-(\d+)")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")


class PositionState(_Part):
    """How far training is; see `Position`."""

    update: int
    epoch: int
    batch: int
    skipped: int
    skipped_in_a_row: int


class LogState(_Part):
    """Sums since the last train event: nats, target tokens, seconds; and the last learning rate."""

    nll: float = 0.0
    tokens: int = 0
    seconds: float = 0.0
    rate: float = 0.0


class ValidationState(_Part):
    """The metrics of every validation: update → metric → value."""

    history: dict[int, dict[str, float]] = Field(default_factory=dict)


class CallbackStates(_Part):
    """What the callbacks keep."""

    log: LogState = LogState()
    validation: ValidationState = ValidationState()


class CheckpointState(_Part):
    """state.json: what of a run is no tensor.

    `seconds` and `tokens` are those of training so far, `schedule` what its schedule keeps, `metrics_bytes` the length of
    metrics.jsonl.
    """

    position: PositionState
    seconds: float
    tokens: int
    schedule: dict[str, float]
    callbacks: CallbackStates
    metrics_bytes: int


def copy_weights(model: nn.Module) -> dict[str, Tensor]:
    """Every trained parameter once, tied ones under their first name; and buffers that last (a policy's baseline)."""
    return {name: tensor.detach().cpu().contiguous() for name, tensor in _list_weights(model).items()}


def _list_weights(model: nn.Module) -> dict[str, Tensor]:
    lasting = model.state_dict().keys()
    buffers = {name: buffer for name, buffer in model.named_buffers() if name in lasting}
    return dict(model.named_parameters()) | buffers


@torch.no_grad()
def load_weights(model: nn.Module, tensors: Mapping[str, Tensor], file: Path) -> None:
    """Copy `tensors`, read from `file`, into `model`. Raises DataError unless names, shapes and types are the model's."""
    wanted = _list_weights(model)
    wrong = [n for n in wanted if n not in tensors] + [n for n in tensors if n not in wanted]
    wrong += [
        n for n, t in wanted.items() if n in tensors and (t.shape, t.dtype) != (tensors[n].shape, tensors[n].dtype)
    ]
    if wrong:
        message = f"{file}: does not fit the config's model: {wrong[0]!r} and {len(wrong) - 1} more differ"
        raise DataError(message, "config and weights must be of one model")
    for name, tensor in wanted.items():
        tensor.copy_(tensors[name])


def read_tensors(file: Path) -> dict[str, Tensor]:
    """Read a safetensors file. Raises DataError if it cannot be read."""
    try:
        return load_file(file)
    except (OSError, SafetensorError) as error:
        raise DataError(f"{file}: cannot be read: {error}", "copy the model again, or train it again") from error


def average_weights(files: Sequence[Path]) -> dict[str, Tensor]:
    """Compute the mean of each parameter over checkpoints (Vaswani et al. 2017, §6.1), summed in fp64."""
    total: dict[str, Tensor] = {}
    for file in files:
        tensors = read_tensors(file)
        if total and tensors.keys() != total.keys():
            raise Seq2attnError(f"{file}: has other parameters than {files[0]}", "average checkpoints of one run")
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
        state: CheckpointState,
        trained: Mapping[str, Tensor] | None = None,
    ) -> None:
        """Write a checkpoint: a crash or an OSError leaves the old one or the new one whole. The folder's parent must exist."""
        if not self.folder.exists():
            self.folder.mkdir()
            durable.sync(self.folder.parent)
        tensors = {MODEL: model, OPTIMIZER: optimizer, RANDOM: random} | ({} if trained is None else {TRAINED: trained})
        files = _serialize(tensors, state)
        durable.write_folder(self.path(update), durable.with_sums(files))

    def recover(self) -> None:
        """Finish what a crash left unfinished. Only the process that holds the run's lock may do so."""
        for path in self.folder.glob(".update-*.old"):
            durable.recover(path.with_name(path.name.removeprefix(".").removesuffix(".old")))

    def newest(self) -> tuple[int | None, list[str]]:
        """The newest checkpoint that is whole, and what is wrong with those after it.

        Raises Seq2attnError if there are some and none is whole.
        """
        flaws: list[str] = []
        for update in reversed(self.updates()):
            flaw = self.find_flaw(update)
            if flaw is None:
                return update, flaws
            flaws.append(flaw)
        if flaws:
            raise Seq2attnError(f"no checkpoint is whole: {'; '.join(flaws)}", "start again with --overwrite")
        return None, []

    def find_flaw(self, update: int) -> str | None:
        """Say what is wrong with a checkpoint: a file that is missing, or not as SHA256SUMS says; None if it is whole."""
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
        """Remove all checkpoints but these, and what a crash left."""
        wanted = set(updates)
        for update in self.updates():
            if update not in wanted:
                durable.drop_folder(self.path(update))
        for left in self.folder.glob(".update-*"):
            durable.remove_folder(left)

    def read_weights(self, updates: Sequence[int]) -> dict[str, Tensor]:
        """Read the weights of a checkpoint, or the average of several. Raises Seq2attnError if one is damaged."""
        for flaw in filter(None, map(self.find_flaw, updates)):
            raise Seq2attnError(flaw, "its weights are needed; start again with --overwrite")
        files = [self.path(update) / MODEL for update in updates]
        return read_tensors(files[0]) if len(files) == 1 else average_weights(files)

    def read_state(self, update: int) -> CheckpointState:
        """Read state.json of a checkpoint. Raises Seq2attnError if it is not one."""
        file = self.path(update) / STATE
        try:
            return CheckpointState.model_validate_json(file.read_bytes())
        except (OSError, ValueError) as error:
            raise Seq2attnError(f"{file}: not the state of a run", "start again with --overwrite") from error

    def read_validations(self) -> dict[int, dict[str, float]]:
        """The metrics of each kept update that was validated, up to the newest checkpoint that is whole.

        Raises Seq2attnError as `newest` does.
        """
        newest, _ = self.newest()
        if newest is None:
            return {}
        history = self.read_state(newest).callbacks.validation.history
        return {update: history[update] for update in self.updates() if update in history}


def _serialize(tensors: Mapping[str, Mapping[str, Tensor]], state: CheckpointState) -> Iterator[tuple[str, bytes]]:
    """The files of a checkpoint by name, one after the other, so that only one is in memory."""
    for name, values in tensors.items():
        yield name, to_bytes(dict(values))
    yield STATE, state.model_dump_json(indent=1).encode()
