"""`seq2attn train`: one config into one run directory."""

from pathlib import Path
from typing import Annotated

import typer

Overrides = Annotated[list[str] | None, typer.Option("--set", metavar="a.b=c", help="Override a key (repeatable).")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
Threads = Annotated[int | None, typer.Option(min=1, help="CPU threads.")]


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
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Remove the run that is in RUN first.")] = False,
) -> None:
    """Train a model. An unfinished run of the same config goes on where it stopped."""
    from seq2attn.experiment.load import load_config
    from seq2attn.experiment.run import plan_text
    from seq2attn.experiment.run import train as run_training

    loaded = load_config(config, [*(overrides or ()), *([] if seed is None else [f"seed={seed}"])])
    if dry_run:
        typer.echo(plan_text(loaded, None if overwrite else out, device, threads))
        return
    run_training(loaded, out, device=device, threads=threads, overwrite=overwrite)
    typer.echo(out / "model")
