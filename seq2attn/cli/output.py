"""Output: files that are checked before any work is done for them and written whole; standard output."""

import os
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from seq2attn.errors import UsageError

_HINT = "choose another --output"


def check_output(path: Path) -> None:
    """Raises UsageError if `path` cannot be written."""
    folder = path.resolve().parent
    if path.is_dir():
        raise UsageError(f"{path}: is a folder", _HINT)
    if not folder.is_dir():
        raise UsageError(f"{path}: there is no folder {folder}", "make it first, or choose another --output")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise UsageError(f"{path}: cannot be written: permission denied", _HINT)


@contextmanager
def writing(path: Path) -> Iterator[TextIO]:
    """A text file that appears when it is whole; what is no regular file (a pipe, a device) is written directly."""
    direct = path.exists() and not path.is_file()
    target = path.resolve()  # a link stays a link
    place = path if direct else target.with_name(f".{target.name}.{uuid.uuid4().hex}.writing")
    try:
        with place.open("w", encoding="utf-8", newline="\n") as file:
            yield file
            if not direct:
                file.flush()
                os.fsync(file.fileno())
        if not direct:
            place.replace(target)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}", _HINT) from error
    finally:
        if not direct:
            place.unlink(missing_ok=True)


@contextmanager
def standard_output() -> Iterator[TextIO]:
    """Standard output in UTF-8, with line feeds alone."""
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
    """Send what is still to be written to standard output nowhere: nobody reads it, and the end must not complain."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
