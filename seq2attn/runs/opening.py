"""Opening a run once: its config resolved and checked against what is in its folder, its sources hashed."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from seq2attn import machine
from seq2attn.build.corpora import hash_sources, resolve_normalization
from seq2attn.build.data import TRAINING_ROLES, TrainingRole, build_source
from seq2attn.config.config import Config, differences
from seq2attn.data.sources_huggingface import HuggingFace
from seq2attn.data.tokenizer import Tokenizer
from seq2attn.errors import UsageError
from seq2attn.runs.directory import MANIFEST, Run, is_free, is_run
from seq2attn.runs.origin import Origin


@dataclass(frozen=True)
class OpenedRun:
    """A run that can be trained: where, on what device, by what config, and what is there already.

    `config` has its precision and its normalization resolved. `fingerprints` are those of the sources.
    `before` is the run that is in the folder,
    None for a new one; `origin` what a new one begins with, None for fresh weights.
    """

    path: Path
    device: torch.device
    config: Config
    fingerprints: Mapping[TrainingRole, str]
    before: Run | None
    origin: Origin | None

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to train."""
        old = self.before
        return old is not None and old.finished and old.config.training.max_updates >= self.config.training.max_updates

    def tokenizer(self) -> Tokenizer | None:
        """The vocabulary that is given: that of the run that is there, or of the origin; None: learn one."""
        given = self.before or self.origin
        return None if given is None else given.tokenizer()

    def check_unchanged(self) -> None:
        """Raises UsageError if another process has changed the folder since it was opened. Ask it under the lock."""
        now = (self.path / MANIFEST).read_bytes() if is_run(self.path) else None
        then = None if self.before is None else self.before.manifest_bytes
        if now != then:
            raise UsageError(
                f"{self.path}: another process has trained here since this command began", "run the same command again"
            )


def open_run(
    config: Config, out: Path, device: torch.device, *, overwrite: bool = False, origin: Origin | None = None
) -> OpenedRun:
    """Open `out` to train `config` there: resolve the config, check it, and hash each source, all of it once.

    With `overwrite`, what is there counts for nothing. Raises UsageError, naming what differs, if `out` holds a run of
    another config or text, or anything else.
    """
    before = None if overwrite else find_run(out)
    if known := before or origin:
        config = config.resolve_normalization(known.config.data.normalization)
    if origin is not None:
        origin.check_vocabulary(config)
        if before is not None and not origin.is_that_of(before):
            raise UsageError(f"{out}: holds a run that did not begin with {origin.path}", "choose another --out")
    config = _resolve(config, before, device)
    if before is None:
        fingerprints = hash_sources(config)
        config = resolve_normalization(config, fingerprints)
        return OpenedRun(out, device, config, fingerprints, None, origin)
    changed = _list_differences(before.config, config)
    fingerprints = {} if changed else {role: _hash_for(before, config, role) for role in TRAINING_ROLES}
    changed += [
        f"the text of data.{role} ({build_source(config, role).name})"
        for role, fingerprint in fingerprints.items()
        if fingerprint != getattr(before.manifest.data, role).fingerprint
    ]
    if changed:
        raise UsageError(
            f"{out}: holds a run of another config; different: {'; '.join(changed)}",
            f"choose another --out (with --from {out} it begins with this run's weights); or lose this run with --overwrite",
        )
    return OpenedRun(out, device, config, fingerprints, before, origin)


def check_run(config: Config, out: Path, device: torch.device) -> None:
    """Raises UsageError if `config` cannot be trained into `out`. Reads the sources only if a run is there already."""
    if find_run(out) is not None:
        open_run(config, out, device)


def find_run(out: Path) -> Run | None:
    """The run that is in `out`, or None if `out` is free. Raises UsageError if it holds anything else."""
    if out.is_file():
        raise UsageError(f"{out}: not a folder", "choose another --out")
    if not out.exists():
        above = next(folder for folder in out.resolve().parents if folder.exists())
        if not (above.is_dir() and os.access(above, os.W_OK)):
            raise UsageError(f"{out}: cannot be made, {above} cannot be written", "choose another --out")
        return None
    if is_run(out):
        return Run.open(out)
    if is_free(out):
        return None
    raise UsageError(f"{out}: not empty, and not a run directory", "choose another --out")


def _resolve(config: Config, before: Run | None, device: torch.device) -> Config:
    """With `precision: auto` resolved: as in the run that is there, else for this machine."""
    wanted = config.training.precision
    if before is not None and wanted == "auto":
        wanted = before.config.training.precision
    return _with_training(config, precision=machine.resolve_precision(wanted, device))


def _list_differences(before: Config, config: Config) -> list[str]:
    """What differs between the config of a run and the one that is to go on with it, but for logging.

    max_updates may be raised where training so far would have been the same.
    """
    before = _with_training(before, log_every=config.training.log_every)
    if config.training.max_updates > before.training.max_updates and not before.end_matters:
        before = _with_training(before, max_updates=config.training.max_updates)
    return differences(before, config)


def _with_training(config: Config, **values: object) -> Config:
    return config.model_copy(update={"training": config.training.model_copy(update=values)})


def _hash_for(before: Run, config: Config, role: TrainingRole) -> str:
    """The fingerprint of a source, computed as that of the run was: the order of its batches depends on it."""
    source = build_source(config, role)
    if isinstance(source, HuggingFace) and before.manifest.versions.get("seq2attn") == "0.1.0":
        return source.fingerprint_of_0_1_0()
    return source.fingerprint()
