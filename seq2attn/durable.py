"""Writing that survives a crash: files and folders are on the disk before they have their name.

Every change of the file system goes through `os`, so that tests can let each of them fail.
"""

import hashlib
import os
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from seq2attn.ending import before_end

SUMS = "SHA256SUMS"  # as `sha256sum --check` reads it
_BINARY = getattr(os, "O_BINARY", 0)


def write_file(path: Path, content: bytes) -> None:
    """Write and sync. Raises OSError that names the file."""
    with _named(path):
        _write(path, content, os.O_TRUNC, synced=True)


def append(path: Path, content: bytes) -> None:
    """Add to the end of a file. Raises OSError that names the file."""
    with _named(path):
        _write(path, content, os.O_APPEND, synced=False)


def write_whole(path: Path, text: str) -> None:
    """A UTF-8 file that a reader sees as it was before or as it is now, never in between."""
    aside = _aside(path, "writing")
    write_file(aside, text.encode())
    os.replace(aside, path)
    sync(path.parent)


@contextmanager
def open_whole(path: Path) -> Iterator[TextIO]:
    """A UTF-8 file to write piece by piece, which takes the place of `path` only when the block ends without an error.

    A link stays a link, and several writers at once do not disturb each other: the last one to end wins. Raises OSError.
    """
    target = path.resolve()
    aside = _aside(target, f"{uuid.uuid4().hex}.writing")
    with before_end(lambda: aside.unlink(missing_ok=True)):
        try:
            with open(
                os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "w", encoding="utf-8", newline="\n"
            ) as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(aside, target)
            sync(target.parent)
        finally:
            if aside.exists():
                os.unlink(aside)


def write_folder(folder: Path, files: Iterable[tuple[str, bytes]]) -> None:
    """A folder of files that appears whole; an old one of that name stays until the new one is on the disk.

    After a crash between the two renames, `recover` puts the old one back.
    """
    aside, old = _aside(folder, "writing"), _aside(folder, "old")
    recover(folder)
    remove_folder(aside)
    os.mkdir(aside)
    for name, content in files:
        write_file(aside / name, content)
    sync(aside)
    if folder.exists():
        os.replace(folder, old)
    os.replace(aside, folder)
    sync(folder.parent)
    remove_folder(old)


def with_sums(files: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    """The files one after the other, and last their checksums."""
    sums = ""
    for name, content in files:
        sums += f"{hashlib.sha256(content).hexdigest()}  {name}\n"
        yield name, content
    yield SUMS, sums.encode()


def recover(folder: Path) -> None:
    """Finish what a crash in `write_folder` left: the folder is the new one if that was in place, else the old one."""
    old = _aside(folder, "old")
    if old.exists() and folder.exists():
        remove_folder(old)
    elif old.exists():
        os.replace(old, folder)


def drop_folder(folder: Path) -> None:
    """Remove a folder that must never be seen half removed."""
    gone = _aside(folder, "gone")
    remove_folder(gone)
    os.replace(folder, gone)
    remove_folder(gone)


def remove_folder(folder: Path) -> None:
    """Remove a folder with all that is in it, if it is there."""
    if folder.exists():
        for path in sorted(folder.iterdir()):
            if path.is_dir() and not path.is_symlink():
                remove_folder(path)
            else:
                os.unlink(path)
        os.rmdir(folder)


def sync(path: Path) -> None:
    """Make a file, or (where the system can) a folder, durable."""
    if os.name == "nt" and path.is_dir():
        return
    with _named(path):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _aside(path: Path, what: str) -> Path:
    return path.with_name(f".{path.name}.{what}")


def _write(path: Path, content: bytes, how: int, *, synced: bool) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | how | _BINARY, 0o666)
    try:
        left = memoryview(content)
        while left:
            left = left[os.write(descriptor, left) :]
        if synced:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Give an OSError, which knows its file only when it comes from opening, that name."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise
