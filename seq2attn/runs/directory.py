"""A run directory: what is in it, reading it, and clearing it."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from seq2attn.config.config import Config
from seq2attn.config.load import load_config
from seq2attn.data.tokenizer import Tokenizer
from seq2attn.durable import remove_folder, write_whole
from seq2attn.errors import UsageError
from seq2attn.inference.files import CONFIG
from seq2attn.inference.limits import LIMITS, read_limit
from seq2attn.inference.run_files import (
    CHECKPOINTS,
    MANIFEST,
    METRICS,
    MODEL,
    TOKENIZER,
    check_there,
    is_run,
)
from seq2attn.runs.lock import LOCK
from seq2attn.runs.manifest import Manifest
from seq2attn.search.limits import OutputLimit
from seq2attn.training.checkpoint import Checkpoints

# the config is written last of what a run begins with
_BEFORE_THE_CONFIG = {MANIFEST, TOKENIZER, LIMITS, CHECKPOINTS, LOCK}


@dataclass(frozen=True)
class Run:
    """A run directory that exists: its config and its manifest, as they were when it was opened."""

    path: Path
    config: Config
    manifest_bytes: bytes

    @classmethod
    def open(cls, path: Path) -> "Run":
        """Read a run directory. Raises UsageError if there is none at `path`, or if it is damaged."""
        check_there(path)
        if not is_run(path):
            raise UsageError(f"{path}: not a run directory", "a run directory is what `seq2attn train --out` wrote")
        config = load_config(path / CONFIG).resolve_normalization("none")  # open in version 0.1.0, which had none
        run = cls(path, config, (path / MANIFEST).read_bytes())
        _ = run.manifest
        return run

    @cached_property
    def manifest(self) -> Manifest:
        """What the run depends on, and what it took."""
        try:
            return Manifest.model_validate_json(self.manifest_bytes)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(map(str, first["loc"]))
            raise UsageError(
                f"{self.path / MANIFEST}: damaged: {f'{key}: ' if key else ''}{first['msg']}",
                "start again with --overwrite",
            ) from error

    @property
    def finished(self) -> bool:
        """Whether training ended and model/ was written."""
        return self.manifest.finished and (self.path / MODEL).is_dir()

    @property
    def checkpoints(self) -> Checkpoints:
        """The checkpoints that it keeps."""
        return Checkpoints(self.path / CHECKPOINTS)

    def tokenizer(self) -> Tokenizer:
        """Load the vocabulary that its weights belong to."""
        return Tokenizer.load(self.path / TOKENIZER, self.config.data.form)

    def output_limit(self) -> OutputLimit:
        """Read how long its translations may become; that of version 0.1.0 if it began there."""
        return read_limit(self.path / LIMITS)

    def events(self) -> list[dict[str, Any]]:
        """Read the lines of metrics.jsonl."""
        return [json.loads(line) for line in (self.path / METRICS).read_text(encoding="utf-8").splitlines()]


def is_free(out: Path) -> bool:
    """Whether the folder `out` is empty, or holds what a run left that was killed while it began."""
    names = {path.name for path in out.iterdir()}
    if CHECKPOINTS in names and MANIFEST not in names:
        return False
    return all(name in _BEFORE_THE_CONFIG or (name[0] == "." and name.endswith(".writing")) for name in names)


def check_removable(out: Path) -> None:
    """Raises UsageError unless `out` is free or a run directory: what no run wrote is never removed."""
    if out.is_file():
        raise UsageError(f"{out}: not a folder", "choose another --out")
    if out.exists() and not (is_run(out) or is_free(out)):
        raise UsageError(f"{out}: not empty, and not a run directory", "choose another --out")


def clear(out: Path) -> None:
    """Remove what is in a run directory, or in a free one, but for the lock.

    Killed in the middle, it leaves what --overwrite accepts.
    """
    if is_run(out):
        write_whole(out / MANIFEST, "being removed\n")
    last = [path for path in (out / CONFIG, out / MANIFEST) if path.exists()]  # a manifest alone is no run, and free
    for path in [*(path for path in out.iterdir() if path.name != LOCK and path not in last), *last]:
        if path.is_dir() and not path.is_symlink():
            remove_folder(path)
        else:
            path.unlink()
