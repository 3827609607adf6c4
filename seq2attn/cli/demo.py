"""`seq2attn demo`: the four systems on the corpus that ships with the project."""

from pathlib import Path
from typing import Annotated

import typer

from seq2attn.cli.compare import show_comparison, tell_growth
from seq2attn.cli.options import Device, Jobs, Threads
from seq2attn.resources import resource

SYSTEMS = ("lstm", "bahdanau", "luong", "transformer")
QUICK = ("lstm", "bahdanau")


def demo(
    quick: Annotated[bool, typer.Option("--quick", help="The baseline and Bahdanau only, in a few minutes.")] = False,
    out: Annotated[Path, typer.Option("--out", help="Folder of the report and the runs.")] = Path("runs/demo"),
    device: Device = "auto",
    threads: Threads = None,
    jobs: Jobs = 2,
) -> None:
    """Train an LSTM without attention, Bahdanau, Luong and a Transformer, and show what attention changes.

    Needs no download: the sentences come from a grammar that ships with seq2attn. Run again to go on where it stopped.
    """
    from seq2attn.compare.compare import Question, compare

    folder = resource("configs/demo")
    comparison = compare(
        Question(tuple(str(folder / f"{name}.yaml") for name in (QUICK if quick else SYSTEMS)), out),
        device=device,
        threads=threads,
        jobs=jobs,
        command=["seq2attn", "demo", *(["--quick"] if quick else []), "--out", str(out)],
        after_each=lambda state: tell_growth(len(state.systems), len(state.pending), out),
    )
    show_comparison(comparison, out)
