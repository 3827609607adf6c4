"""`seq2attn attend`: what models look at while they translate one sentence."""

import importlib.util
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seq2attn.cli.options import Beam, Checkpoint, Device, Threads
from seq2attn.cli.output import check_output, open_output
from seq2attn.errors import UsageError

if TYPE_CHECKING:
    from seq2attn.inference.attend import Attended

PICTURES = (".png", ".svg", ".pdf")


def attend(
    models: Annotated[
        list[Path], typer.Argument(metavar="RUN_OR_MODEL...", help="Run directories, or their model/ folders.")
    ],
    sentence: Annotated[str, typer.Argument(metavar="SENTENCE", help="A sentence of the source language.")],
    translation: Annotated[
        str | None, typer.Option(help="A translation that every model reads, instead of writing its own.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="Write FILE.html, .json, or a picture: .png, .svg, .pdf; else print tables."
        ),
    ] = None,
    beam: Beam = None,
    checkpoint: Checkpoint = None,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Show which words of a sentence each model looks at when it writes each word of its translation."""
    if output is not None:
        _check_file(output)
    from seq2attn.inference.model import load
    from seq2attn.machine import set_up_torch

    set_up_torch(threads)
    loaded = [load(model, device, checkpoint) for model in models]
    attended = [
        replace(model.attend(sentence, translation, beam=beam), name=str(path))  # the name that the user gave
        for model, path in zip(loaded, models, strict=True)
    ]
    if output is None:
        typer.echo("\n\n".join(one.to_text() for one in attended))
    else:
        _write(attended, output)


def _check_file(output: Path) -> None:
    """Raises UsageError, before any model is loaded, for a file of no known kind, or one that cannot be written."""
    suffix = output.suffix.lower()
    if suffix not in (".html", ".json", *PICTURES):
        hint = "for example --output attention.html"
        raise UsageError(f"{output}: a file's name ends in .html, .json, .png, .svg or .pdf", hint)
    if suffix in PICTURES and importlib.util.find_spec("matplotlib") is None:
        raise UsageError(
            f"{output}: matplotlib, which draws it, is not installed", "pip install 'seq2attn[plot]', or write .html"
        )
    check_output(output)


def _write(attended: list["Attended"], output: Path) -> None:
    suffix = output.suffix.lower()
    if suffix in PICTURES:
        from seq2attn.probes.pictures import write_picture
        from seq2attn.probes.plots_models import draw_attended

        write_picture(draw_attended(attended), output, "--output")
        return
    if suffix == ".html":
        from seq2attn.inference.attention_page import render_page

        text = render_page(attended)
    else:
        text = json.dumps([one.to_json() for one in attended], ensure_ascii=False) + "\n"
    with open_output(output) as file:
        file.write(text)
