"""One system of a comparison on the test set: its translations and their scores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seq2attn.compare.report.results import FEW, LengthEffect, RunResult, SystemResult
from seq2attn.compare.runner import Runner
from seq2attn.compare.systems import System, SystemRun
from seq2attn.evaluation.bleu import Bleu
from seq2attn.evaluation.by_length import Unit, group_by_length, score_by_length
from seq2attn.evaluation.intervals import find_interval, resample_groups
from seq2attn.runs.directory import Run
from seq2attn.runs.hypotheses import read_precision
from seq2attn.runs.manifest import Manifest
from seq2attn.runs.overlap import count_known_pairs


@dataclass(frozen=True)
class Task:
    """What all systems of a comparison are scored on: raw lines, one reference for each source, and BLEU's settings.

    `fingerprint` is that of the test set; translations are kept in `folder`. `unit` is what the length of a source is
    counted in.
    """

    sources: Sequence[str]
    references: Sequence[str]
    bleu: Bleu
    fingerprint: str
    folder: Path
    unit: Unit = "words"


@dataclass(frozen=True)
class EvaluatedSystem:
    """A system's scores, its translations of the test set by seed, and BLEU by length on draws of the test sentences."""

    result: SystemResult
    hypotheses: Mapping[int, Sequence[str]]
    drawn: Sequence[np.ndarray | None]

    @property
    def first_hypotheses(self) -> Sequence[str]:
        """The translations with the first seed."""
        return next(iter(self.hypotheses.values()))


def evaluate_system(task: Task, system: System, runner: Runner) -> EvaluatedSystem:
    """Translate the test set with each run of a trained system, and score the translations."""
    folder = task.folder / system.names[0]
    translated = {
        run.config.seed: runner.translate(
            run, task.sources, fingerprint=task.fingerprint, file=folder / f"seed-{run.config.seed}.txt"
        )
        for run in system.runs
    }
    runs = tuple(_score_run(task, run, *translated[run.config.seed]) for run in system.runs)
    hypotheses = {seed: lines for seed, (lines, _) in translated.items()}
    groups = group_by_length(task.sources, task.unit)
    drawn = resample_groups(list(hypotheses.values()), task.references, groups, task.bleu.metric())
    run, config = Run.open(system.runs[0].path), system.config
    result = SystemResult(
        name=system.name,
        config=system.origin,
        decoder=config.model.decoder.type,
        parameters=run.manifest.parameters,
        runs=runs,
        beam=config.evaluation.beam,
        length_penalty=config.evaluation.length_penalty,
        device=_describe_device(run.manifest),
        precision=read_precision(folder / f"seed-{system.runs[0].config.seed}.txt"),
        known_pairs=count_known_pairs(run, zip(task.sources, task.references, strict=True)),
        intervals=tuple(None if scores is None else find_interval(scores) for scores in drawn),
    )
    return EvaluatedSystem(result, hypotheses, drawn)


def measure_length_effect(baseline: EvaluatedSystem, system: EvaluatedSystem) -> LengthEffect | None:
    """How the baseline's distance to `system` grows from the shortest sentences to the longest; None with one large bucket."""
    buckets = list(zip(baseline.result.by_length, system.result.by_length, strict=True))
    large = [place for place, (bucket, _) in enumerate(buckets) if bucket.sentences >= FEW]
    if len(large) < 2:
        return None
    ends = large[0], large[-1]
    shortest, longest = ((buckets[end][1].bleu or 0.0) - (buckets[end][0].bleu or 0.0) for end in ends)
    first, last = (_subtract(system.drawn[end], baseline.drawn[end]) for end in ends)
    interval = find_interval(last - first)
    names = baseline.result.name, system.result.name
    return LengthEffect(*names, shortest, longest, longest - shortest, interval)


def _subtract(one: np.ndarray | None, other: np.ndarray | None) -> np.ndarray:
    assert one is not None  # large buckets have sentences
    assert other is not None
    return one - other


def _score_run(task: Task, run: SystemRun, hypotheses: Sequence[str], remarks: Sequence[str]) -> RunResult:
    scores = task.bleu.score(hypotheses, task.references, ter=False)
    manifest = Run.open(run.path).manifest
    return RunResult(
        seed=run.config.seed,
        bleu=scores.bleu,
        chrf=scores.chrf,
        signature=scores.signature,
        chrf_signature=scores.chrf_signature,
        by_length=tuple(score_by_length(task.sources, hypotheses, task.references, task.bleu, task.unit)),
        updates=manifest.updates,
        train_seconds=manifest.train_seconds,
        target_tokens_per_second=manifest.target_tokens_per_second,
        remarks=tuple(remarks),
    )


def _describe_device(manifest: Manifest) -> str:
    device = manifest.device
    threads = f", {device['threads']} threads" if device["device"] == "cpu" else ""
    return f"{device['name']} ({device['device']}{threads}, {manifest.precision})"
