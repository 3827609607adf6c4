"""What is shown while a person waits: on terminals of any size, and off them."""

import fcntl
import os
import pty
import struct
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from seq2attn.runs.progress import Progress, count_progress, say

TICK = 0.11  # seconds: a bar moves ten times a second


def count(total: int | None) -> None:
    with count_progress("text", total, unit="lines") as progress:
        for _ in range(4):
            time.sleep(TICK)
            progress(0.5)


def train() -> None:
    progress = Progress(Path("run"), 2)
    progress.start(0)
    time.sleep(TICK)
    progress.show_training(2, {"loss": 1.0, "target_tokens_per_second": 1.0})
    progress.close()


@pytest.mark.parametrize(
    ("work", "last"),
    [(lambda: count(2), "of 2 lines"), (lambda: count(None), "text: 2 lines"), (train, "2 of 2 updates")],
    ids=["of a total", "of no total", "training"],
)
@pytest.mark.parametrize(("rows", "columns"), [(0, 0), (24, 100)])
def test_a_terminal_of_any_size_shows_a_bar(
    monkeypatch: pytest.MonkeyPatch, rows: int, columns: int, work: Callable[[], None], last: str
) -> None:
    outside, inside = pty.openpty()
    os.set_blocking(outside, False)
    fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    with os.fdopen(inside, "w") as written, os.fdopen(outside, "rb", buffering=0) as shown:
        monkeypatch.setattr(sys, "stderr", written)
        work()
        seen = b"".join(iter(lambda: shown.read(1 << 16) or b"", b""))
    assert last in seen.decode()


@pytest.mark.parametrize(("total", "last"), [(2, "text: 2 of 2 lines, about 0 s left"), (None, "text: 2 lines")])
def test_a_log_shows_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, total: int | None, last: str
) -> None:
    monkeypatch.setattr("seq2attn.runs.progress.LINE_EVERY", 0.0)
    count(total)
    assert capsys.readouterr().err.splitlines()[-1] == last


def test_nothing_is_shown_where_standard_error_is_closed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seq2attn.runs.progress.LINE_EVERY", 0.0)
    monkeypatch.setattr(sys, "stderr", None)
    count(2)
    train()
    say("something")
    assert capsys.readouterr().out == ""
