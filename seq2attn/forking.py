"""Processes that are forked from this one: signals are left to the parent, and they end with it, however it ends."""

import os
import signal
import threading
from collections.abc import Callable

from seq2attn.ending import SIGNALS


def fork(work: Callable[[], object], reading: int, writing: int) -> int:
    """Let a child do `work` and end; gives its process id. `reading`, `writing`: a pipe that the parent holds open."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # until the child ignores them
    try:
        child = os.fork()
        if child == 0:
            try:
                begin_child(reading, writing)
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
                work()
            finally:
                os._exit(0)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return child


def begin_child(reading: int, writing: int) -> None:
    """What a forked process does first. `reading`, `writing`: a pipe that the parent made before it forked and holds open."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    os.close(writing)  # then only the parent holds it, and reading comes to an end when the parent does
    threading.Thread(target=lambda: os.read(reading, 1) or os._exit(1), daemon=True).start()
