"""A new run from another's weights: fresh optimizer, schedule and count of updates, the same vocabulary."""

import os
from pathlib import Path

from seq2attn import durable
from seq2attn.errors import UsageError
from seq2attn import machine
from seq2attn.runs import manifest
from seq2attn.config.config import Config, differences
from seq2attn.runs.progress import say
from seq2attn.runs.train import clear_failures, train
from seq2attn.runs.directory import Run, check, resolved
from seq2attn.runs.session import Session
from seq2attn.training.checkpoint import MODEL, Checkpoints, load_weights, read_tensors


def fork(config: Config, old: Path, new: Path, *, device: str = "auto", threads: int | None = None) -> None:
    """Train `config` into `new`, which begins as the newest whole checkpoint of `old`; go on with `new` if it is there.

    Raises UsageError if the vocabulary or the model would be another one, or if `new` holds anything else.
    """
    machine.set_up_torch(threads)
    source = Run.open(old)
    _check_vocabulary(source, config)
    there = check(config, new, device=device)
    if there is None:
        with clear_failures(new):
            _begin(config, source, new, device)
    elif there.manifest.get("forked_from", {}).get("started") != source.manifest["started"]:
        raise UsageError(f"{new}: holds a run that was not forked from {old}", "choose another --fork")
    train(config, new, device=device, threads=threads)


def _check_vocabulary(source: Run, config: Config) -> None:
    changed = [
        text
        for text in differences(source.config, config)
        if text.startswith(("data.vocab_size:", "data.tokenizer.")) and not text.startswith("data.tokenizer.sampling:")
    ]
    if changed:
        raise UsageError(
            f"{source.path}: a fork keeps its vocabulary; different: {'; '.join(changed)}",
            "leave these as they are, or train a new run with another --out",
        )


def _begin(config: Config, source: Run, new: Path, device: str) -> None:
    """The run directory as it is before its first update, made aside and renamed."""
    update, _ = Checkpoints(source.path / "checkpoints").newest()
    if update is None:
        raise UsageError(f"{source.path}: has no checkpoint yet", "train it first")
    where = machine.choose_device(device)
    aside = new.with_name(f".{new.name}.writing")
    session = Session(resolved(config, None, where), aside, where, source.tokenizer())
    weights = Checkpoints(source.path / "checkpoints").path(update) / MODEL
    load_weights(session.model, read_tensors(weights), weights)
    origin = {"run": str(source.path), "started": source.manifest["started"], "update": update}
    about = manifest.at_start(session.config, session.corpora, session.model, where)
    durable.remove_folder(aside)
    aside.mkdir(parents=True)
    session.saving.save(session.trainer)
    session.begin(about | {"forked_from": origin})
    durable.remove_folder(new)  # free: at most what a run begins with
    os.replace(aside, new)
    durable.sync(new.parent)
    say(f"{new}: begins as update {update} of {source.path}")
