"""limits.json: written with the model, read again, and harmless whatever a stranger has put into it."""

from pathlib import Path

import pytest

from seq2attn.errors import DataError
from seq2attn.inference.limits import LIMITS, format_limit, read_limit
from seq2attn.search.limits import OutputLimit


def test_a_limit_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert read_limit(tmp_path / LIMITS) == OutputLimit(2.0, 10)
    (tmp_path / LIMITS).write_text(format_limit(OutputLimit(3.25, 40)))
    assert read_limit(tmp_path / LIMITS) == OutputLimit(3.25, 40)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[1, 2]",
        "[" * 100_000,
        '{"ratio": 2.0}',
        '{"ratio": "two", "extra": 10}',
        '{"ratio": NaN, "extra": 10}',
        '{"ratio": 1e9, "extra": 10}',
        '{"ratio": 2.0, "extra": Infinity}',
        '{"ratio": 2.0, "extra": 0}',
        '{"ratio": -1.0, "extra": 10}',
        '{"ratio": 2.0, "extra": 1' + "0" * 5000 + "}",
    ],
)
def test_a_limit_out_of_range_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / LIMITS).write_text(text)
    with pytest.raises(DataError, match=r"limits\.json"):
        read_limit(tmp_path / LIMITS)
