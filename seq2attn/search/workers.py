"""Work shared out among processes of one thread each."""

import os
import signal
import sys
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any, Generic, TypeVar

import torch

from seq2attn.ending import SIGNALS
from seq2attn.errors import Seq2attnError

T = TypeVar("T")
U = TypeVar("U")


class Workers(Generic[T, U]):
    """As many workers as PyTorch has threads here; each does one item at a time, by itself.

    A step of search is a chain of small products. Threads that share each of them wait for each other at every one; workers with
    an item each do not. They are processes, forked from this one, so that they share what it has in memory, but not Python's
    lock, which threads would pass to and fro at every operation; elsewhere than on Linux, where forking is not safe, they are
    threads. They begin when there is more than one item for the first time, and stay until `end`. What comes out does not
    depend on their number.
    """

    def __init__(self, work: Callable[[T], U]) -> None:
        self._work = work
        self._executor: Executor | None = None
        self._end: Callable[[], object] | None = None

    def map(self, items: Sequence[T]) -> Iterator[U]:
        """`work` of each item, in order. An error ends the others after what they are at.

        Raises Seq2attnError if the system has killed a worker.
        """
        if torch.get_num_threads() == 1 or len(items) <= 1:
            for item in items:
                with _one_thread():
                    result = self._work(item)
                yield result
            return
        if self._executor is None:
            self._begin(torch.get_num_threads())
            assert self._executor is not None
        try:
            yield from self._executor.map(_do, items)
        except BrokenProcessPool as error:
            self.end()
            raise Seq2attnError(
                "a worker process was killed, as the system does when memory runs out",
                "translate with smaller batches, a narrower beam, or fewer threads",
            ) from error

    def end(self) -> None:
        """End the workers; there are new ones when they are needed again."""
        if self._end is not None:
            self._end()
        self._executor = self._end = None

    def _begin(self, number: int) -> None:
        pipe: tuple[int, ...] = ()
        myself = weakref.ref(self)  # an executor keeps what it gives its workers for good
        if sys.platform == "linux":
            pipe = os.pipe()
            self._executor = ProcessPoolExecutor(number, get_context("fork"), _set_up_process, (myself, *pipe))
        else:
            self._executor = ThreadPoolExecutor(number, "worker", _set_up, (myself,))
        self._end = weakref.finalize(self, _end, self._executor, pipe)  # at the latest when Python ends


def _end(executor: Executor, pipe: tuple[int, ...]) -> None:
    executor.shutdown(cancel_futures=True)
    for end in pipe:
        os.close(end)


_here = threading.local()  # what the worker of this thread does


def _do(item: Any) -> Any:
    return _here.work(item)


def _set_up(workers: "weakref.ref[Workers[Any, Any]]") -> None:
    found = workers()
    assert found is not None
    _here.work = found._work
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)  # a setting of each thread, as in `set_up_torch`


def _set_up_process(workers: "weakref.ref[Workers[Any, Any]]", reading: int, writing: int) -> None:
    """Leave signals to the parent, which says when to stop; and end with it, however it ends."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    os.close(writing)  # then only the parent holds it, and reading comes to an end when the parent does
    threading.Thread(target=lambda: os.read(reading, 1) or os._exit(1), daemon=True).start()
    _set_up(workers)


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
