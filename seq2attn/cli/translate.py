"""`seq2attn translate`: lines in, lines out."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import BufferedIOBase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TextIO

import typer

from seq2attn.cli.options import Beam, Checkpoint, Device, LengthPenalty, MaxOutput, Precision, RunOrModel, Threads
from seq2attn.cli.output import check_output, discard_output, open_output, open_standard_output
from seq2attn.errors import DataError, UsageError

if TYPE_CHECKING:
    from seq2attn.search import Search
    from seq2attn.search.engine import Translation


def translate(
    model: RunOrModel,
    source: Annotated[
        Path | None, typer.Argument(metavar="INPUT", help="Text file, plain or packed; without it, stdin.")
    ] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Text file; without it, stdout.")] = None,
    beam: Beam = None,
    length_penalty: LengthPenalty = None,
    n_best: Annotated[
        int | None, typer.Option(min=1, help="Print the K best different texts as `line ||| text ||| score`.")
    ] = None,
    sample: Annotated[bool, typer.Option("--sample", help="Draw translations instead of searching.")] = False,
    temperature: Annotated[
        float, typer.Option(min=0.001, help="With --sample: below 1 is bolder, above 1 wilder.")
    ] = 1.0,
    top_k: Annotated[int | None, typer.Option(min=1, help="With --sample: draw among the K likeliest tokens.")] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=2**32 - 1, help="With --sample: the same seed, the same translations.")
    ] = 1,
    on_long: Annotated[
        Literal["split", "truncate", "error"],
        typer.Option(help="Lines that are too long: translate their sentences, or only their beginning, or stop."),
    ] = "split",
    max_length: Annotated[
        int | None,
        typer.Option(min=2, help="Subwords of a line that is not too long; without it, as long as in training."),
    ] = None,
    max_output: MaxOutput = None,
    encoding_errors: Annotated[
        Literal["strict", "replace"], typer.Option(help="Bytes that are not UTF-8: stop, or read U+FFFD.")
    ] = "strict",
    batch_tokens: Annotated[
        int | None,
        typer.Option(
            min=1, help="Source subwords of a batch, padding included (1000 on a CPU, else 8000).", show_default=False
        ),
    ] = None,
    checkpoint: Checkpoint = None,
    device: Device = "auto",
    precision: Precision = None,
    threads: Threads = None,
) -> None:
    """Translate a text: one line out for each line in, in order; a blank line stays blank."""
    from seq2attn.data.stream import read_windows
    from seq2attn.inference.model import list_remarks, load
    from seq2attn.machine import set_up_torch
    from seq2attn.search import Sampling

    if output is not None and str(output) != "-":
        check_output(output)
    set_up_torch(threads)
    with _open_input(source) as (stream, name):
        loaded = load(model, device, checkpoint, precision)
        search = Sampling(temperature, top_k, seed) if sample else loaded.choose_search(beam, length_penalty)
        _check_n_best(n_best, search)
        with _show_progress(name, output, stream) as progress:
            translator = loaded.make_translator(
                search,
                batch_tokens=batch_tokens,
                on_long=on_long,
                max_length=max_length,
                max_output=max_output,
                progress=progress,
            )
            with _open_results(output) as out:
                _write(translator.translate_windows(read_windows(stream, name, encoding_errors)), n_best, out)
    for remark in list_remarks(translator, on_long):
        typer.echo(remark, err=True)


def _check_n_best(n_best: int | None, search: "Search") -> None:
    from seq2attn.search import Beam, Sampling

    most = search.width if isinstance(search, Beam) else 1
    if n_best is not None and n_best > most:
        hint = "a sample is one translation" if isinstance(search, Sampling) else f"use --beam {n_best} or more"
        message = (
            f"--n-best {n_best}: {'only one translation is' if most == 1 else f'only {most} translations are'} made"
        )
        raise UsageError(message, hint)


def _write(results: "Iterator[list[list[Translation]]]", n_best: int | None, out: TextIO) -> None:
    """Write each window of lines as soon as it is translated."""
    from seq2attn.inference.model import drop_repeated

    written = 0
    for window in results:
        for number, hypotheses in enumerate(window, start=written + 1):
            if n_best is None:
                out.write(hypotheses[0].text + "\n")
            else:
                out.writelines(f"{number} ||| {h.text} ||| {h.score:.4f}\n" for h in drop_repeated(hypotheses)[:n_best])
        out.flush()
        written += len(window)


@contextmanager
def _show_progress(
    name: str, output: Path | None, stream: BufferedIOBase
) -> "Iterator[Callable[[float], None] | None]":
    """A function that is told of each batch and shows how far a text is, or how many lines of a pipe are done.

    None where the translations themselves go to the terminal, or the text is typed there.
    """
    from seq2attn.runs.progress import count_progress

    to_terminal = (output is None or str(output) == "-") and sys.stdout is not None and sys.stdout.isatty()
    if to_terminal or stream.isatty():
        yield None
        return
    with count_progress(name, _count_lines(stream) if stream.seekable() else None, unit="lines") as count:
        yield count


def _count_lines(stream: BufferedIOBase) -> int:
    from seq2attn.data.files import UNREADABLE

    lines, start = 0, stream.tell()
    with suppress(*UNREADABLE):  # whoever reads the text says what is wrong with it
        for _ in stream:
            lines += 1
    stream.seek(start)
    return lines


@contextmanager
def _open_input(path: Path | None) -> Iterator[tuple[BufferedIOBase, str]]:
    """A file, unpacked, or stdin, as bytes; and its name."""
    from seq2attn.data.files import open_unpacked

    if path is None or str(path) == "-":
        if sys.stdin is None:
            raise UsageError("standard input is closed", "name a text file")
        yield sys.stdin.buffer, "standard input"  # type: ignore[misc]
        return
    try:
        stream = open_unpacked(path) if path.is_file() else path.open("rb")  # a pipe can be read only once
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file", "name a text file, one sentence a line") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}", "name a text file, one sentence a line") from error
    with stream:
        yield stream, str(path)


@contextmanager
def _open_results(path: Path | None) -> Iterator[TextIO]:
    """A file that appears when it is whole, or stdout, which ends the command without an error if its reader has left."""
    try:
        with open_standard_output() if path is None or str(path) == "-" else open_output(path) as file:
            yield file
    except BrokenPipeError as error:
        discard_output()
        raise typer.Exit from error
