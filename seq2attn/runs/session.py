"""One stretch of training: from the last checkpoint (or the start) to the end (or a signal)."""

import time
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from seq2attn.build.training import build_optimizer
from seq2attn.build.training import build_schedule
from seq2attn.build.model import build_seq2seq
from seq2attn.data.tokenizer import Tokenizer
from seq2attn.durable import write_folder, write_whole
from seq2attn import machine
from seq2attn.runs import manifest
from seq2attn.runs import directory
from seq2attn.config.config import Config, to_yaml
from seq2attn.build.corpora import Corpora, load_corpora
from seq2attn.inference.export import export
from seq2attn.runs.progress import Progress, say
from seq2attn.runs.signals import InterruptedRunError, stopping
from seq2attn.runs.validation import validator
from seq2attn.models.seq2seq import Seq2Seq
from seq2attn.training.callbacks import EarlyStopping, Metrics, TrainLog, Validation
from seq2attn.training.checkpoint import Checkpoints
from seq2attn.training.memory import rehearse
from seq2attn.training.saving import Saving
from seq2attn.training.trainer import Callback, Step, Trainer


class Session:
    """The objects of a run, made from its config, and what is done with them.

    `tokenizer`: that of a run which is there already. Nothing is written before `begin`.
    """

    def __init__(self, config: Config, out: Path, where: torch.device, tokenizer: Tokenizer | None = None) -> None:
        self.config = config
        self.out = out
        self.where = where
        self.corpora = load_corpora(config, tokenizer)
        torch.manual_seed(config.seed)
        self.model = network(config, self.corpora).to(where)
        training = config.training
        self.epoch = lru_cache(1)(lambda number: self.corpora.epoch(config, number))
        self.trainer = Trainer(
            self.model,
            build_optimizer(training.optimizer, self.model),
            build_schedule(training),
            self.epoch,
            max_updates=training.max_updates,
            accumulation=training.accumulation,
            clip_norm=training.clip_norm,
            label_smoothing=training.label_smoothing,
            autocast=machine.make_autocast(training.precision, where),  # type: ignore[arg-type]
            where=self.corpora.where,
        )
        self.progress = Progress(_name(out), training.max_updates)
        self._make_callbacks()

    def _make_callbacks(self) -> None:
        training = self.config.training
        self.checkpoints = Checkpoints(self.out / directory.CHECKPOINTS)
        self.metrics = Metrics(self.out / directory.METRICS)
        self.log = TrainLog(self.metrics, training.log_every, self.progress.train)
        self.validation = Validation(
            validator(self.model, self.corpora, self.config),
            self.metrics,
            training.validate_every,
            self.progress.validation,
        )
        self.saving = Saving(
            self.checkpoints,
            self.metrics,
            self.validation,
            {"log": self.log, "validation": self.validation},
            metric="bleu" if training.select == "average" else training.select,
            keep_last=training.keep_last,
            keep_best=training.keep_best,
        )
        early = training.early_stopping
        self.early = None if early is None else EarlyStopping(self.validation, early.metric, early.patience)
        self.callbacks: list[Callback] = [self.log, self.validation, self.saving]
        if self.early is not None:
            self.callbacks.insert(2, self.early)

    def begin(self, about: dict[str, Any]) -> None:
        """Write what a run begins with, `about` it as the manifest; the config is last, and makes the folder a run."""
        if not (self.out / directory.CONFIG).exists():  # else it is a run, and keeps its own
            write_folder(self.out / directory.TOKENIZER, self.corpora.tokenizer.files().items())
        directory.write_json(self.out / directory.MANIFEST, about)
        write_whole(self.out / directory.CONFIG, to_yaml(self.config))

    def run(self, about: dict[str, Any]) -> None:
        """Train, validate, export."""
        started = time.monotonic()
        self.begin(about)
        self._go_back()
        trainer, training = self.trainer, self.config.training
        if trainer.position.update < training.max_updates and not trainer.stop:
            largest = self.epoch(trainer.position.epoch).largest()
            rehearse(trainer, largest, batch_tokens=training.batch_tokens, accumulation=training.accumulation)
        self.progress.start(trainer.position.update)
        with stopping(self.saving, self.validation) as signals:
            self._train(signals)
        self.progress.close()
        if signals:
            self.saving.save_now(trainer)
            directory.write_json(self.out / directory.MANIFEST, about | manifest.so_far(about, started))
            raise InterruptedRunError(signals[0], trainer.position.update, self.out)
        self._export()
        self.metrics.write("end", trainer.position.update, seconds=round(trainer.seconds, 3))
        directory.write_json(
            self.out / directory.MANIFEST, about | manifest.so_far(about, started) | manifest.at_end(trainer)
        )

    def _go_back(self) -> None:
        """To the newest checkpoint that is whole; what came after it is forgotten."""
        self.checkpoints.recover()
        update, flaws = self.checkpoints.newest()
        for flaw in flaws:
            say(f"{flaw}; the checkpoint before it is used")
        if update is None:
            self.metrics.cut(0)
            return
        self.saving.resume(self.trainer, update)
        self.trainer.stop = self.early is not None and self.early.exhausted()
        say(f"{self.out}: going on from update {update}")

    def _train(self, signals: list[int]) -> None:
        trainer = self.trainer
        if self.validation.due(trainer.position.update):  # left by a signal, after what stands before it
            for callback in self.callbacks[self.callbacks.index(self.validation) :]:
                callback.after_update(trainer, Step(0.0, 0, 0.0, 0.0))
        trainer.run(self.callbacks)
        if not signals:
            trainer.finish(self.callbacks)

    def _export(self) -> None:
        training = self.config.training
        chosen = self.saving.best()[:1]
        text = f"of update {chosen[0]}, the best by validation {training.select}"
        if training.select == "average":
            kept = self.saving.validated() if training.average.of == "last" else self.saving.best()
            chosen = kept[: training.average.count]
            text = f"the average of updates {', '.join(map(str, sorted(chosen)))}"
        export(
            self.out / directory.MODEL,
            weights=self.checkpoints.weights(chosen),
            tokenizer=self.corpora.tokenizer,
            config=self.config,
            data=self.corpora.train.name,
            chosen=text,
            metrics=self.validation.history[chosen[0]] if len(chosen) == 1 else {},
        )
        skipped = self.trainer.position.skipped
        note = f"; {skipped:,} updates were skipped, without a finite loss and gradient" if skipped else ""
        say(f"{self.out / directory.MODEL}: {text}{note}")


def network(config: Config, corpora: Corpora) -> Seq2Seq:
    """The untrained model of a config, for the vocabulary of its corpora."""
    return build_seq2seq(
        config.model,
        source_size=corpora.tokenizer.source_size,
        target_size=corpora.tokenizer.target_size,
        max_length=config.data.max_length,
    )


def _name(out: Path) -> str:
    """What to call a run while it trains: in a comparison, NAME of NAME/seed-1 too."""
    return f"{out.parent.name}/{out.name}" if out.name.startswith("seed-") else out.name
