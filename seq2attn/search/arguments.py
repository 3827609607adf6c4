"""Checks of numbers that come from Python, where neither a command line nor a config has checked them."""

import math
from numbers import Integral, Real
from typing import Any

from seq2attn.errors import UsageError

# the greatest values of the config's evaluation section
WIDEST_BEAM = 1_000
MOST_PENALTY = 100.0
MOST_OUTPUT = 1_000_000


def check_whole(name: str, value: object, least: int, most: int | None = None) -> None:
    """Raises UsageError unless `value`, called `name`, is a whole number from `least` to `most`."""
    number: Any = value if isinstance(value, Integral) and not isinstance(value, bool) else math.nan
    if not number >= least or (most is not None and number > most):
        upwards = "" if most is None else f" to {most:,}"
        raise UsageError(f"{name} is {value!r}", f"give a whole number from {least}{upwards}")


def check_number(name: str, value: object, least: float, most: float) -> None:
    """Raises UsageError unless `value`, called `name`, is a number from `least` to `most`."""
    number: Any = value if isinstance(value, Real) and not isinstance(value, bool) else math.nan
    if not least <= number <= most:
        raise UsageError(f"{name} is {value!r}", f"give a number from {least:g} to {most:g}")
