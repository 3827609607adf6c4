"""The cache folder: what is built there appears complete, also to readers in other processes."""

import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from seq2attn import durable
from seq2attn.ending import before_end
from seq2attn.errors import DataError

_UNLOCKED = 86_400.0  # seconds after which a folder that no builder could lock counts as left behind
_HINT = "set the environment variable SEQ2ATTN_CACHE to a folder with room that you can write to"


def cache_folder() -> Path:
    """$SEQ2ATTN_CACHE, else $XDG_CACHE_HOME/seq2attn, else ~/.cache/seq2attn; not created here."""
    chosen = os.environ.get("SEQ2ATTN_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache") / "seq2attn"


def build_once(folder: Path, write: Callable[[Path], None]) -> Path:
    """Return `folder`, filled by `write` if it does not exist yet: written aside, synced to disk, then renamed.

    Processes that build the same folder at once write aside each; the first rename wins and the others use its result.
    A builder holds a lock while it works, so the next build beside it removes at once what a killed builder left, and
    never what a living one is writing. Raises DataError if the cache cannot be written; if `write` raises, nothing stays.
    """
    if folder.is_dir():
        return folder
    aside = folder.with_name(f"{folder.name}.{uuid.uuid4().hex}")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(folder.parent)
        with before_end(lambda: _discard(aside)), _hold_lock(aside):
            try:
                aside.mkdir()
                write(aside)
                for path in (*aside.iterdir(), aside):
                    durable.sync(path)
                _rename(aside, folder)
                durable.sync(folder.parent)
            finally:
                shutil.rmtree(aside, ignore_errors=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(f"cannot write to the cache folder {folder.parent}: {reason}", _HINT) from error
    return folder


def _discard(aside: Path) -> None:
    shutil.rmtree(aside, ignore_errors=True)
    _lock_path(aside).unlink(missing_ok=True)


def _lock_path(aside: Path) -> Path:
    return aside.with_name(f"{aside.name}.lock")


@contextmanager
def _hold_lock(aside: Path) -> Iterator[None]:
    """Lock `aside` before it exists and until it is gone; without a lock where the file system has none."""
    lock = FileLock(_lock_path(aside))
    with suppress(NotImplementedError):
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
        _lock_path(aside).unlink(missing_ok=True)


def _remove_abandoned(parent: Path) -> None:
    """Remove the folders written aside whose builders have ended."""
    for aside in parent.glob("*.*"):
        if aside.suffix != ".lock" and aside.is_dir():
            with suppress(OSError):  # another process removes it too
                _remove_if_abandoned(aside)


def _remove_if_abandoned(aside: Path) -> None:
    if not _lock_path(aside).exists():  # no lock: of a version that took none, or of a file system without locks
        if time.time() - aside.stat().st_mtime > _UNLOCKED:
            shutil.rmtree(aside)
        return
    with suppress(Timeout, NotImplementedError), FileLock(_lock_path(aside), timeout=0):
        shutil.rmtree(aside)
        _lock_path(aside).unlink(missing_ok=True)


def _rename(aside: Path, folder: Path) -> None:
    try:
        os.replace(aside, folder)
    except OSError:
        if not folder.is_dir():  # else another process was first, and wrote the same
            raise
