"""The average of a run's checkpoints as a model folder."""

from pathlib import Path
from typing import Literal

from seq2attn.errors import UsageError
from seq2attn.inference.export import export
from seq2attn.runs.directory import Run
from seq2attn.training.ranking import rank


def average_run(path: Path, out: Path, *, count: int, of: Literal["last", "best"]) -> Path:
    """Average the `count` last checkpoints of the finished run `path`, or the best by its metric; write `out`, return it.

    Raises UsageError if fewer are kept, or if `out` is there.
    """
    run = Run.open(path)
    checkpoints = run.checkpoints
    if out.exists():
        raise UsageError(f"{out}: exists already", "choose another --out")
    if not run.finished:
        raise UsageError(f"{path}: this run is not finished", "run its `seq2attn train` command again")
    newest, _ = checkpoints.newest()
    history = {} if newest is None else checkpoints.read_state(newest).callbacks.validation.history
    updates = [update for update in checkpoints.updates() if update in history]
    if of == "best":
        select = run.config.training.select
        metric = "bleu" if select == "average" else select
        updates = sorted(updates, key=lambda update: (rank(metric, history[update]), update))
    if len(updates) < count:
        raise UsageError(
            f"{path}: keeps {len(updates)} checkpoints, not {count}",
            f"train with --set training.keep_{of}={count}, or average --count {len(updates)}",
        )
    chosen = sorted(updates[-count:])
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        export(
            out,
            weights=checkpoints.read_weights(chosen),
            tokenizer=run.tokenizer(),
            config=run.config,
            data=run.manifest.data.train.name,
            chosen=f"the average of updates {', '.join(map(str, chosen))}",
            metrics={},
        )
    except OSError as error:
        raise UsageError(f"{out}: cannot be written: {error.strerror}", "choose another --out") from error
    return out
