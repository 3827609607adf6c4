"""What is wrong with a command line, said as everything else here is."""

from typing import get_args

import typer
from pydantic import ValidationError
from typer.exceptions import TyperException


def describe_mistake(error: TyperException) -> str:
    """One line for an error of the parser; of a value that an option cannot have, the value and what it must be."""
    if not (isinstance(error, typer.BadParameter) and isinstance(error.__cause__, ValidationError) and error.param):
        return error.format_message()
    written, kind = error.__cause__.errors()[0]["input"], error.param.type_descriptor
    if kind.choices:
        expected = f"one of {', '.join(map(str, kind.choices))}"
    else:
        number = "a whole number" if int in (kind.annotation, *get_args(kind.annotation)) else "a number"
        expected = number + _describe_bounds(kind.parameter_info.min, kind.parameter_info.max)
    return f"{max(error.param.opts, key=len)} {written}: must be {expected}"


def _describe_bounds(least: int | float | None, most: int | float | None) -> str:
    if least is None:
        return "" if most is None else f", at most {most:,}"
    return f", at least {least:,}" if most is None else f" from {least:,} to {most:,}"
