"""`seq2attn train`: one config into one run directory."""

from pathlib import Path
from typing import Annotated

import typer

from seq2attn.cli.options import Device, Overrides, Threads


def train(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="Config file.")],
    out: Annotated[Path, typer.Option("--out", metavar="RUN", help="Run directory: new, or of the same config.")],
    overrides: Overrides = None,
    seed: Annotated[int | None, typer.Option(help="The same as --set seed=N.")] = None,
    device: Device = "auto",
    threads: Threads = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check config and data, print the plan, and stop.")
    ] = False,
    fork: Annotated[
        Path | None,
        typer.Option(
            "--fork", metavar="NEW_RUN", help="Train into NEW_RUN, from the weights of the last checkpoint in RUN."
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Remove the run that is in RUN first.")] = False,
    until_input_ends: Annotated[bool, typer.Option("--until-input-ends", hidden=True)] = False,  # of who started it
) -> None:
    """Train a model. An unfinished run of the same config goes on where it stopped."""
    from seq2attn.config.load import load_config
    from seq2attn.errors import UsageError

    if until_input_ends:
        from seq2attn.runs.signals import stop_when_input_ends

        stop_when_input_ends()
    if fork is not None and (overwrite or dry_run):
        raise UsageError("--fork goes with neither --overwrite nor --dry-run", "leave one of them out")
    loaded = load_config(config, [*(overrides or ()), *([] if seed is None else [f"seed={seed}"])])
    if fork is not None:
        from seq2attn.runs.fork import fork as run_fork

        run_fork(loaded, out, fork, device=device, threads=threads)
        typer.echo(fork / "model")
        return
    from seq2attn.runs.train import plan_text
    from seq2attn.runs.train import train as run_training

    if dry_run:
        typer.echo(plan_text(loaded, None if overwrite else out, device, threads))
        return
    run_training(loaded, out, device=device, threads=threads, overwrite=overwrite)
    typer.echo(out / "model")
