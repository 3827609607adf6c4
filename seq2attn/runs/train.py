"""One run: a config trained into a directory, from the start, from where it stopped, or from another run's weights."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from seq2attn.errors import Seq2attnError
from seq2attn import machine
from seq2attn.runs import manifest
from seq2attn.config.config import Config
from seq2attn.config.advice import advice
from seq2attn.build.corpora import Corpora, load_corpora
from seq2attn.runs.lock import locked
from seq2attn.runs.progress import say
from seq2attn.runs.directory import Run, check, check_removable, clear, resolved
from seq2attn.runs.session import Session, network
from seq2attn.models.seq2seq import Seq2Seq
from seq2attn.training.memory import is_out_of_memory


def train(
    config: Config, out: Path, *, device: str = "auto", threads: int | None = None, overwrite: bool = False
) -> None:
    """Train `config` into `out`, go on where an unfinished run of the same config stopped, or return if it is finished.

    Raises UsageError, naming what differs, if `out` holds anything else, or if another process trains there.
    """
    where = machine.choose_device(device)
    machine.set_up_torch(threads)
    if overwrite:
        check_removable(out)
    with clear_failures(out):
        old = None if overwrite else check(config, out, device=device)
        config = resolved(config, old, where)
        if old is not None:
            if _is_done(old, config):
                return
            with locked(out):
                pass  # refused now rather than after the corpora are read
            if different := manifest.moved(old.manifest, where):
                say(f"{out}: goes on elsewhere ({'; '.join(different)}): sums may be rounded differently from here on")
        session = Session(config, out, where, old.tokenizer() if old else None)
        for line in _description(config, session.corpora, session.model, where):
            say(line)
        out.mkdir(parents=True, exist_ok=True)
        with locked(out):
            if overwrite:
                clear(out)  # only now: nothing of the new run can be wrong any more
            old = check(config, out, device=device)  # again, now that nobody else can change it
            if old is None:
                about = manifest.at_start(config, session.corpora, session.model, where)
            elif _is_done(old, config):
                return
            else:
                about = old.manifest | {"finished": False}
            session.run(about)


def plan_text(config: Config, out: Path | None, device: str, threads: int | None = None) -> str:
    """What `train --dry-run` prints: everything is built, nothing is trained."""
    where = machine.choose_device(device)
    machine.set_up_torch(threads)
    config = resolved(config, None if out is None else check(config, out, device=device), where)
    with clear_failures(out or Path()):
        corpora = load_corpora(config)
        return "\n".join(_description(config, corpora, network(config, corpora), where))


@contextmanager
def clear_failures(out: Path) -> Iterator[None]:
    """A disk that is full, read-only or gone, and memory that is full, as one clear line."""
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


def _is_done(old: Run, config: Config) -> bool:
    if not old.finished or old.config.training.max_updates < config.training.max_updates:
        return False
    say(f"{old.path}: finished already, after {old.manifest['updates']} updates")
    return True


def _description(config: Config, corpora: Corpora, model: Seq2Seq, where: torch.device) -> list[str]:
    encoder, decoder = config.model.encoder.type, config.model.decoder.type
    tokenizer, training = corpora.tokenizer, config.training
    sizes = (
        f"{tokenizer.target_size:,}" if tokenizer.joint else f"{tokenizer.source_size:,} + {tokenizer.target_size:,}"
    )
    return [
        *corpora.notes,
        f"{encoder} encoder, {decoder} decoder: {model.parameter_count:,} parameters; {sizes} subwords",
        f"{corpora.train.name}: {len(corpora.encoded):,} pairs; validation on {len(corpora.validation.source):,}",
        f"{training.max_updates:,} updates of {training.accumulation} × {training.batch_tokens:,} tokens at most, "
        f"{training.precision} on {where.type} with {torch.get_num_threads()} threads",
        *advice(config.model),
        *([] if where.type == "cpu" else [f"on {where.type} a run repeats only as far as PyTorch's kernels there do"]),
    ]
