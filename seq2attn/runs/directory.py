"""A run directory: what is in it, and whether a config may go on there."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from seq2attn.build.data import build_source
from seq2attn.data.sources import Source
from seq2attn.data.tokenizer import Tokenizer
from seq2attn.durable import remove_folder, write_whole
from seq2attn.errors import UsageError
from seq2attn import machine
from seq2attn.config.config import Config, differences
from seq2attn.config.load import load_config
from seq2attn.runs.lock import LOCK

Role = Literal["train", "validation"]
ROLES: tuple[Role, ...] = ("train", "validation")
CONFIG, MANIFEST, TOKENIZER, CHECKPOINTS, METRICS, MODEL = (
    "config.yaml",
    "manifest.json",
    "tokenizer",
    "checkpoints",
    "metrics.jsonl",
    "model",
)
_BEFORE_THE_CONFIG = {MANIFEST, TOKENIZER, LOCK}  # a run's config is written last of what it begins with


@dataclass(frozen=True)
class Run:
    """A run directory that exists."""

    path: Path
    config: Config
    manifest: dict[str, Any]

    @classmethod
    def open(cls, path: Path) -> "Run":
        """Read a run directory. Raises UsageError if it is none."""
        if not _is_run(path):
            raise UsageError(f"{path}: not a run directory", "a run directory is what `seq2attn train --out` wrote")
        try:
            manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
            if not isinstance(manifest, dict) or not manifest.keys() >= {"finished", "started", "data"}:
                raise ValueError("not what `seq2attn train` writes")
        except ValueError as error:
            raise UsageError(f"{path / MANIFEST}: damaged: {error}", "start again with --overwrite") from error
        return cls(path, load_config(path / CONFIG), manifest)

    @property
    def finished(self) -> bool:
        """Whether training ended and model/ was written."""
        return bool(self.manifest["finished"]) and (self.path / MODEL).is_dir()

    def tokenizer(self) -> Tokenizer:
        """The vocabulary that its weights belong to."""
        return Tokenizer.load(self.path / TOKENIZER)

    def events(self) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl."""
        return [json.loads(line) for line in (self.path / METRICS).read_text(encoding="utf-8").splitlines()]


def check(config: Config, out: Path, *, device: str = "auto") -> Run | None:
    """The run of `config` that is in `out`, or None if `out` is free. Raises UsageError if it holds anything else."""
    old = _existing(out)
    if old is not None:
        _check_same(old, resolved(config, old, machine.choose_device(device)))
    return old


def resolved(config: Config, old: Run | None, where: torch.device) -> Config:
    """With `precision: auto` resolved: as in the run that is there, else for this machine."""
    wanted = config.training.precision
    if old is not None and wanted == "auto":
        return with_training(config, precision=old.config.training.precision)
    return with_training(config, precision=machine.resolve_precision(wanted, where))


def _existing(out: Path) -> Run | None:
    if out.is_file():
        raise UsageError(f"{out}: not a folder", "choose another --out")
    if not out.exists():
        above = next(folder for folder in out.resolve().parents if folder.exists())
        if not (above.is_dir() and os.access(above, os.W_OK)):
            raise UsageError(f"{out}: cannot be made, {above} cannot be written", "choose another --out")
        return None
    if _is_run(out):
        return Run.open(out)
    if _is_free(out):
        return None
    raise UsageError(f"{out}: not empty, and not a run directory", "choose another --out")


def _is_run(out: Path) -> bool:
    return (out / CONFIG).is_file() and (out / MANIFEST).is_file()


def _is_free(out: Path) -> bool:
    """Empty, or of a run that was killed while it began."""
    names = {path.name for path in out.iterdir()}
    return all(name in _BEFORE_THE_CONFIG or (name[0] == "." and name.endswith(".writing")) for name in names)


def check_removable(out: Path) -> None:
    """Raises UsageError unless `out` is free or a run directory: what no run wrote is never removed."""
    if out.is_file():
        raise UsageError(f"{out}: not a folder", "choose another --out")
    if out.exists() and not (_is_run(out) or _is_free(out)):
        raise UsageError(f"{out}: not empty, and not a run directory", "choose another --out")


def clear(out: Path) -> None:
    """Remove the run in `out`, but for its lock. Killed in the middle, it leaves what --overwrite accepts."""
    if not _is_run(out):
        return
    write_whole(out / MANIFEST, "being removed\n")
    last = [out / CONFIG, out / MANIFEST]  # a manifest alone is no run, and free
    for path in [*(path for path in out.iterdir() if path.name != LOCK and path not in last), *last]:
        if path.is_dir() and not path.is_symlink():
            remove_folder(path)
        else:
            path.unlink()


def _check_same(old: Run, config: Config) -> None:
    """Same = resolved config + corpus fingerprints, but for logging; max_updates may be raised, if the past stays the same."""
    before = with_training(old.config, log_every=config.training.log_every)
    if config.training.max_updates > before.training.max_updates and not before.end_matters:
        before = with_training(before, max_updates=config.training.max_updates)
    differ = differences(before, config)
    if not differ:
        sources = {role: source(config, role) for role in ROLES}
        differ = [
            f"the text of data.{role} ({source.name})"
            for role, source in sources.items()
            if source.fingerprint() != old.manifest["data"][role]["fingerprint"]
        ]
    if differ:
        raise UsageError(
            f"{old.path}: holds a run of another config; different: {'; '.join(differ)}",
            "choose another --out; or go on from its weights in a new run with --fork NEW_RUN; or lose it with --overwrite",
        )


def with_training(config: Config, **values: object) -> Config:
    """`config` with other values in its training section."""
    return config.model_copy(update={"training": config.training.model_copy(update=values)})


def source(config: Config, role: Role) -> Source:
    """Where the pairs of `role` come from."""
    return build_source(config.data.train if role == "train" else config.data.validation, role, config.data)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """As indented JSON."""
    write_whole(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
