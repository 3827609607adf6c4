"""`seq2attn demo`: the four systems on the corpus that ships with the project."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from seq2attn.cli.compare import tell_growth
from seq2attn.resources import resource

SYSTEMS = ("lstm", "bahdanau", "luong", "transformer")
QUICK = ("lstm", "bahdanau")


def demo(
    quick: Annotated[bool, typer.Option("--quick", help="The baseline and Bahdanau only, in a few minutes.")] = False,
    out: Annotated[Path, typer.Option("--out", help="Folder of the report and the runs.")] = Path("runs/demo"),
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Systems to train at a time, which share the threads.")] = 2,
) -> None:
    """Train an LSTM without attention, Bahdanau, Luong and a Transformer, and show what attention changes.

    Needs no download: the sentences come from a grammar that ships with seq2attn. Run again to go on where it stopped.
    """
    from seq2attn.compare.compare import compare
    from seq2attn.compare.report.tables import terminal_text

    folder = resource("configs/demo")
    words = ["seq2attn", "demo", *(["--quick"] if quick else []), "--out", str(out)]
    comparison = compare(
        [str(folder / f"{name}.yaml") for name in (QUICK if quick else SYSTEMS)],
        out,
        threads=threads,
        jobs=jobs,
        command=shlex.join(words),
        after_each=lambda state: tell_growth(len(state.systems), len(state.pending), out),
    )
    typer.echo(terminal_text(comparison, out / "report.html"))
