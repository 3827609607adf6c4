"""Training a config into a run directory: from the start, from where it stopped, or from other weights."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from seq2attn import machine
from seq2attn.config.advice import give_advice
from seq2attn.config.config import Config
from seq2attn.errors import Seq2attnError
from seq2attn.inference.run_files import is_run
from seq2attn.runs.directory import Run, check_removable, clear
from seq2attn.runs.lock import hold_lock
from seq2attn.runs.manifest import list_changes
from seq2attn.runs.opening import OpenedRun, open_run
from seq2attn.runs.origin import Origin
from seq2attn.runs.progress import say
from seq2attn.runs.session import Session
from seq2attn.training.memory import is_out_of_memory
from seq2attn.training.trial import estimate_training


def train(
    config: Config,
    out: Path,
    *,
    device: str = "auto",
    threads: int | None = None,
    overwrite: bool = False,
    start_from: Path | None = None,
) -> None:
    """Train `config` into `out`, go on where an unfinished run of the same config stopped, or return if it is finished.

    A new run begins with fresh weights, or with those at `start_from`: a run, a checkpoint or a model folder. With
    `overwrite`, the run that is there is removed first. Raises UsageError, naming what differs, if `out` holds anything
    else, or if another process trains there.
    """
    chosen = machine.choose_device(device)
    machine.set_up_torch(threads)
    with explain_failures(out):
        opened = _open(config, out, chosen, overwrite, start_from)
        if opened.is_done:
            assert opened.before is not None
            say(f"{out}: finished already, after {opened.before.manifest.updates} updates")
            return
        if opened.before is not None:
            with hold_lock(out):
                pass  # refused now rather than after the corpora are read
            if changes := list_changes(opened.before.manifest, chosen):
                say(
                    f"{out}: goes on with other threads, hardware or versions ({'; '.join(changes)}): sums may round differently"
                )
        session = Session(opened)
        for line in _describe(session):
            say(line)
        out.mkdir(parents=True, exist_ok=True)
        with hold_lock(out):
            if overwrite:
                check_removable(out)
                clear(out)  # only now: nothing of the new run can be wrong any more
            opened.check_unchanged()
            session.run()


def plan_training(
    config: Config,
    out: Path,
    *,
    device: str = "auto",
    threads: int | None = None,
    overwrite: bool = False,
    start_from: Path | None = None,
) -> str:
    """Build everything that `train` would, run a few batches forward and backward, and say what training would take.

    Nothing is written.
    """
    chosen = machine.choose_device(device)
    machine.set_up_torch(threads)
    with explain_failures(out):
        session = Session(_open(config, out, chosen, overwrite, start_from))
        session.try_largest_batches()
        accumulation = session.opened.config.training.accumulation
        estimate = estimate_training(session.trainer, session.plan_whole_epoch(), accumulation=accumulation)
        return "\n".join([*_describe(session), estimate])


def _open(config: Config, out: Path, device: torch.device, overwrite: bool, start_from: Path | None) -> OpenedRun:
    if overwrite:
        check_removable(out)
    origin = None if start_from is None else _find_origin(start_from, out, overwrite)
    return open_run(config, out, device, overwrite=overwrite, origin=origin)


def _find_origin(start_from: Path, out: Path, overwrite: bool) -> Origin | None:
    """What to begin with; None if the run in `out` began with it already, and it is there no longer."""
    if not overwrite and not start_from.exists() and is_run(out):
        record = Run.open(out).manifest.forked_from
        if record is not None and record.run == str(start_from):
            return None
    origin = Origin.open(start_from)
    origin.check_apart(out)
    return origin


@contextmanager
def explain_failures(out: Path) -> Iterator[None]:
    """Say in one clear line what ends training: a disk that is full, read-only or gone, or memory that is full."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise Seq2attnError(
            f"{error.filename or out}: {error.strerror or error}",
            "the checkpoints that are there stay whole: when this is mended, run the same command again to go on",
        ) from error
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise Seq2attnError(
            f"{out}: out of memory: {' '.join(str(error).split())[:200]}",
            "lower training.batch_tokens (and raise training.accumulation), or free memory and run the same command again",
        ) from error


def _describe(session: Session) -> list[str]:
    """What is going to be trained, line by line."""
    config, corpora, device = session.opened.config, session.corpora, session.opened.device
    encoder, decoder = config.model.encoder.type, config.model.decoder.type
    tokenizer, training = corpora.tokenizer, config.training
    sizes = (
        f"{tokenizer.target_size:,}" if tokenizer.joint else f"{tokenizer.source_size:,} + {tokenizer.target_size:,}"
    )
    origin = session.opened.origin if session.opened.before is None else None
    return [
        *corpora.notes,
        *([] if origin is None else [f"begins with the weights of {origin.describe()}"]),
        f"{encoder} encoder, {decoder} decoder: {session.model.parameter_count:,} parameters; {sizes} subwords",
        f"{corpora.train.name}: {len(corpora.encoded):,} pairs; validation on {len(corpora.validation.source):,}",
        f"{training.max_updates:,} updates of {_count(training.accumulation, 'batch', 'batches')} of at most "
        f"{training.batch_tokens:,} tokens, {training.precision} on {device.type} with "
        f"{_count(torch.get_num_threads(), 'thread', 'threads')}",
        *give_advice(config.model),
        *(
            []
            if device.type == "cpu"
            else [f"on {device.type} a run repeats only as far as PyTorch's kernels there do"]
        ),
    ]


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
