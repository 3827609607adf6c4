"""What a run may begin with: the weights and the vocabulary of another run, of one of its checkpoints, or of a model."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from seq2attn.config.config import Config, differences
from seq2attn.config.load import load_complete_config
from seq2attn.data.tokenizer import Tokenizer
from seq2attn.errors import DataError, UsageError
from seq2attn.inference.files import CONFIG, WEIGHTS, check_files
from seq2attn.inference.run_files import CHECKPOINTS, check_there, is_run
from seq2attn.models.seq2seq import Seq2Seq
from seq2attn.runs.directory import Run
from seq2attn.runs.manifest import ForkRecord
from seq2attn.training.checkpoint import MODEL, load_weights, read_tensors

_SET_AS_BEFORE = "set each to the value before the arrow, or train without --from"


@dataclass(frozen=True)
class Origin:
    """Weights in `file`, with the config and the folder of the tokenizer that they belong to.

    `started` and `update` are those of the run that trained them; None for a model folder.
    """

    path: Path
    file: Path
    config: Config
    tokenizer_folder: Path
    started: str | None = None
    update: int | None = None

    @classmethod
    def open(cls, path: Path) -> "Origin":
        """Find the weights at `path`: a run's newest whole checkpoint, one checkpoint's folder, or a model folder.

        Raises UsageError if there are none.
        """
        if is_run(path):
            run = Run.open(path)
            update, _ = run.checkpoints.newest()
            if update is None:
                raise UsageError(f"{path}: has no checkpoint yet", "train it first")
            return cls._of_checkpoint(path, run, update)
        if path.parent.name == CHECKPOINTS and is_run(path.parent.parent):
            run = Run.open(path.parent.parent)
            update = next((kept for kept in run.checkpoints.updates() if run.checkpoints.path(kept) == path), None)
            if update is None:
                kept = ", ".join(run.checkpoints.path(update).name for update in run.checkpoints.updates())
                raise UsageError(f"{path}: no such checkpoint", f"{path.parent} has {kept or 'none yet'}")
            if flaw := run.checkpoints.find_flaw(update):
                raise UsageError(flaw, "choose another checkpoint")
            return cls._of_checkpoint(path, run, update)
        if (path / WEIGHTS).is_file():
            check_files(path)
            return cls(path, path / WEIGHTS, load_complete_config(path / CONFIG), path)
        check_there(path)
        raise UsageError(
            f"--from {path}: neither a run, nor a checkpoint, nor a model",
            "name a run directory, RUN/checkpoints/update-N, or a model folder",
        )

    @classmethod
    def _of_checkpoint(cls, path: Path, run: Run, update: int) -> "Origin":
        file = run.checkpoints.path(update) / MODEL
        return cls(path, file, run.config, run.path / "tokenizer", run.manifest.started, update)

    @cached_property
    def weights_hash(self) -> str:
        """SHA-256 of the weights' file."""
        with self.file.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def record(self) -> ForkRecord:
        """What the manifest of a run says that began here."""
        return ForkRecord(run=str(self.path), started=self.started, update=self.update, weights=self.weights_hash)

    def describe(self) -> str:
        """How a message names the weights."""
        return str(self.path) if self.update is None else f"update {self.update} of {self.path}"

    def is_that_of(self, run: Run) -> bool:
        """Whether `run` began here: from the same run, whatever it is called now, or from the same weights."""
        record = run.manifest.forked_from
        if record is None:
            return False
        if record.started is not None and record.started == self.started:
            return True
        return record.weights == self.weights_hash

    def tokenizer(self) -> Tokenizer:
        """Load the vocabulary that the weights belong to."""
        return Tokenizer.load(self.tokenizer_folder, self.config.data.form)

    def load_into(self, network: Seq2Seq, config: Config) -> None:
        """Copy the weights into the network of `config`. Raises UsageError if they are those of another model."""
        try:
            load_weights(network, read_tensors(self.file), self.file)
        except DataError as error:
            changed = [text for text in differences(self.config, config) if text.startswith("model.")]
            if not changed:
                raise
            raise UsageError(
                f"{self.path}: its weights are those of another model; different: {'; '.join(changed)}", _SET_AS_BEFORE
            ) from error

    def check_apart(self, out: Path) -> None:
        """Raises UsageError if the weights lie in `out`, where a run is to begin with them."""
        if self.file.resolve().is_relative_to(out.resolve()):
            raise UsageError(
                f"--from {self.path} lies in --out {out}: what a run begins with must stay", "choose another --out"
            )

    def check_vocabulary(self, config: Config) -> None:
        """Raises UsageError if `config` asks for another vocabulary than the weights have."""
        changed = [
            text
            for text in differences(self.config, config)
            if text.startswith(("data.vocab_size:", "data.tokenizer.", "data.normalization:"))
            and not text.startswith("data.tokenizer.sampling:")
        ]
        if changed:
            raise UsageError(
                f"{self.path}: a run from these weights keeps their vocabulary; different: {'; '.join(changed)}",
                _SET_AS_BEFORE,
            )
