"""Which lines a reader sees nothing of."""

import pytest

from seq2attn.data.files import drop_invisible, is_blank

SPACES = " \t\r\x0b\x1f\x85\u00a0\u2028\u3000"
INVISIBLE = (
    "\x00\x07\x1b\x7f\x80\u00ad\u034f\u061c\u115f\u1160\u17b4\u180b\u200b\u200e\u2065\u2800\u3164\ufe0f\ufeff\uffa0\ufffb"
    "\U000e0001\U000e0100"
)


@pytest.mark.parametrize("text", ["", *SPACES, *INVISIBLE, SPACES + INVISIBLE], ids=ascii)
def test_what_nobody_sees_is_blank(text: str) -> None:
    assert is_blank(text)
    assert drop_invisible(f"a{text}b") == "a" + "".join(c for c in text if c in SPACES) + "b"


@pytest.mark.parametrize("text", ["a", "\u200b.", "\u0301", "\u06dd", "\ufffd", "\U0001f44d\ufe0f"], ids=ascii)
def test_what_somebody_sees_is_not_blank(text: str) -> None:
    assert not is_blank(text)
