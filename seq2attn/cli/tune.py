"""`seq2attn tune`: the beam and the length penalty of a model, chosen on its validation set."""

import json
from pathlib import Path
from typing import Annotated

import typer

from seq2attn.cli.numbers import parse_numbers, parse_whole_numbers
from seq2attn.cli.options import AsJson, Device, Precision, RunOrModel, Threads
from seq2attn.errors import UsageError


def tune(
    model: RunOrModel,
    beams: Annotated[str, typer.Option(help="Beams to try: 1,2,4.")] = "1,2,4,6,8",
    penalties: Annotated[str, typer.Option(help="Length penalties to try with each beam: 0,0.5,1.")] = "0,0.5,1,1.5,2",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what is best; write nothing.")] = False,
    as_json: AsJson = False,
    device: Device = "auto",
    precision: Precision = None,
    threads: Threads = None,
) -> None:
    """Choose beam and length penalty by BLEU on the validation set, and write them into the model's config."""
    from seq2attn.build.data import find_source
    from seq2attn.inference.export import write_settings
    from seq2attn.inference.model import load
    from seq2attn.inference.tune import list_settings
    from seq2attn.inference.tune import tune as run_tuning
    from seq2attn.machine import set_up_torch
    from seq2attn.runs.progress import count_progress

    tried = parse_whole_numbers(beams, option="--beams", example="1,2,4")
    weighed = parse_numbers(penalties, option="--penalties", example="0,0.5,1")
    if not tried or not weighed:
        raise UsageError("nothing to try", "for example --beams 1,2,4 --penalties 0,0.5,1")
    set_up_torch(threads)
    loaded = load(model, device, None, precision)
    source = find_source(loaded.config, "validation", Path(model))
    assert source is not None  # every config has validation pairs
    pairs = [(pair.source, pair.target) for pair in source.pairs()]
    passes = len(list_settings(tried, weighed))
    with count_progress(str(model), passes * len(pairs), unit="sentences") as progress:
        tuning = run_tuning(loaded, pairs, beams=tried, penalties=weighed, progress=progress)
    typer.echo(json.dumps(tuning.to_json(), indent=2) if as_json else tuning.to_text())
    if not dry_run:
        best = tuning.best
        for folder in write_settings(Path(model), beam=best.beam, length_penalty=best.length_penalty):
            typer.echo(f"{folder}: evaluation.beam and evaluation.length_penalty are written", err=True)
