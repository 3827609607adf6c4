"""`seq2attn translate`: lines in, lines out."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from seq2attn.cli.output import check_output, writing
from seq2attn.cli.train import Device, Threads
from seq2attn.errors import DataError, UsageError

if TYPE_CHECKING:
    from seq2attn.search import Search


def translate(
    model: Annotated[Path, typer.Argument(metavar="RUN_OR_MODEL", help="Run directory, or its model/ folder.")],
    source: Annotated[Path | None, typer.Argument(metavar="INPUT", help="Text file; without it, stdin.")] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Text file; without it, stdout.")] = None,
    beam: Annotated[int, typer.Option(min=1, help="Hypotheses kept at a time; 1 is greedy search.")] = 5,
    length_penalty: Annotated[
        float, typer.Option(min=0, help="Exponent α of the length penalty ((5 + n) / 6)^α.")
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
    batch_tokens: Annotated[int, typer.Option(min=1, help="Source subwords of a batch, padding included.")] = 4000,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Translate a text: one line out for each line in, in order; a blank line stays blank."""
    from seq2attn.experiment import machine
    from seq2attn.experiment.model import load

    if n_best is not None and n_best > (1 if sample else beam):
        hint = "a sample is one translation" if sample else f"raise --beam to {n_best}"
        raise UsageError(f"--n-best {n_best}: only {1 if sample else beam} are made", hint)
    if output is not None and str(output) != "-":
        check_output(output)
    search = _search(beam, length_penalty, sample, temperature, top_k, seed)
    machine.set_up(threads)
    loaded = load(model, device)
    with _reading(source) as lines, _writing(output) as out:
        for number, hypotheses in enumerate(loaded.search(lines, search, batch_tokens=batch_tokens), start=1):
            if n_best is None:
                out.write(hypotheses[0].text + "\n")
            else:
                out.writelines(f"{number} ||| {h.text} ||| {h.score:.4f}\n" for h in hypotheses[:n_best])


def _search(
    beam: int, length_penalty: float, sample: bool, temperature: float, top_k: int | None, seed: int
) -> "Search":
    from seq2attn.search import Beam, Greedy, Sampling

    if sample:
        return Sampling(temperature, top_k, seed)
    return Greedy() if beam == 1 else Beam(beam, length_penalty)


@contextmanager
def _reading(path: Path | None) -> Iterator[Iterator[str]]:
    """The lines of a file or of stdin: only a line feed ends one; a carriage return before it belongs to the end."""
    if path is None or str(path) == "-":
        yield _lines(sys.stdin.buffer, "standard input")
        return
    try:
        file = path.open("rb")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}", "name a text file, one sentence a line") from error
    with file:
        yield _lines(file, str(path))


def _lines(stream: Iterator[bytes], name: str) -> Iterator[str]:
    for number, line in enumerate(stream, start=1):
        try:
            yield line.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise DataError(f"{name}:{number}: not valid UTF-8", "convert the text to UTF-8 first") from error


@contextmanager
def _writing(path: Path | None) -> Iterator[TextIO]:
    """A file that appears when it is whole, or stdout."""
    if path is None or str(path) == "-":
        sys.stdout.reconfigure(encoding="utf-8", newline="\n")  # type: ignore[union-attr]
        yield sys.stdout
        sys.stdout.flush()
        return
    with writing(path) as file:
        yield file
