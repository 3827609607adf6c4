"""One stretch of training: from the last checkpoint (or the start) to the end (or a signal)."""

import time

import torch

from seq2attn import machine
from seq2attn.build.corpora import PlannedEpoch, load_corpora
from seq2attn.build.evaluation import build_limit
from seq2attn.build.model import build_network
from seq2attn.build.training import build_optimizer, build_schedule
from seq2attn.compiling import allow_compiling, can_compile
from seq2attn.config.config import to_yaml
from seq2attn.durable import write_folder, write_whole
from seq2attn.inference.export import export
from seq2attn.inference.files import CONFIG
from seq2attn.inference.limits import LIMITS, format_limit
from seq2attn.inference.model import describe_cut_lines
from seq2attn.inference.run_files import CHECKPOINTS, MANIFEST, MAPS, METRICS, MODEL, TOKENIZER
from seq2attn.runs.attention_maps import AttentionMaps, choose_rows
from seq2attn.runs.directory import clear
from seq2attn.runs.manifest import Manifest, begin_manifest, end_manifest, pause_manifest
from seq2attn.runs.opening import OpenedRun
from seq2attn.runs.progress import Progress, say
from seq2attn.runs.signals import InterruptedRunError, stop_on_signals
from seq2attn.runs.validation import make_validator
from seq2attn.search import Engine, Greedy, Translator, learn_limit
from seq2attn.training.callbacks import EarlyStopping, Metrics, TrainLog, Validation
from seq2attn.training.checkpoint import Checkpoints
from seq2attn.training.ema import MovingAverage
from seq2attn.training.memory import check_memory
from seq2attn.training.ranking import METRIC_NAMES, explain_standstill
from seq2attn.training.saving import Saving
from seq2attn.training.stop import Stop
from seq2attn.training.trainer import Trainer


class Session:
    """The objects of an opened run, made once, and what is done with them. Nothing is written before `run`.

    The corpora and the network are built here. Raises DataError if a source cannot be read, UsageError if the weights
    that the run is to begin with are those of another model.
    """

    def __init__(self, opened: OpenedRun) -> None:
        self.opened = opened
        config, training = opened.config, opened.config.training
        self.corpora = load_corpora(config, opened.fingerprints, opened.tokenizer())
        allow_compiling(bool(training.compile) and can_compile(opened.device))
        torch.manual_seed(config.seed)
        self.model = build_network(config, self.corpora.tokenizer).to(opened.device)
        if opened.origin is not None and opened.before is None:
            opened.origin.load_into(self.model, config)
        encoded = self.corpora.encoded
        self.limit = (
            learn_limit(encoded.source_lengths, encoded.target_lengths)
            if opened.before is None
            else opened.before.output_limit()
        )
        engine = Engine(self.model, self.corpora.tokenizer, training.precision)  # type: ignore[arg-type]
        self.translator = Translator(engine, Greedy(), limit=build_limit(config, self.limit))
        self.stop = Stop()
        self.trainer = Trainer(
            self.model,
            build_optimizer(training.optimizer, self.model),
            build_schedule(training),
            lambda number: self.corpora.plan_epoch(config, number),
            max_updates=training.max_updates,
            accumulation=training.accumulation,
            clip_norm=training.clip_norm,
            label_smoothing=training.label_smoothing,
            r_drop=training.r_drop,
            autocast=machine.make_autocast(training.precision, opened.device),  # type: ignore[arg-type]
            locate=self.corpora.locate,
            stop=self.stop,
            average=None if training.ema is None else MovingAverage(self.model, training.ema),
        )
        self.progress = Progress(opened.path, training.max_updates)
        self._make_callbacks()

    def _make_callbacks(self) -> None:
        training, out = self.opened.config.training, self.opened.path
        self.checkpoints = Checkpoints(out / CHECKPOINTS)
        self.metrics = Metrics(out / METRICS)
        self.log = TrainLog(self.metrics, training.log_every, self.progress.show_training)
        self.validation = Validation(
            make_validator(self.model, self.corpora, self.opened.config, self.translator),
            self.metrics,
            training.validate_every,
            self.progress.show_validation,
        )
        self.saving = Saving(
            self.checkpoints,
            self.metrics,
            self.log,
            self.validation,
            metric=training.ranking_metric,
            keep_last=training.keep_last,
            keep_best=training.keep_best,
            every_minutes=training.checkpoint_every_minutes,
        )
        early = training.early_stopping
        self.early = None if early is None else EarlyStopping(self.validation, early.metric, early.patience)
        self.maps = self._make_maps()
        self.after_log = [
            self.validation,
            *([] if self.early is None else [self.early]),
            *([] if self.maps is None else [self.maps]),
            self.saving,
        ]

    def _make_maps(self) -> AttentionMaps | None:
        wanted = self.opened.config.training.attention_maps
        if wanted is None:
            return None
        text, encoded = self.corpora.validation, self.corpora.encoded_validation
        rows = choose_rows(
            encoded.source_lengths,
            encoded.target_lengths,
            longest=self.opened.config.data.max_length,
            count=wanted.sentences,
        )
        pairs = [(row, text.source[row], text.target[row]) for row in rows]
        return AttentionMaps(self.opened.path / MAPS, self.corpora.tokenizer, pairs, first=wanted.first)

    def try_largest_batches(self) -> None:
        """Run the batches that take most memory forward and backward. Raises OutOfMemoryError if they do not fit."""
        training = self.opened.config.training
        largest = self.plan_whole_epoch().largest()
        check_memory(self.trainer, largest, batch_tokens=training.batch_tokens, accumulation=training.accumulation)

    def plan_whole_epoch(self) -> PlannedEpoch:
        """The epoch at hand, or under a curriculum the first one of all pairs."""
        config = self.opened.config
        if config.training.curriculum is not None:
            return self.corpora.plan_epoch(config, config.training.curriculum.all_from)
        epoch = self.trainer.epoch
        assert isinstance(epoch, PlannedEpoch)  # as planned in __init__
        return epoch

    def run(self) -> None:
        """Train, validate, export, from the start or the newest whole checkpoint. The run's lock must be held.

        Raises InterruptedRunError after a signal, when a checkpoint is saved.
        """
        started = time.monotonic()
        manifest = self._begin()
        trainer = self.trainer
        if trainer.position.update < trainer.max_updates and not trainer.stop:
            self.try_largest_batches()
        if self.maps is not None:
            self.maps.begin(trainer)
        self.progress.start(trainer.position.update)
        with stop_on_signals(self.stop):
            self._train()
        self.progress.close()
        if self.stop.signal is not None:
            self.saving.save_unless_saved(trainer)
            self._write_manifest(pause_manifest(manifest, started))
            raise InterruptedRunError(self.stop.signal, trainer.position.update, self.opened.path)
        self._export()
        self.metrics.write("end", trainer.position.update, seconds=round(trainer.seconds, 3))
        self._write_manifest(end_manifest(manifest, started, trainer))

    def _begin(self) -> Manifest:
        """Bring the run directory and the trainer to where training goes on, and give the manifest."""
        opened = self.opened
        if opened.before is not None:
            manifest = opened.before.manifest.model_copy(update={"finished": False})
            self._write_manifest(manifest)
            write_whole(opened.path / CONFIG, to_yaml(opened.config))
            self._go_back()
            return manifest
        origin = opened.origin
        manifest = begin_manifest(
            opened.config,
            self.corpora,
            opened.fingerprints,
            self.model,
            opened.device,
            None if origin is None else origin.record(),
        )
        clear(opened.path)  # what a run left that was killed while it began
        write_folder(opened.path / TOKENIZER, self.corpora.tokenizer.files().items())
        write_whole(opened.path / LIMITS, format_limit(self.limit))
        self._write_manifest(manifest)
        if origin is not None:
            self.saving.save(self.trainer)
        write_whole(opened.path / CONFIG, to_yaml(opened.config))  # last: it makes the folder a run
        return manifest

    def _go_back(self) -> None:
        """Go back to the newest checkpoint that is whole, and forget what came after it."""
        self.checkpoints.recover()
        update, flaws = self.checkpoints.newest()
        for flaw in flaws:
            say(f"{flaw}; the checkpoint before it is used")
        if update is None:
            self.metrics.cut(0)
            return
        self.saving.resume(self.trainer, update)
        self.stop.early = self.early is not None and self.early.is_exhausted()
        say(f"{self.opened.path}: going on from update {update}")

    def _train(self) -> None:
        trainer = self.trainer
        if self.validation.is_due(trainer.position.update):  # the last session left it for a signal
            for callback in self.after_log:
                callback.after_update(trainer)
        trainer.run([self.log, *self.after_log])
        if self.stop.signal is None:
            trainer.finish([self.log, *self.after_log])
        if self.stop.signal is None and self.translator.cut:
            say(f"{self.opened.path}: in the last validation, {describe_cut_lines(self.translator)}")

    def _export(self) -> None:
        updates, description = self._choose_checkpoints()
        export(
            self.opened.path / MODEL,
            weights=self.checkpoints.read_weights(updates),
            tokenizer=self.corpora.tokenizer,
            config=self.opened.config,
            limit=self.limit,
            data=self.corpora.train.name,
            chosen=description,
            metrics=self.validation.history[updates[0]] if len(updates) == 1 else {},
        )
        skipped = self.trainer.position.skipped
        note = f"; {skipped:,} updates were skipped, without a finite loss and gradient" if skipped else ""
        say(f"{self.opened.path / MODEL}: {description}{note}")
        remark = explain_standstill(self.opened.config.training.ranking_metric, self.validation.history)
        if remark is not None:
            say(f"{self.opened.path}: {remark}")

    def _choose_checkpoints(self) -> tuple[list[int], str]:
        """The updates whose checkpoints become the model, and how a message says so."""
        training = self.opened.config.training
        if training.select != "average":
            best = self.saving.best()[0]
            return [best], f"of update {best}, the best by validation {METRIC_NAMES[training.select]}"
        wanted, of = training.average.count, training.average.of
        kept = self.saving.validated() if of == "last" else self.saving.best()
        chosen = kept[:wanted]
        text = f"the average of updates {', '.join(map(str, sorted(chosen)))}"
        if len(chosen) < wanted:
            text += f" (training.average.count is {wanted}, but only {len(chosen)} were validated)"
        return chosen, text

    def _write_manifest(self, manifest: Manifest) -> None:
        write_whole(self.opened.path / MANIFEST, manifest.to_json())
