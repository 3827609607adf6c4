"""Ctrl-C and SIGTERM while a run trains."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread

from seq2attn.errors import Seq2attnError
from seq2attn.training.callbacks import Validation
from seq2attn.training.saving import Saving


class InterruptedRunError(Seq2attnError):
    """A signal ended training after a whole step; the checkpoint is written."""

    def __init__(self, number: int, update: int, out: Path) -> None:
        super().__init__(
            f"{out}: stopped by {signal.Signals(number).name} at update {update}; its checkpoint is saved",
            "run the same command again to go on",
        )
        self.exit_code = 128 + number


class _ValidationLeft(BaseException):
    """Leaves a validation; resuming makes it again."""


@contextmanager
def stopping(saving: Saving, validation: Validation) -> Iterator[list[int]]:
    """The first SIGINT or SIGTERM asks for a checkpoint and the end; a second one leaves at once.

    An update is finished first; a validation, which may take long, is left and made again when the run goes on. Gives the
    list of signals received.
    """
    received: list[int] = []

    def handle(number: int, frame: object) -> None:
        if received:
            os._exit(128 + number)
        received.append(number)
        saving.asked = True
        with suppress(OSError):  # nobody may be there to read it
            os.write(2, b"stopping after this step; once more to leave at once\n")  # print might be what is interrupted
        if validation.running:
            raise _ValidationLeft

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    except _ValidationLeft:
        pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def stop_when_input_ends() -> None:
    """SIGTERM for this process when standard input ends, which is when whoever holds its other end is gone."""

    def wait() -> None:
        while os.read(0, 1 << 16):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    Thread(target=wait, daemon=True).start()
