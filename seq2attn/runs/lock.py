"""One process trains in a run directory; the lock goes with the process, however that ends."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from seq2attn.errors import UsageError

LOCK = ".lock"
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EINVAL)  # what such a file system answers


@contextmanager
def hold_lock(out: Path) -> Iterator[None]:
    """Hold the run directory `out`. Raises UsageError if another process holds it.

    Where a file system knows no locks, there is none.
    """
    lock = FileLock(out / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise UsageError(f"{out}: another process trains here", "wait for it, or choose another --out") from error
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
    try:
        yield
    finally:
        lock.release()
