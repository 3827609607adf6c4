"""`seq2attn sweep`: one config with every combination of some settings."""

import json
from pathlib import Path
from typing import Annotated

import typer

from seq2attn.cli.compare import SystemFailedError
from seq2attn.cli.options import AsJson, Device, Jobs, Overrides, Threads
from seq2attn.errors import UsageError


def sweep(
    configs: Annotated[list[str], typer.Argument(metavar="CONFIG...", help="Config files.")],
    vary: Annotated[
        list[str], typer.Option("--vary", metavar="a.b=1,2,3", help="Train with each of these values (repeatable).")
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder of the runs and the table.")],
    overrides: Overrides = None,
    as_json: AsJson = False,
    device: Device = "auto",
    threads: Threads = None,
    jobs: Jobs = 1,
) -> None:
    """Train every combination of the values, and rank the runs by their validation. Run again to go on where it stopped.

    --set NAME:a.b=c overrides a key of the config NAME.yaml alone. No test set is looked at.
    """
    from seq2attn.compare.runner import LocalRunner
    from seq2attn.compare.sweep import make_table, parse_variation, plan_sweep, to_json
    from seq2attn.compare.sweep import sweep as run_sweep
    from seq2attn.machine import set_up_torch
    from seq2attn.tables import text_table

    cells = plan_sweep(configs, [parse_variation(text) for text in vary], out, tuple(overrides or ()))
    set_up_torch(threads)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{out}: {error.strerror}", "choose another --out") from error
    rows, failed = run_sweep(cells, LocalRunner(device, jobs), out)
    if rows:
        typer.echo(json.dumps(to_json(rows), indent=2) if as_json else text_table(make_table(rows)))
    failures = [
        SystemFailedError(f"{cell.run.path} failed: {error.message}", error.hint, error.exit_code)
        for cell, error in failed
    ]
    if failures:
        first, *others = failures
        raise SystemFailedError(first.message, first.hint, first.exit_code, others)
