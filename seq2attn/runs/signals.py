"""Signals while a run trains: Ctrl-C, SIGTERM, and a terminal that is closed."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seq2attn.ending import list_heeded, name_signal, tell
from seq2attn.errors import Seq2attnError
from seq2attn.training.stop import Stop


class InterruptedRunError(Seq2attnError):
    """A signal ended training after a whole update; a checkpoint is saved."""

    def __init__(self, number: int, update: int, out: Path) -> None:
        super().__init__(
            f"stopped by {name_signal(number)} at update {update}; the checkpoint is saved in {out}",
            "run the same command again to go on",
        )
        self.exit_code = 128 + number


class _ValidationLeft(BaseException):
    """Leaves a validation; resuming makes it again."""


@contextmanager
def stop_on_signals(stop: Stop) -> Iterator[None]:
    """Let the first signal ask `stop` for the end of training; a second one ends the process at once.

    An update is finished first; a validation, which may take long, is left at once and made again when the run goes on. A
    signal that was ignored before (nohup) stays ignored.
    """

    def ask(number: int, frame: object) -> None:
        if stop.signal is not None:
            os._exit(128 + number)
        stop.signal = number
        tell("stopping after this update, or in this validation; the same signal again ends at once\n")
        if stop.validating:
            raise _ValidationLeft

    before = {number: signal.signal(number, ask) for number in list_heeded()}
    try:
        yield
    except _ValidationLeft:
        pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
