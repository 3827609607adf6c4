"""What every command shares: exit codes, errors of one line and a hint, results on stdout alone."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import seq2attn
from seq2attn.cli import main as module
from seq2attn.errors import ConfigError, DataError, DivergedError, Seq2attnError, UsageError

Command = Callable[..., Any]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("two\nlines", "do this"), 2),
        (ConfigError("c", "h"), 2),
        (DataError("d", "h"), 2),
        (ConfigError("c", "h", [ConfigError("c2", "h2")]), 2),
        (DivergedError("e", "h"), 3),
        (Seq2attnError("f", "h"), 1),
        (ZeroDivisionError("division by zero"), 1),
    ],
)
def test_every_error_is_one_line_and_a_hint_with_its_code(
    command: Command, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int
) -> None:
    def fail(*arguments: Any, **options: Any) -> None:
        raise error

    monkeypatch.setattr(module, "app", fail)
    done = command("anything")
    assert (done.code, done.out) == (code, "")
    lines = done.err.splitlines()
    assert all(line.startswith("seq2attn: error: ") for line in lines[::2])
    assert all(line.startswith("hint: ") for line in lines[1::2])
    errors = 1 + len(getattr(error, "others", ()))
    assert len(lines) == errors * 2
    assert "Traceback" in command("anything", debug=True).err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["trian"], "trian"),
        (["train"], "CONFIG"),
        (["train", "nowhere.yaml", "--out", "run"], "nowhere.yaml"),
        (["train", "configs/demo/lstm.yaml"], "--out"),
        (["translate", "nowhere"], "nowhere"),
        (["translate", "nowhere", "--beam", "none"], "--beam"),
        (["translate", "nowhere", "--baem", "5"], "--baem"),
        (["translate", "nowhere", "--beam", "1001"], "--beam"),
        (["translate", "nowhere", "--length-penalty", "101"], "--length-penalty"),
        (["translate", "nowhere", "--threads", "100000"], "--threads"),
        (["evaluate", "nowhere", "--test", "x", "--beam", "1001"], "--beam"),
        (["evaluate", "nowhere", "--test", "x"], "nowhere"),
        (["average", "nowhere", "--out", "x"], "nowhere"),
        (["config", "show", "nowhere.yaml"], "nowhere.yaml"),
    ],
)
def test_bad_usage_exits_with_two_and_names_what_is_wrong(command: Command, arguments: list[str], says: str) -> None:
    done = command(*arguments)
    assert (done.code, done.out) == (2, "")
    error, hint = done.err.splitlines()
    assert says in error
    assert hint.startswith("hint: ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "c", "--out", "r", "--threads", "1.5"], "--threads 1.5: must be a whole number from 1 to 1,024"),
        (["train", "c", "--out", "r", "--seed", "-1"], "--seed -1: must be a whole number from 0 to 4,294,967,295"),
        (["translate", "m", "--threads", "0"], "--threads 0: must be a whole number from 1 to 1,024"),
        (["translate", "m", "--length-penalty", "a"], "--length-penalty a: must be a number from 0 to 100"),
        (["translate", "m", "--on-long", "spl"], "--on-long spl: must be one of split, truncate, error"),
        (["corpus", "c", "--pairs", "x"], "--pairs x: must be a whole number"),
        (["demo", "--jobs", "0"], "--jobs 0: must be a whole number, at least 1"),
    ],
)
def test_a_value_that_an_option_cannot_have_is_shown_with_what_it_must_be(
    command: Command, arguments: list[str], message: str
) -> None:
    assert command(*arguments).err.splitlines()[0] == f"seq2attn: error: {message}"


def test_average_takes_one_checkpoint_or_several(command: Command, trained: Path, tmp_path: Path) -> None:
    one = ["average", trained, "--out", tmp_path / "model", "--checkpoint", "best"]
    for option, value in (("--count", 5), ("--of", "last")):
        done = command(*one, option, value)
        assert (done.code, "--checkpoint names one checkpoint" in done.err) == (2, True)
    assert command(*one) == (0, f"{tmp_path}/model\n", "")


def test_help_and_version_are_results(command: Command) -> None:
    assert command("--version") == (0, f"seq2attn {seq2attn.__version__}\n", "")
    for arguments in (["--help"], ["train", "--help"]):
        done = command(*arguments)
        assert (done.code, done.err) == (0, "")
        assert "Usage: " in done.out


def test_python_m_is_the_command_and_debug_may_stand_anywhere(tmp_path: Path) -> None:
    start = [sys.executable, "-m", "seq2attn"]
    version = subprocess.run([*start, "--version"], capture_output=True, text=True, check=True, timeout=60)
    assert (version.stdout, version.stderr) == (f"seq2attn {seq2attn.__version__}\n", "")
    failed = subprocess.run(
        [*start, "config", "show", "no.yaml", "--debug"], capture_output=True, text=True, cwd=tmp_path, timeout=60
    )
    assert (failed.returncode, failed.stdout) == (2, "")
    assert failed.stderr.startswith("Traceback")
    assert "no.yaml: no such file" in failed.stderr
