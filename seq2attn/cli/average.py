"""`seq2attn average`: the mean of a run's checkpoints as a model."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from seq2attn.cli.options import Checkpoint, Threads


def average(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run directory.")],
    out: Annotated[Path, typer.Option("--out", metavar="MODEL", help="Model folder to write.")],
    count: Annotated[int, typer.Option(min=1, help="How many checkpoints.")] = 5,
    of: Annotated[
        Literal["last", "best"], typer.Option(help="The last ones, or the best by training.select.")
    ] = "last",
    checkpoint: Checkpoint = None,
    threads: Threads = None,
) -> None:
    """Average the weights of a run's checkpoints; training.keep_last and training.keep_best decide how many are kept."""
    from seq2attn.machine import set_up_torch
    from seq2attn.runs.average import average_run

    set_up_torch(threads)
    typer.echo(average_run(run, out, count=count, of=of, checkpoint=checkpoint))
