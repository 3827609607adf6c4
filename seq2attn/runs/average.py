"""The average of a run's checkpoints as a model folder."""

from pathlib import Path
from typing import Literal

from seq2attn.errors import UsageError
from seq2attn.inference.checkpoints import choose_update
from seq2attn.inference.export import export
from seq2attn.inference.run_files import check_no_checkpoint
from seq2attn.runs.directory import Run
from seq2attn.training.ranking import sort_best_first


def average_run(
    path: Path, out: Path, *, count: int, of: Literal["last", "best"], checkpoint: str | int | None = None
) -> Path:
    """Average the `count` last checkpoints of the run `path`, or the best by its metric; write `out`, return it.

    With `checkpoint` ("last", "best" or an update) that one alone becomes the model. The run need not be finished. Raises
    UsageError if fewer are kept, or if `out` is there.
    """
    check_no_checkpoint(path)
    run = Run.open(path)
    if out.exists():
        raise UsageError(f"{out}: exists already", "choose another --out")
    chosen = _choose(run, count, of) if checkpoint is None else [choose_update(path, checkpoint)]
    what = "the average of updates" if len(chosen) > 1 else "of update"
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        export(
            out,
            weights=run.checkpoints.read_weights(chosen),
            tokenizer=run.tokenizer(),
            config=run.config,
            limit=run.output_limit(),
            data=run.manifest.data.train.name,
            chosen=f"{what} {', '.join(map(str, chosen))}",
            metrics={},
        )
    except OSError as error:
        raise UsageError(f"{out}: cannot be written: {error.strerror}", "choose another --out") from error
    return out


def _choose(run: Run, count: int, of: Literal["last", "best"]) -> list[int]:
    """The updates to average, oldest first."""
    history = run.checkpoints.read_validations()
    updates = (
        sorted(history, reverse=True) if of == "last" else sort_best_first(run.config.training.ranking_metric, history)
    )
    if not updates:
        raise UsageError(f"{run.path}: no checkpoint was validated yet", "run its `seq2attn train` command again")
    if len(updates) < count:
        raise UsageError(
            f"{run.path}: keeps {len(updates)} validated checkpoints, not {count}{_describe_others(run, updates)}",
            f"train with --set training.keep_{of}={count}, or average --count {len(updates)}",
        )
    return sorted(updates[:count])


def _describe_others(run: Run, validated: list[int]) -> str:
    """Name the checkpoints that do not count: that of a stop, and those that came by time."""
    others = [str(update) for update in run.checkpoints.updates() if update not in validated]
    return f" (not counted, since they were not validated: {', '.join(others)})" if others else ""
