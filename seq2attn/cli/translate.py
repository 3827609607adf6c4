"""`seq2attn translate`: lines in, lines out."""

import gzip
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from io import BufferedIOBase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TextIO

import typer

from seq2attn.cli.options import Beam, Checkpoint, Device, LengthPenalty, MaxOutput, RunOrModel, Threads
from seq2attn.cli.output import check_output, discard_output, open_output, open_standard_output
from seq2attn.errors import DataError, UsageError

if TYPE_CHECKING:
    from seq2attn.search import Search
    from seq2attn.search.translator import Translation

_UNPACK = {".xz": "xz -dc", ".zst": "zstd -dc", ".bz2": "bzip2 -dc"}


def translate(
    model: RunOrModel,
    source: Annotated[
        Path | None, typer.Argument(metavar="INPUT", help="Text file, plain or .gz; without it, stdin.")
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
    batch_tokens: Annotated[int, typer.Option(min=1, help="Source subwords of a batch, padding included.")] = 4000,
    checkpoint: Checkpoint = None,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Translate a text: one line out for each line in, in order; a blank line stays blank."""
    from seq2attn.data.stream import read_windows
    from seq2attn.inference.model import list_remarks, load
    from seq2attn.machine import limit_kernel_cache, set_up_torch
    from seq2attn.search import Sampling

    if output is not None and str(output) != "-":
        check_output(output)
    set_up_torch(threads)
    limit_kernel_cache()
    with _open_input(source) as (stream, name):
        loaded = load(model, device, checkpoint)
        search = Sampling(temperature, top_k, seed) if sample else loaded.choose_search(beam, length_penalty)
        _check_n_best(n_best, search)
        with _show_progress(source, output, stream) as progress:
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
    source: Path | None, output: Path | None, stream: BufferedIOBase
) -> "Iterator[Callable[[int], None] | None]":
    """A function that is told of each batch and shows how far a file is; None where its lines cannot be counted first.

    Nor is it shown where the translations themselves go to the terminal.
    """
    from seq2attn.runs.progress import count_progress

    to_terminal = (output is None or str(output) == "-") and sys.stdout is not None and sys.stdout.isatty()
    if source is None or not source.is_file() or to_terminal:
        yield None
        return
    lines = 0
    with suppress(OSError, EOFError, zlib.error):  # whoever reads the file says what is wrong with it
        for _ in stream:
            lines += 1
    stream.seek(0)
    with count_progress(str(source), lines, unit="lines") as count:
        yield count


@contextmanager
def _open_input(path: Path | None) -> Iterator[tuple[BufferedIOBase, str]]:
    """A file, unpacked if its name ends in .gz, or stdin, as bytes; and its name."""
    if path is None or str(path) == "-":
        if sys.stdin is None:
            raise UsageError("standard input is closed", "name a text file")
        yield sys.stdin.buffer, "standard input"  # type: ignore[misc]
        return
    if path.suffix in _UNPACK:
        raise UsageError(
            f"{path}: of compressed texts only .gz is read",
            f"{_UNPACK[path.suffix]} {path} | seq2attn translate RUN_OR_MODEL",
        )
    try:
        file = path.open("rb")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}", "name a text file, one sentence a line") from error
    with file, gzip.GzipFile(fileobj=file) if path.suffix == ".gz" else nullcontext(file) as stream:
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
