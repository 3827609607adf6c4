"""Read lists of numbers from the command line."""

import math

from seq2attn.errors import UsageError


def parse_whole_numbers(text: str, *, option: str, example: str) -> tuple[int, ...]:
    """The numbers of "1,2,3"; none for an empty text. Raises UsageError for anything but numbers from 0."""
    try:
        numbers = tuple(int(part) for part in text.split(",")) if text.strip() else ()
    except ValueError:
        numbers = (-1,)
    if any(number < 0 for number in numbers):
        raise UsageError(f"{option} {text}: not a list of whole numbers from 0", f"for example {option} {example}")
    return numbers


def parse_numbers(text: str, *, option: str, example: str) -> tuple[float, ...]:
    """The numbers of "0,0.5,1"; none for an empty text. Raises UsageError for anything but finite numbers from 0."""
    try:
        numbers = tuple(float(part) for part in text.split(",")) if text.strip() else ()
    except ValueError:
        numbers = (-1.0,)
    if not all(0 <= number < math.inf for number in numbers):
        raise UsageError(f"{option} {text}: not a list of numbers from 0", f"for example {option} {example}")
    return numbers
