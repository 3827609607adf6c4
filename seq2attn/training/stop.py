"""The wish to end training before its last update."""

from collections.abc import Iterator
from contextlib import contextmanager


class Stop:
    """Whether training is to end, and why: one for each run, read by the trainer and by those beside it.

    `signal` is the number of the signal that asked for it; `early`, that validation no longer improves. Training then ends
    after the update at hand. While `validating`, nothing but a validation is at work, which may be left at once.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self.early = False
        self.validating = False

    def __bool__(self) -> bool:
        return self.early or self.signal is not None

    @contextmanager
    def during_validation(self) -> Iterator[None]:
        """Whoever asks for a stop inside this block may leave it at once."""
        self.validating = True
        try:
            yield
        finally:
            self.validating = False
