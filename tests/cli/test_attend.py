"""`seq2attn attend`: its files, its terminal output, and what it refuses."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]


def test_it_prints_a_table_for_each_model(command: Command, trained: Path) -> None:
    done = command("attend", trained, trained / "model", "ka mi", "--translation", "lo tu")
    assert done.code == 0, done.err
    assert done.out.count(": lo tu") == 2
    assert str(trained / "model") in done.out


@pytest.mark.parametrize("suffix", ["html", "json", "png", "svg", "pdf"])
def test_it_writes_what_the_name_of_the_file_says(command: Command, trained: Path, tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"attention.{suffix}"
    done = command("attend", trained, "ka mi", "-o", file)
    assert (done.code, done.out) == (0, ""), done.err
    begin = {"html": b"<!doctype html>", "json": b"[{", "png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[suffix]
    assert file.read_bytes().lstrip().startswith(begin)
    if suffix == "json":
        (one,) = json.loads(file.read_text(encoding="utf-8"))
        assert one["model"] == str(trained)
        assert one["source"] == ["ka", "mi", "⟨end⟩"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("{run}", "ka", "-o", "{tmp}/a.doc"), "a file's name ends in .html, .json, .png, .svg or .pdf"),
        (("{run}", "ka", "-o", "{tmp}/no/a.html"), "there is no folder"),
        (("{run}", "  "), "there is no word to attend to"),
        (("{tmp}/nothing", "ka"), "no such"),
    ],
)
def test_what_it_cannot_do_is_one_line(
    command: Command, trained: Path, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    done = command("attend", *(argument.format(run=trained, tmp=tmp_path) for argument in arguments))
    assert (done.code, done.out) == (2, "")
    error, hint = done.err.splitlines()
    assert said in error
    assert hint.startswith("hint: ")
