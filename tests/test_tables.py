"""How figures and tables are written."""

import pytest

from seq2attn.tables import Table, format_duration, format_signed, markdown_table


@pytest.mark.parametrize(("seconds", "text"), [(45.2, "45 s"), (144.0, "2.4 min"), (5400.0, "1.5 h")])
def test_durations_have_a_fitting_unit(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_differences_have_a_sign() -> None:
    assert [format_signed(value) for value in (46.94, -0.3, 0.0)] == ["+46.9", "−0.3", "+0.0"]


def test_markdown_cells_are_aligned_and_escaped() -> None:
    lines = markdown_table(Table(("a", "b"), (("x|y", "1,000"),))).splitlines()
    assert lines == ["| a    |     b |", "| ---- | ----: |", "| x\\|y | 1,000 |"]
