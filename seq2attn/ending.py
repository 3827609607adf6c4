"""How Ctrl-C, SIGTERM and a closed terminal end a command: at once, with one line, and nothing half done is left behind.

The handler never raises: an exception that comes while a library is imported may be swallowed there, or abort the process.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
EXIT_CODES = tuple(128 + number for number in SIGNALS)

_last_duties: list[tuple[Callable[[], None], str]] = []


def end_on_signals() -> None:
    """Let each signal end this process with its exit code; one that was ignored before (nohup) stays ignored."""
    for number in list_heeded():
        signal.signal(number, _end)


def list_heeded() -> list[int]:
    """The signals that this process does not ignore."""
    return [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]


@contextmanager
def before_end(duty: Callable[[], None], hint: str = "") -> Iterator[None]:
    """Should a signal end the process inside this block, call `duty` first, and end with `hint`."""
    entry = (duty, hint)
    _last_duties.append(entry)
    try:
        yield
    finally:
        with suppress(ValueError):
            _last_duties.remove(entry)


def name_signal(number: int) -> str:
    """What messages call a signal."""
    return "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name


def tell(text: str) -> None:
    """Write to standard error, if anybody is there, from a signal handler: printing may be what it interrupted."""
    if sys.stderr is not None:  # closed, its number may belong to another file
        with suppress(OSError):
            os.write(2, text.encode())


def _end(number: int, frame: object) -> None:
    try:
        hints = []
        while _last_duties:  # a second signal finds only what is left
            duty, hint = _last_duties.pop()
            hints += [f"hint: {hint}\n"] if hint else []
            with suppress(Exception):
                duty()
        new_line = "\n" if os.isatty(2) else ""  # a bar may stand there
        tell(f"{new_line}seq2attn: stopped by {name_signal(number)}\n{''.join(hints)}")
    finally:
        os._exit(128 + number)
