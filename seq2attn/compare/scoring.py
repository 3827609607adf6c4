"""One system of a comparison on the test set: waits for its training, translates, scores."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seq2attn.compare.report.results import RunResult, SystemResult
from seq2attn.compare.systems import Contestant, Entry
from seq2attn.config.config import Config
from seq2attn.evaluation.bleu import score
from seq2attn.evaluation.by_length import bleu_by_length
from seq2attn.runs.directory import Run
from seq2attn.runs.hypotheses import translated
from seq2attn.runs.manifest import Manifest


@dataclass(frozen=True)
class Task:
    """What every system of a comparison is put to."""

    out: Path
    sources: list[str]
    references: list[str]
    fingerprint: str
    scoring: Mapping[str, Any]
    device: str


@dataclass(frozen=True)
class Tested:
    """A system with its translations of the test set, by seed."""

    result: SystemResult
    translations: Mapping[int, list[str]]


def scoring(config: Config) -> dict[str, Any]:
    """What BLEU depends on, as `score` takes it."""
    evaluation = config.evaluation
    return {
        "target_language": config.data.target,
        "lowercase": evaluation.lowercase,
        "tokenize": evaluation.tokenize,
    }


def tested(task: Task, entrant: Contestant, trained: Callable[[Entry], None]) -> Tested:
    """Waits until one system is trained and tests all its seeds."""
    translations: dict[int, list[str]] = {}
    runs = []
    for entry in entrant.entries:
        seed = entry.config.seed
        if not entry.given:
            trained(entry)
        translations[seed] = translated(
            entry.path,
            entry.config,
            task.sources,
            fingerprint=task.fingerprint,
            file=task.out / "hypotheses" / entrant.names[0] / f"seed-{seed}.txt",
            device=task.device,
        )
        runs.append(_run_result(task, entry, translations[seed]))
    manifest = Run.open(entrant.entries[0].path).manifest
    config = entrant.config
    result = SystemResult(
        name=entrant.name,
        config=entrant.origin,
        decoder=config.model.decoder.type,
        parameters=manifest.parameters,
        runs=tuple(runs),
        beam=config.evaluation.beam,
        length_penalty=config.evaluation.length_penalty,
        device=_device_text(manifest),
    )
    return Tested(result, translations)


def _run_result(task: Task, entry: Entry, hypotheses: list[str]) -> RunResult:
    scores = score(hypotheses, task.references, ter=False, **task.scoring)
    manifest = Run.open(entry.path).manifest
    return RunResult(
        seed=entry.config.seed,
        bleu=scores.bleu,
        chrf=scores.chrf,
        signature=scores.signature,
        chrf_signature=scores.chrf_signature,
        by_length=tuple(bleu_by_length(task.sources, hypotheses, task.references, **task.scoring)),
        updates=manifest.updates,
        train_seconds=manifest.train_seconds,
        target_tokens_per_second=manifest.target_tokens_per_second,
    )


def _device_text(manifest: Manifest) -> str:
    device = manifest.device
    threads = f", {device['threads']} threads" if device["device"] == "cpu" else ""
    return f"{device['name']} ({device['device']}{threads}, {manifest.precision})"
