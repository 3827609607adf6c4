"""`seq2attn translate`: lines in, lines out."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedIOBase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TextIO

import typer

from seq2attn.cli.output import check_output, discard_output, standard_output, writing
from seq2attn.cli.train import Device, Threads
from seq2attn.errors import DataError, UsageError

if TYPE_CHECKING:
    from seq2attn.search import Search
    from seq2attn.search.translator import Translation


def translate(
    model: Annotated[Path, typer.Argument(metavar="RUN_OR_MODEL", help="Run directory, or its model/ folder.")],
    source: Annotated[Path | None, typer.Argument(metavar="INPUT", help="Text file; without it, stdin.")] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Text file; without it, stdout.")] = None,
    beam: Annotated[int, typer.Option(min=1, max=1000, help="Hypotheses kept at a time; 1 is greedy search.")] = 5,
    length_penalty: Annotated[
        float, typer.Option(min=0, max=100, help="Exponent α of the length penalty ((5 + n) / 6)^α.")
    ] = 1.0,
    n_best: Annotated[int | None, typer.Option(min=1, help="Print the K best as `line ||| text ||| score`.")] = None,
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
    encoding_errors: Annotated[
        Literal["strict", "replace"], typer.Option(help="Bytes that are not UTF-8: stop, or read U+FFFD.")
    ] = "strict",
    batch_tokens: Annotated[int, typer.Option(min=1, help="Source subwords of a batch, padding included.")] = 4000,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Translate a text: one line out for each line in, in order; a blank line stays blank."""
    from seq2attn import machine
    from seq2attn.data.stream import windows
    from seq2attn.inference.model import load, long_lines_text

    if n_best is not None and n_best > (1 if sample else beam):
        hint = "a sample is one translation" if sample else f"raise --beam to {n_best}"
        raise UsageError(f"--n-best {n_best}: only {1 if sample else beam} are made", hint)
    if output is not None and str(output) != "-":
        check_output(output)
    search = _search(beam, length_penalty, sample, temperature, top_k, seed)
    machine.set_up(threads)
    machine.keep_few_kernels()
    with _reading(source) as (stream, name):
        translator = load(model, device).translator(
            search, batch_tokens=batch_tokens, on_long=on_long, max_length=max_length
        )
        with _writing(output) as out:
            _write(translator.translate_windows(windows(stream, name, encoding_errors)), n_best, out)
    if translator.overlong:
        typer.echo(long_lines_text(translator, on_long), err=True)


def _write(results: "Iterator[list[list[Translation]]]", n_best: int | None, out: TextIO) -> None:
    """Each window as soon as it is translated."""
    written = 0
    for window in results:
        for number, hypotheses in enumerate(window, start=written + 1):
            if n_best is None:
                out.write(hypotheses[0].text + "\n")
            else:
                out.writelines(f"{number} ||| {h.text} ||| {h.score:.4f}\n" for h in hypotheses[:n_best])
        out.flush()
        written += len(window)


def _search(
    beam: int, length_penalty: float, sample: bool, temperature: float, top_k: int | None, seed: int
) -> "Search":
    from seq2attn.search import Sampling, choose_search

    if sample:
        return Sampling(temperature, top_k, seed)
    return choose_search(beam, length_penalty)


@contextmanager
def _reading(path: Path | None) -> Iterator[tuple[BufferedIOBase, str]]:
    """A file or stdin as bytes, and its name."""
    if path is None or str(path) == "-":
        if sys.stdin is None:
            raise UsageError("standard input is closed", "name a text file")
        yield sys.stdin.buffer, "standard input"  # type: ignore[misc]
        return
    try:
        file = path.open("rb")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}", "name a text file, one sentence a line") from error
    with file:
        yield file, str(path)


@contextmanager
def _writing(path: Path | None) -> Iterator[TextIO]:
    """A file that appears when it is whole, or stdout; a reader that leaves is the end."""
    try:
        with standard_output() if path is None or str(path) == "-" else writing(path) as file:
            yield file
    except BrokenPipeError as error:
        discard_output()
        raise typer.Exit from error
