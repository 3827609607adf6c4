"""Output: files, checked before any work is done for them and written whole, and standard output."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from seq2attn.durable import open_whole
from seq2attn.errors import UsageError

_PACKED = (".gz", ".xz", ".zst", ".bz2", ".zip")
_HINT = "choose another --output"


def check_output(path: Path) -> None:
    """Raises UsageError if `path` cannot be written."""
    folder = path.resolve().parent
    if path.suffix in _PACKED:
        raise UsageError(
            f"{path}: translations are written as plain text", f"write {path.with_suffix('')}, and pack it afterwards"
        )
    if path.is_dir():
        raise UsageError(f"{path}: is a folder", _HINT)
    if not folder.is_dir():
        raise UsageError(f"{path}: there is no folder {folder}", "make it first, or choose another --output")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise UsageError(f"{path}: cannot be written: permission denied", _HINT)


@contextmanager
def open_output(path: Path) -> Iterator[TextIO]:
    """A UTF-8 text file that appears when it is whole; a pipe or a device is written directly.

    Raises UsageError if it cannot be written.
    """
    special = path.exists() and not path.is_file()
    try:
        with path.open("w", encoding="utf-8", newline="\n") if special else open_whole(path) as file:
            yield file
    except BrokenPipeError:
        raise
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}", _HINT) from error


@contextmanager
def open_standard_output() -> Iterator[TextIO]:
    """Standard output in UTF-8, with line feeds alone. Raises UsageError if it cannot be written."""
    if sys.stdout is None:
        raise UsageError("standard output is closed", "choose an --output")
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")  # type: ignore[union-attr]
    try:
        yield sys.stdout
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        discard_output()
        raise UsageError(f"standard output: cannot be written: {error.strerror}", "choose an --output") from error


def discard_output() -> None:
    """Drop what is still to be written to standard output: nobody reads it, and Python must not complain when it ends."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)
