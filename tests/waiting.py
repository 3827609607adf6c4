"""Waiting for what another process does, but not for ever."""

import time
from collections.abc import Callable


def wait_until(reached: Callable[[], bool], seconds: float = 120.0) -> None:
    """Return as soon as `reached()` is true; fail the test if it is not after so many seconds."""
    end = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < end, f"waited {seconds:.0f} seconds in vain"
        time.sleep(0.02)
