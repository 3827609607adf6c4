import io
import sys
from collections.abc import Callable
from typing import NamedTuple

import pytest

from seq2attn.cli.main import _run


class Done(NamedTuple):
    """A command that has ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def command(capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    """Runs `seq2attn ARGUMENTS` in this process, with `stdin`; everything that is written to the two streams."""

    def run(*arguments: object, stdin: bytes = b"", debug: bool = False) -> Done:
        capfdbinary.readouterr()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
            code = _run([str(argument) for argument in arguments], debug)
        out, err = capfdbinary.readouterr()
        return Done(code, out.decode(), err.decode())

    return run
