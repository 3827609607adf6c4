"""manifest.json: what a run depends on, and what it took."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict

from seq2attn import machine
from seq2attn.build.corpora import Corpora
from seq2attn.build.data import TrainingRole
from seq2attn.config.config import Config
from seq2attn.models.seq2seq import Seq2Seq
from seq2attn.training.trainer import Trainer


class _Part(BaseModel):
    """Keys of other versions are kept as they are."""

    model_config = ConfigDict(frozen=True, extra="allow")


class SourceRecord(_Part):
    """One source of pairs: its name, the SHA-256 of what it gives, how many pairs were used, and how many were dropped."""

    name: str
    fingerprint: str
    pairs: int
    dropped: dict[str, int] = {}


class DataRecord(_Part):
    """The sources of a run."""

    train: SourceRecord
    validation: SourceRecord


class ForkRecord(_Part):
    """What a run began as: the folder, when that run was started, its update, and the SHA-256 of the weights.

    A model folder has neither a start nor an update; version 0.1.0 wrote no hash.
    """

    run: str
    started: str | None = None
    update: int | None = None
    weights: str = ""


class Manifest(_Part):
    """What is known of a run: before its first update, and, once it has ended, of what training took.

    `wall_seconds` counts all that its processes did, `train_seconds` the updates alone.
    """

    finished: bool
    versions: dict[str, str]
    git: dict[str, Any] | None
    seed: int
    device: dict[str, Any]
    precision: str
    parameters: int
    data: DataRecord
    started: str
    forked_from: ForkRecord | None = None
    wall_seconds: float = 0.0
    updates: int = 0
    skipped_updates: int = 0
    train_seconds: float = 0.0
    target_tokens_per_second: float = 0.0
    ended: str = ""

    def to_json(self) -> str:
        """Indented, with what is known so far and nothing else."""
        return self.model_dump_json(indent=2, exclude_unset=True) + "\n"


def begin_manifest(
    config: Config,
    corpora: Corpora,
    fingerprints: Mapping[TrainingRole, str],
    model: Seq2Seq,
    device: torch.device,
    forked_from: ForkRecord | None,
) -> Manifest:
    """All that is known before the first update."""
    manifest = Manifest(
        finished=False,
        versions=machine.read_versions(),
        git=machine.read_git_state(),
        seed=config.seed,
        device=machine.describe_hardware(device),
        precision=config.training.precision,
        parameters=model.parameter_count,
        data=DataRecord(
            train=SourceRecord(
                name=corpora.train.name,
                fingerprint=fingerprints["train"],
                pairs=len(corpora.encoded),
                dropped={**corpora.train.dropped, **corpora.encoded.dropped},
            ),
            validation=SourceRecord(
                name=corpora.validation.name,
                fingerprint=fingerprints["validation"],
                pairs=len(corpora.validation.source),
            ),
        ),
        started=_now(),
    )
    return manifest if forked_from is None else manifest.model_copy(update={"forked_from": forked_from})


def pause_manifest(manifest: Manifest, started: float) -> Manifest:
    """The manifest of a run that stops for now; `started` is when this process began with it (time.monotonic)."""
    seconds = round(manifest.wall_seconds + time.monotonic() - started, 3)
    return manifest.model_copy(update={"wall_seconds": seconds})


def end_manifest(manifest: Manifest, started: float, trainer: Trainer) -> Manifest:
    """The manifest of a run that has ended."""
    return pause_manifest(manifest, started).model_copy(
        update={
            "finished": True,
            "updates": trainer.position.update,
            "skipped_updates": trainer.position.skipped,
            "train_seconds": round(trainer.seconds, 3),
            "target_tokens_per_second": round(trainer.tokens / trainer.seconds, 1),
            "ended": _now(),
        }
    )


def list_changes(manifest: Manifest, device: torch.device) -> list[str]:
    """What is not as it was when the run began, of all that decides how its sums are rounded: "threads: 7 → 1"."""
    before, now = manifest.device | manifest.versions, machine.describe_hardware(device) | machine.read_versions()
    both = (before.keys() & now.keys()) - {"system"}  # which changes nothing
    return [f"{key}: {before[key]} → {now[key]}" for key in sorted(both) if before[key] != now[key]]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
