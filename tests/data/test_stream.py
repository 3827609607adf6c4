"""Lines of a stream: all of them, in order, as soon as they have come."""

import io
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from seq2attn.data.stream import read_windows
from seq2attn.errors import DataError
from tests.examples import examples


def lines(data: bytes, errors: str = "strict") -> list[str]:
    return [line for window in read_windows(io.BytesIO(data), "here", errors) for line in window]  # type: ignore[arg-type]


@given(text=st.lists(st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("\r\n\x00\u2028\x85\ufeff"))))
@examples(200)
def test_a_line_feed_and_nothing_else_ends_a_line(text: list[str]) -> None:
    whole = "".join(text)
    expected = whole.removeprefix("\ufeff").split("\n")
    expected = [line.removesuffix("\r") for line in (expected if whole.split("\n")[-1] else expected[:-1])]
    assert lines(whole.encode()) == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", []),
        (b"\n", [""]),
        (b"a", ["a"]),
        (b"a\r\nb\r", ["a", "b"]),
        (b"a\r\r\nb\rc\n", ["a\r", "b\rc"]),
        (b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n", ["a", "\ufeffb"]),
        (b"\xef\xbb\xbf", [""]),
    ],
)
def test_line_ends_and_the_byte_order_mark_are_dropped_once(data: bytes, expected: list[str]) -> None:
    assert lines(data) == expected


def test_a_line_may_be_longer_than_any_block() -> None:
    assert [len(line) for line in lines(b"ab " * 500_000 + b"\n" + b"c\n" * 5000)] == [1_500_000, *[1] * 5000]


def test_lines_come_in_windows_that_a_file_decides_alone(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"a b c d e f g\n" * 5000)
    with (tmp_path / "text").open("rb") as stream:
        assert [len(window) for window in read_windows(stream, "here")] == [2000, 2000, 1000]
    (tmp_path / "text").write_bytes((b"a" * 99_999 + b"\n") * 30)
    with (tmp_path / "text").open("rb") as stream:
        assert [len(window) for window in read_windows(stream, "here")] == [11, 11, 8]  # of a mebibyte


@pytest.fixture
def pipe() -> Iterator[tuple[io.BufferedReader, int]]:
    read, write = os.pipe()
    with os.fdopen(read, "rb") as stream:
        yield stream, write


def test_a_line_comes_as_soon_as_it_is_whole(pipe: tuple[io.BufferedReader, int]) -> None:
    stream, write = pipe
    found = read_windows(stream, "here")
    os.write(write, b"one\ntw")
    assert next(found) == ["one"]
    os.write(write, b"o\nthree\nfour")
    assert next(found) == ["two", "three"]
    os.close(write)
    assert list(found) == [["four"]]


def test_lines_before_a_broken_one_come_first() -> None:
    found = read_windows(io.BytesIO(b"one\ntwo\nth\xffree\nfour\n"), "here")
    assert next(found) == ["one", "two"]
    with pytest.raises(DataError, match=r"here:3: not valid UTF-8 \(byte 0xff at byte 3 of the line\)"):
        next(found)


@given(data=st.binary(max_size=60))
@examples(200)
def test_any_bytes_are_lines_if_broken_ones_are_replaced(data: bytes) -> None:
    assume(not data.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"PK\x03\x04")))  # packed
    assert len(lines(data, "replace")) == data.count(b"\n") + (not data.endswith(b"\n") and data != b"")


def test_what_is_broken_becomes_the_replacement_character() -> None:
    assert lines(b"a\xffb\n\xe2\x82\n", "replace") == ["a\ufffdb", "\ufffd"]


def test_a_pipe_that_does_not_block_is_waited_for(pipe: tuple[io.BufferedReader, int]) -> None:
    stream, write = pipe
    os.set_blocking(stream.fileno(), False)

    def later() -> None:
        for data in (b"one\n", b"two\n"):
            time.sleep(0.1)
            os.write(write, data)
        os.close(write)

    writer = threading.Thread(target=later)
    writer.start()
    assert [line for window in read_windows(stream, "here") for line in window] == ["one", "two"]
    writer.join()
