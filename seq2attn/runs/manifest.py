"""manifest.json: what a run depends on, and what it took."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import torch

from seq2attn import machine
from seq2attn.config.config import Config
from seq2attn.build.corpora import Corpora
from seq2attn.runs.directory import source
from seq2attn.models.seq2seq import Seq2Seq
from seq2attn.training.trainer import Trainer


def at_start(config: Config, corpora: Corpora, model: Seq2Seq, where: torch.device) -> dict[str, Any]:
    """All that is known before the first update."""
    return {
        "finished": False,
        "versions": machine.read_versions(),
        "git": machine.read_git_state(),
        "seed": config.seed,
        "device": machine.describe_hardware(where),
        "precision": config.training.precision,
        "parameters": model.parameter_count,
        "data": {
            "train": {
                "name": corpora.train.name,
                "fingerprint": source(config, "train").fingerprint(),
                "pairs": len(corpora.encoded),
                "dropped": {**corpora.train.dropped, **corpora.encoded.dropped},
            },
            "validation": {
                "name": corpora.validation.name,
                "fingerprint": source(config, "validation").fingerprint(),
                "pairs": len(corpora.validation.source),
            },
        },
        "started": _now(),
    }


def moved(about: Mapping[str, Any], where: torch.device) -> list[str]:
    """What is not as it was when the run of manifest `about` began, of all that decides how its sums are rounded."""
    before, now = about["device"] | about["versions"], machine.describe_hardware(where) | machine.read_versions()
    both = (before.keys() & now.keys()) - {"system"}  # which changes nothing
    return [f"{key}: {before[key]} → {now[key]}" for key in sorted(both) if before[key] != now[key]]


def so_far(about: Mapping[str, Any], started: float) -> dict[str, Any]:
    """`about` was the manifest at `started` (time.monotonic)."""
    return {"wall_seconds": round(about.get("wall_seconds", 0.0) + time.monotonic() - started, 3)}


def at_end(trainer: Trainer) -> dict[str, Any]:
    """What training took."""
    return {
        "finished": True,
        "updates": trainer.position.update,
        "skipped_updates": trainer.position.skipped,
        "train_seconds": round(trainer.seconds, 3),
        "target_tokens_per_second": round(trainer.tokens / trainer.seconds, 1),
        "ended": _now(),
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
