"""`seq2attn average`: the mean of a run's checkpoints as a model."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from seq2attn.cli.options import Threads
from seq2attn.errors import UsageError


def average(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run directory.")],
    out: Annotated[Path, typer.Option("--out", metavar="MODEL", help="Model folder to write.")],
    count: Annotated[int | None, typer.Option(min=1, help="How many checkpoints; else 5.")] = None,
    of: Annotated[
        Literal["last", "best"] | None, typer.Option(help="The last ones, or the best by training.select; else last.")
    ] = None,
    checkpoint: Annotated[
        str | None, typer.Option(metavar="last|best|N", help="This checkpoint alone, in place of an average.")
    ] = None,
    threads: Threads = None,
) -> None:
    """Average the weights of a run's checkpoints; training.keep_last and training.keep_best decide how many are kept."""
    if checkpoint is not None and (count, of) != (None, None):
        raise UsageError("--checkpoint names one checkpoint, --count and --of several", "leave one or the other out")

    from seq2attn.machine import set_up_torch
    from seq2attn.runs.average import average_run

    set_up_torch(threads)
    typer.echo(average_run(run, out, count=count or 5, of=of or "last", checkpoint=checkpoint))
