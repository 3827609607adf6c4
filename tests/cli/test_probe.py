"""`seq2attn probe`: tables, the same numbers as JSON, pictures, and errors that name the option."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]


def test_worked_shows_two_examples_or_given_vectors(command: Command) -> None:
    done = command("probe", "worked")
    assert (done.code, done.err) == (0, "")
    assert "0.119203    0.880797" in done.out
    assert "0.404147    0.595853" in done.out
    vectors = ["--query", "0.5,0.5", "--keys", "1,2;3,4;0,0", "--values", "1;0;0"]
    given = command("probe", "worked", *vectors, "--json")
    (example,) = json.loads(given.out)["examples"]
    assert (example["query"], example["keys"], example["values"]) == (
        [0.5, 0.5],
        [[1, 2], [3, 4], [0, 0]],
        [[1], [0], [0]],
    )
    for variant in example["variants"]:
        assert variant["context"] == pytest.approx(variant["weights"][:1], abs=1e-15)
    assert example["variants"][0]["scores"] == [1.5, 3.5, 0]


def test_what_is_not_given_is_the_first_examples(command: Command) -> None:
    first, _ = json.loads(command("probe", "worked", "--json").out)["examples"]
    for option, text in (("--query", "0.5, 0.5"), ("--keys", "1,2;3,4"), ("--values", "1,2;3,4")):
        (given,) = json.loads(command("probe", "worked", option, text, "--json").out)["examples"]
        assert given["name"] == "Your vectors"
        assert {**given, "name": first["name"]} == first
    (given,) = json.loads(command("probe", "worked", "--keys", "0,1;1,0", "--json").out)["examples"]
    assert given["values"] == given["keys"] == [[0, 1], [1, 0]]


def test_scaling_says_the_same_as_text_and_as_json(command: Command) -> None:
    arguments = ["probe", "scaling", "--draws", 40, "--seed", 2]
    text, figures = command(*arguments).out, json.loads(command(*arguments, "--json").out)
    rows = [line.split() for line in text.splitlines() if line[:1].isdigit()]
    assert rows == [
        [str(width.pop("d")), f"{width.pop('variance'):.2f}", *(f"{number:.3f}" for number in width.values())]
        for width in figures["widths"]
    ]
    assert (figures["draws"], figures["seed"], figures["keys"]) == (40, 2, 32)
    assert figures["verdict"] == text.splitlines()[-1]


def test_permutation_says_the_same_as_text_and_as_json(command: Command) -> None:
    text = command("probe", "permutation").out
    figures = json.loads(command("probe", "permutation", "--json").out)
    for effect in figures["encoders"]:
        (row,) = [line for line in text.splitlines() if line.startswith(f"{effect['encoder']}  ")]
        assert row.split()[-2:] == [f"{effect['states']:.1e}", f"{effect['context']:.1e}"]
        assert f"{effect['encoder']}: {effect['verdict']}." in text.splitlines()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["worked", "--query", "0.5,x"], "--query: `x` is not a number"),
        (["worked", "--query", "1;2"], "--query: `1;2` is not a number"),
        (["worked", "--query", "nan,1"], "--query: `nan` is not a number"),
        (["worked", "--query", "1,2,3"], "--query has 3 numbers, but each row of --keys 2"),
        (["worked", "--keys", "1,2;3,"], "--keys: `` is not a number"),
        (["worked", "--keys", "1,2;3"], "--keys 1,2;3: rows of different lengths"),
        (["worked", "--keys", "1,2;3,1e300"], "--keys: `1e300` is not a number"),
        (["worked", "--values", "1;2;3"], "--values has 3 rows, but --keys 2"),
        (["worked", "--values", "1;2,3"], "--values 1;2,3: rows of different lengths"),
        (["scaling", "--draws", "0"], "--draws"),
        (["permutation", "--seed", "-1"], "--seed"),
        (["permutation", "--plot", "picture"], "--plot picture: a picture's name ends in .png"),
        (["nothing"], "nothing"),
    ],
)
def test_bad_usage_exits_with_two_and_names_the_option(command: Command, arguments: list[str], says: str) -> None:
    done = command("probe", *arguments)
    assert (done.code, done.out) == (2, "")
    error, hint = done.err.splitlines()
    assert says in error
    assert hint.startswith("hint: ")


@pytest.mark.parametrize(
    ("probe", "suffix", "begins"),
    [
        (["worked"], ".png", b"\x89PNG"),
        (["scaling", "--draws", 5], ".PDF", b"%PDF"),
        (["permutation"], ".svg", b"<?xml"),
    ],
)
def test_a_picture_is_drawn_in_the_format_of_its_name(
    command: Command, tmp_path: Path, probe: list[object], suffix: str, begins: bytes
) -> None:
    pytest.importorskip("matplotlib")
    file = tmp_path / f"picture{suffix}"
    done = command("probe", *probe, "--plot", file, "--json")
    assert (done.code, done.err) == (0, "")
    json.loads(done.out)
    assert file.read_bytes().startswith(begins)


def test_an_unwritable_picture_is_an_error_before_any_work(command: Command, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    done = command("probe", "scaling", "--plot", tmp_path / "nowhere" / "picture.png")
    assert (done.code, done.out) == (2, "")
    error, hint = done.err.splitlines()
    assert error.startswith(f"seq2attn: error: --plot {tmp_path}/nowhere/picture.png: there is no folder")
    assert hint.startswith("hint: ")
    assert "--output" not in done.err


def test_without_matplotlib_the_hint_says_how_to_install_it(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    done = command("probe", "worked", "--plot", tmp_path / "picture.png")
    assert (done.code, done.out) == (2, "")
    error, hint = done.err.splitlines()
    assert "matplotlib" in error
    assert hint == "hint: pip install 'seq2attn[plot]'"


def test_help_imports_neither_torch_nor_matplotlib() -> None:
    code = (
        "import sys\nfrom seq2attn.cli.main import _run\n"
        "for arguments in (['--help'], ['probe', '--help'], ['probe', 'worked', '--help']): assert _run(arguments, False) == 0\n"
        "print({'torch', 'matplotlib', 'numpy'} & set(sys.modules))"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=120
    ).stdout
    assert printed.splitlines()[-1] == "set()"
