"""Opening a run once: its config resolved and checked against what is in its folder, its sources hashed."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from seq2attn import machine
from seq2attn.build.corpora import hash_sources, resolve_normalization
from seq2attn.build.data import TRAINING_ROLES, TrainingRole, build_source, name_key
from seq2attn.compiling import can_compile
from seq2attn.config.config import Config, differences
from seq2attn.config.training import PlateauConfig
from seq2attn.data.sources_huggingface import HuggingFace
from seq2attn.data.tokenizer import Tokenizer
from seq2attn.errors import UsageError
from seq2attn.inference.run_files import MANIFEST, is_run
from seq2attn.runs.directory import Run, is_free
from seq2attn.runs.origin import Origin

# keys of `training` that may change while a run goes on
COMPILE_FROM = 5000  # updates, in which a minute of compiling is won back
FREE = ("compile", "attention_maps", "log_every", "checkpoint_every_minutes", "keep_last", "keep_best")


@dataclass(frozen=True)
class OpenedRun:
    """A run that can be trained: its folder, device and config, and what is there already.

    `config` has its precision and its normalization resolved. `fingerprints` are those of the sources. `before` is the run
    that is in the folder, None for a new one; `origin` what a new one begins with, None for fresh weights.
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
            raise UsageError(
                f"{out}: holds a run that did not begin with {origin.path}",
                "choose another --out, or lose this run with --overwrite",
            )
    config = _resolve(config, before, device)
    if before is None:
        fingerprints = hash_sources(config)
        config = resolve_normalization(config, fingerprints)
        return OpenedRun(out, device, config, fingerprints, None, origin)
    changed = _list_differences(before, config)
    fingerprints = {} if changed else {role: _hash_for(before, config, role) for role in TRAINING_ROLES}
    changed += [
        _describe_text(before.config, config, role)
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
    """With `auto` resolved for precision and compile: as in the run that is there, else for this machine."""
    precision, compiles = config.training.precision, config.training.compile
    if before is not None:
        precision = before.config.training.precision if precision == "auto" else precision
        compiles = before.config.training.compile if compiles == "auto" else compiles
    if compiles == "auto":
        compiles = config.training.max_updates >= COMPILE_FROM and can_compile(device)
    return _with_training(config, precision=machine.resolve_precision(precision, device), compile=compiles)


def _list_differences(run: Run, config: Config) -> list[str]:
    """List what differs between the config of `run` and the one that it is to go on with, where that changes training.

    Left out are: how much is logged and kept; where the text lies (its fingerprint is compared instead); the test set; and
    what concerns translating alone. How BLEU is computed may change once a run is finished, or where validation BLEU
    decides nothing. max_updates may be raised where training so far would have been the same.
    """
    before, training = run.config, config.training
    free = {key: getattr(training, key) for key in FREE}
    longer = training.max_updates > before.training.max_updates
    if longer and not before.end_matters:
        free["max_updates"] = training.max_updates
    sources = {role: getattr(config.data, role) for role in ("train", "validation", "test")}
    bleu = {} if (run.finished and not longer) or not _bleu_decides(before) else _read_bleu_settings(before)
    before = _with_training(before, **free).model_copy(
        update={
            "data": before.data.model_copy(update=sources),
            "evaluation": config.evaluation.model_copy(update=bleu),
        }
    )
    return differences(before, config)


def _bleu_decides(config: Config) -> bool:
    """Whether validation BLEU chooses the checkpoint, ends training or lowers the learning rate."""
    training = config.training
    stopping, schedule = training.early_stopping, training.schedule
    metrics = {
        training.ranking_metric,
        *([] if stopping is None else [stopping.metric]),
        *([schedule.metric] if isinstance(schedule, PlateauConfig) else []),
    }
    return "bleu" in metrics


def _read_bleu_settings(config: Config) -> dict[str, object]:
    return {key: getattr(config.evaluation, key) for key in ("lowercase", "tokenize")}


def _describe_text(before: Config, config: Config, role: TrainingRole) -> str:
    """Say that a text differs, and which keys of its section, if any, do.

    The same text in a table and in two files has two fingerprints, so that the form may be all that differs.
    """
    types = {getattr(data, role).type for data in (before.data, config.data)}
    form = ", or the form in which it is read" if len(types) > 1 else ""
    keys = [text for text in differences(before, config) if text.startswith(f"data.{role}.")]
    return f"the text of data.{role}{form} ({'; '.join([build_source(config, role).name, *keys])})"


def _with_training(config: Config, **values: object) -> Config:
    return config.model_copy(update={"training": config.training.model_copy(update=values)})


def _hash_for(before: Run, config: Config, role: TrainingRole) -> str:
    """The fingerprint of a source, computed as that of the run was: the order of its batches depends on it."""
    source = build_source(config, role)
    with name_key(role):
        if isinstance(source, HuggingFace) and before.manifest.versions.get("seq2attn") == "0.1.0":
            return source.fingerprint_of_0_1_0()
        return source.fingerprint()
