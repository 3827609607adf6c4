"""limits.json: how long the translations of a model may become."""

import json
from pathlib import Path

from seq2attn.errors import DataError
from seq2attn.search.limits import MOST_RATIO, OutputLimit

LIMITS = "limits.json"
_MOST_EXTRA = 1_000_000


def format_limit(limit: OutputLimit) -> str:
    """The content of limits.json."""
    return json.dumps({"ratio": limit.ratio, "extra": limit.extra}) + "\n"


def read_limit(file: Path) -> OutputLimit:
    """Read a limits.json; without one, the limit is that of version 0.1.0. Raises DataError if it is damaged."""
    if not file.exists():
        return OutputLimit()
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        limit = OutputLimit(float(values["ratio"]), int(values["extra"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError, OverflowError) as error:
        raise DataError(
            f"{file}: damaged: not a ratio and an extra", "copy the model again, or remove this file"
        ) from error
    if not (0 <= limit.ratio <= MOST_RATIO and 1 <= limit.extra <= _MOST_EXTRA):
        message = f"{file}: ratio must be from 0 to {MOST_RATIO:g}, and extra from 1 to {_MOST_EXTRA:,}"
        raise DataError(message, "copy the model again, or remove this file")
    return limit
