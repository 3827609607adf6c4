"""`seq2attn train`: one config into one run directory."""

from pathlib import Path
from typing import Annotated

import typer

from seq2attn.cli.options import Device, Overrides, Threads


def train(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="Config file.")],
    out: Annotated[Path, typer.Option("--out", metavar="RUN", help="Run directory: new, or of the same config.")],
    overrides: Overrides = None,
    seed: Annotated[int | None, typer.Option(min=0, max=2**32 - 1, help="The same as --set seed=N.")] = None,
    device: Device = "auto",
    threads: Threads = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Check config and data, try a few batches, print the plan with its cost, and stop."
        ),
    ] = False,
    start_from: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="RUN_OR_MODEL",
            help="Begin with these weights and their vocabulary: a run, RUN/checkpoints/update-N, or a model folder.",
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Remove the run that is in RUN first.")] = False,
) -> None:
    """Train a model. An unfinished run of the same config goes on where it stopped."""
    from seq2attn.config.load import load_config, locate_sources
    from seq2attn.runs.train import plan_training
    from seq2attn.runs.train import train as train_run

    overrides = [*(overrides or ()), *([] if seed is None else [f"seed={seed}"])]
    loaded = load_config(config, overrides)
    run = plan_training if dry_run else train_run
    with locate_sources(config, overrides):
        plan = run(loaded, out, device=device, threads=threads, overwrite=overwrite, start_from=start_from)
    typer.echo(plan if dry_run else out / "model")
