"""The lines of a byte stream, in lists of those that have arrived."""

import select
from collections.abc import Iterator
from contextlib import suppress
from io import BufferedIOBase
from typing import Literal

from seq2attn.data.files import UNREADABLE
from seq2attn.data.packed import refuse_packed
from seq2attn.errors import DataError

EncodingErrors = Literal["strict", "replace"]

_LINES = 2000  # of a window at most
_BYTES = 1 << 20  # a window ends with the line that passes this
_BLOCK = 1 << 16
_PATIENCE = 0.02  # seconds that a window waits for more lines


def read_windows(stream: BufferedIOBase, name: str, errors: EncodingErrors = "strict") -> Iterator[list[str]]:
    """Read the lines of a UTF-8 stream, without their ends, in lists: a list ends when no further line is ready yet.

    Only a line feed ends a line. One carriage return before it is dropped, and so is a byte order mark at the start. With
    "replace", bytes that are not UTF-8 become U+FFFD; with "strict" the lines before them are given, then DataError is
    raised, which names the line. Raises DataError at once for packed bytes.
    """
    read = 0
    try:
        for lines in _split_windows(stream):
            if read == 0 and lines:
                refuse_packed(lines[0], name)
            decoded: list[str] = []
            for number, line in enumerate(lines, start=read + 1):
                try:
                    decoded.append(_decode(line, number, errors))
                except UnicodeDecodeError as error:
                    yield decoded
                    byte = f"byte 0x{error.object[error.start]:02x} at byte {error.start + 1} of the line"
                    hint = "convert the text to UTF-8, or choose --encoding-errors replace"
                    raise DataError(f"{name}:{number}: not valid UTF-8 ({byte})", hint) from error
            yield decoded
            read += len(lines)
    except UNREADABLE as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{name}:{read + 1}: cannot be read: {reason}", "check the file") from error


def _decode(line: bytes, number: int, errors: EncodingErrors) -> str:
    return line.removesuffix(b"\r").decode("utf-8-sig" if number == 1 else "utf-8", errors)


def _split_windows(stream: BufferedIOBase) -> Iterator[list[bytes]]:
    lines: list[bytes] = []
    begun: list[bytes] = []  # the parts of a line whose end has not come
    while block := _next_block(stream):
        *ended, rest = block.split(b"\n")
        if ended:
            lines += [b"".join([*begun, ended[0]]), *ended[1:]]
            begun = []
        begun.append(rest)
        while len(lines) >= _LINES:
            yield lines[:_LINES]
            lines = lines[_LINES:]
        if lines and (sum(map(len, lines)) >= _BYTES or not _has_more(stream)):
            yield lines
            lines = []
    last = b"".join(begun)
    yield [*lines, *([last] if last else [])]


def _next_block(stream: BufferedIOBase) -> bytes:
    """Wait for bytes and return them; b"" at the end. (Without the wait, a pipe that does not block gives b"" too soon.)"""
    with suppress(OSError, ValueError):  # a stream that cannot be waited for (in memory, a pipe on Windows)
        select.select([stream], [], [])
    return stream.read1(_BLOCK)


def _has_more(stream: BufferedIOBase) -> bool:
    """Whether a read would return at once; False where that cannot be known (in memory, a pipe on Windows)."""
    try:
        return bool(select.select([stream], [], [], _PATIENCE)[0])
    except (OSError, ValueError):
        return False
