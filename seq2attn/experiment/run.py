"""One run: a config trained into a directory, from the start or from where it stopped."""

import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from seq2attn.errors import Seq2attnError
from seq2attn.experiment import build, machine
from seq2attn.experiment.config import Config, to_yaml
from seq2attn.experiment.config_advice import advice
from seq2attn.experiment.corpora import Corpora, load_corpora
from seq2attn.experiment.export import export
from seq2attn.experiment.progress import Progress, say
from seq2attn.experiment.run_directory import Run, check, check_removable, resolved, source, write_json, write_whole
from seq2attn.experiment.validation import validator
from seq2attn.models.seq2seq import Seq2Seq
from seq2attn.training.callbacks import EarlyStopping, Metrics, TrainLog, Validation
from seq2attn.training.checkpoint import MODEL, Checkpoints, average, read_tensors
from seq2attn.training.saving import Saving
from seq2attn.training.trainer import Callback, Trainer


class InterruptedRunError(Seq2attnError):
    """A signal ended training after a whole step; the checkpoint is written."""

    def __init__(self, number: int, update: int, out: Path) -> None:
        super().__init__(
            f"{out}: stopped by {signal.Signals(number).name} at update {update}; its checkpoint is saved",
            "run the same command again to go on",
        )
        self.exit_code = 128 + number


def train(
    config: Config, out: Path, *, device: str = "auto", threads: int | None = None, overwrite: bool = False
) -> None:
    """Train `config` into `out`, go on where an unfinished run of the same config stopped, or return if it is finished.

    Raises UsageError, naming what differs, if `out` holds anything else.
    """
    where = machine.device(device)
    machine.set_up(threads)
    if overwrite:
        check_removable(out)
    old = None if overwrite else check(config, out, device=device)
    config = resolved(config, old, where)
    if old is not None and old.finished and old.config.training.max_updates >= config.training.max_updates:
        say(f"{out}: finished already, after {old.manifest['updates']} updates")
        return
    session = _Session(config, out, where, old)
    if overwrite and out.exists():
        shutil.rmtree(out)  # only now: nothing of the new run can be wrong any more
    session.run()


def plan_text(config: Config, out: Path | None, device: str, threads: int | None = None) -> str:
    """What `train --dry-run` prints: everything is built, nothing is trained."""
    where = machine.device(device)
    machine.set_up(threads)
    config = resolved(config, None if out is None else check(config, out, device=device), where)
    corpora = load_corpora(config)
    return "\n".join([*corpora.notes, *_description(config, corpora, _network(config, corpora), where)])


class _Session:
    """One stretch of training: from the last checkpoint (or the start) to the end (or a signal)."""

    def __init__(self, config: Config, out: Path, where: torch.device, old: Run | None) -> None:
        self.config = config
        self.out = out
        self.where = where
        self.corpora = load_corpora(config)
        torch.manual_seed(config.seed)
        self.model = _network(config, self.corpora).to(where)
        training = config.training
        self.trainer = Trainer(
            self.model,
            build.optimizer(training.optimizer, self.model),
            build.schedule(training),
            lambda number: self.corpora.epoch(config, number),
            max_updates=training.max_updates,
            accumulation=training.accumulation,
            clip_norm=training.clip_norm,
            label_smoothing=training.label_smoothing,
            autocast=machine.autocast(training.precision, where),  # type: ignore[arg-type]
        )
        for line in [*self.corpora.notes, *_description(config, self.corpora, self.model, where)]:
            say(line)
        self.manifest = old.manifest | {"finished": False} if old else self._first_manifest()

    def run(self) -> None:
        """Train, validate, export."""
        started = time.monotonic()
        self.out.mkdir(parents=True, exist_ok=True)
        write_json(self.out / "manifest.json", self.manifest)
        write_whole(self.out / "config.yaml", to_yaml(self.config))
        training, checkpoints = self.config.training, Checkpoints(self.out / "checkpoints")
        metrics = Metrics(self.out / "metrics.jsonl")
        first = (checkpoints.updates() or [0])[-1]
        progress = Progress(_name(self.out), first, training.max_updates)
        log = TrainLog(metrics, training.log_every, progress.train)
        validation = Validation(
            validator(self.model, self.corpora, self.config), metrics, training.validate_every, progress.validation
        )
        metric = "bleu" if training.select == "average" else training.select
        saving = Saving(
            checkpoints,
            metrics,
            validation,
            {"log": log, "validation": validation},
            metric=metric,
            keep_last=training.keep_last,
            keep_best=training.keep_best,
        )
        callbacks: list[Callback] = [log, validation, saving]
        early, stopping = training.early_stopping, None
        if early is not None:
            stopping = EarlyStopping(validation, early.metric, early.patience)
            callbacks.insert(2, stopping)
        if first:
            saving.resume(self.trainer, first)
            self.trainer.stop = stopping is not None and stopping.exhausted()
            say(f"{self.out}: going on from update {first}")
        else:
            metrics.cut(0)
        with _finish_step_on_signal(saving) as signals:
            self.trainer.run(callbacks)
        if signals:
            saving.at_end(self.trainer)
            progress.close()
            write_json(self.out / "manifest.json", self.manifest | self._wall(started))
            raise InterruptedRunError(signals[0], self.trainer.position.update, self.out)
        self.trainer.finish(callbacks)
        progress.close()
        self._export(checkpoints, validation, saving)
        metrics.write("end", self.trainer.position.update, seconds=round(self.trainer.seconds, 3))
        write_json(self.out / "manifest.json", self.manifest | self._wall(started) | self._last_manifest())

    def _wall(self, started: float) -> dict[str, float]:
        return {"wall_seconds": round(self.manifest.get("wall_seconds", 0.0) + time.monotonic() - started, 3)}

    def _export(self, checkpoints: Checkpoints, validation: Validation, saving: Saving) -> None:
        training = self.config.training
        chosen = saving.best()[:1]
        text = f"of update {chosen[0]}, the best by validation {training.select}"
        if training.select == "average":
            last = training.average.of == "last"
            chosen = (checkpoints.updates()[::-1] if last else saving.best())[: training.average.count]
            text = f"the average of updates {', '.join(map(str, sorted(chosen)))}"
        files = [checkpoints.path(update) / MODEL for update in chosen]
        export(
            self.out / "model",
            weights=read_tensors(files[0]) if len(files) == 1 else average(files),
            tokenizer=self.corpora.tokenizer,
            config=self.config,
            data=self.corpora.train.name,
            chosen=text,
            metrics=validation.history[chosen[0]] if len(chosen) == 1 else {},
        )
        say(f"{self.out / 'model'}: {text}")

    def _first_manifest(self) -> dict[str, Any]:
        corpora = self.corpora
        return {
            "finished": False,
            "versions": machine.versions(),
            "git": machine.git_state(),
            "seed": self.config.seed,
            "device": machine.hardware(self.where),
            "precision": self.config.training.precision,
            "parameters": self.model.parameter_count,
            "data": {
                "train": {
                    "name": corpora.train.name,
                    "fingerprint": source(self.config, "train").fingerprint(),
                    "pairs": len(corpora.encoded),
                    "dropped": {**corpora.train.dropped, **corpora.encoded.dropped},
                },
                "validation": {
                    "name": corpora.validation.name,
                    "fingerprint": source(self.config, "validation").fingerprint(),
                    "pairs": len(corpora.validation.source),
                },
            },
            "started": _now(),
        }

    def _last_manifest(self) -> dict[str, Any]:
        trainer = self.trainer
        return {
            "finished": True,
            "updates": trainer.position.update,
            "train_seconds": round(trainer.seconds, 3),
            "target_tokens_per_second": round(trainer.tokens / trainer.seconds, 1),
            "ended": _now(),
        }


def _network(config: Config, corpora: Corpora) -> Seq2Seq:
    tokenizer = corpora.tokenizer
    return build.seq2seq(
        config.model,
        source_size=tokenizer.source_size,
        target_size=tokenizer.target_size,
        max_length=config.data.max_length,
    )


def _description(config: Config, corpora: Corpora, model: Seq2Seq, where: torch.device) -> list[str]:
    encoder, decoder = config.model.encoder.type, config.model.decoder.type
    tokenizer, training = corpora.tokenizer, config.training
    sizes = (
        f"{tokenizer.target_size:,}" if tokenizer.joint else f"{tokenizer.source_size:,} + {tokenizer.target_size:,}"
    )
    return [
        f"{encoder} encoder, {decoder} decoder: {model.parameter_count:,} parameters; {sizes} subwords",
        f"{corpora.train.name}: {len(corpora.encoded):,} pairs; validation on {len(corpora.validation.source):,}",
        f"{training.max_updates:,} updates of {training.accumulation} × {training.batch_tokens:,} tokens at most, "
        f"{training.precision} on {where.type} with {torch.get_num_threads()} threads",
        *advice(config.model),
    ]


def _name(out: Path) -> str:
    """What to call a run while it trains: in a comparison, NAME of NAME/seed-1 too."""
    return f"{out.parent.name}/{out.name}" if out.name.startswith("seed-") else out.name


@contextmanager
def _finish_step_on_signal(saving: Saving) -> Iterator[list[int]]:
    """The first SIGINT or SIGTERM asks for a checkpoint and the end; a second one leaves at once."""
    received: list[int] = []

    def handle(number: int, frame: object) -> None:
        if received:
            os._exit(128 + number)
        received.append(number)
        saving.asked = True
        say("stopping after this step; once more to leave at once")

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
