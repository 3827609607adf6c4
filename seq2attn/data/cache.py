"""The cache folder: what is built once there is complete, for readers in other processes too."""

import os
import shutil
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from seq2attn import durable
from seq2attn.errors import DataError

_ABANDONED = 86_400.0  # seconds without a new file after which nobody builds here any more
_HINT = "set the environment variable SEQ2ATTN_CACHE to a folder with room that you can write to"


def cache_folder() -> Path:
    """$SEQ2ATTN_CACHE, else $XDG_CACHE_HOME/seq2attn, else ~/.cache/seq2attn; not created here."""
    own = os.environ.get("SEQ2ATTN_CACHE")
    if own:
        return Path(own).expanduser()
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache") / "seq2attn"


def build_once(folder: Path, write: Callable[[Path], None]) -> Path:
    """Return `folder`, made by `write` if it is not there yet: written aside, synced to disk, then renamed.

    Processes that build the same folder at once each write aside; the first rename wins and the others use its result.
    Raises DataError if the cache cannot be written; what `write` raises leaves nothing behind. What a killed process left
    goes when something is built there a day later.
    """
    if folder.is_dir():
        return folder
    aside = folder.with_name(f"{folder.name}.{uuid.uuid4().hex}")
    try:
        aside.mkdir(parents=True)
        _remove_left(folder.parent)
        write(aside)
        for path in (*aside.iterdir(), aside):
            durable.sync(path)
        _rename(aside, folder)
        durable.sync(folder.parent)
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(f"cannot write to the cache folder {folder.parent}: {reason}", _HINT) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return folder


def _remove_left(parent: Path) -> None:
    for left in parent.glob("*.*"):
        with suppress(OSError):  # another process removes it too
            if time.time() - left.stat().st_mtime > _ABANDONED:
                shutil.rmtree(left)


def _rename(aside: Path, folder: Path) -> None:
    try:
        os.replace(aside, folder)
    except OSError:
        if not folder.is_dir():  # else another process was first, and wrote the same
            raise
