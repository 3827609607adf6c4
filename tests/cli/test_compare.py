"""The commands compare and demo: what they pass on, what they print, and what they leave unimported."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from seq2attn.cli.compare import compare, parse_seeds
from seq2attn.cli.demo import demo
from seq2attn.compare.report.results import Comparison, RunResult, SystemResult, TestSet
from seq2attn.errors import UsageError
from seq2attn.evaluation.by_length import Bucket

LSTM = SystemResult(
    "lstm", "lstm.yaml", "lstm", 1000, (RunResult(1, 20.0, 40.0, "s", "c", (Bucket(1, 10, 9, 20.0),), 5, 60.0, 9.0),)
)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Stands in for the comparison: what the command asked of it."""
    found: dict[str, Any] = {}

    def stand_in(systems: list[str], out: Path, **options: Any) -> Comparison:
        result = Comparison(TestSet("set", 9, False, "en", "de"), (LSTM,), "lstm", pending=("luong",))
        options.pop("after_each")(result)
        found.update(options, systems=systems, out=out)
        return result

    monkeypatch.setattr("seq2attn.compare.compare.compare", stand_in)
    return found


def run(command: Any, *arguments: str) -> Any:
    app = typer.Typer()
    app.command()(command)
    return CliRunner().invoke(app, arguments, catch_exceptions=False)


def test_compare_passes_its_options_on(asked: dict[str, Any]) -> None:
    options = [
        "--seeds",
        "1,2",
        "--test",
        "t",
        "--baseline",
        "b",
        "--set",
        "seed=3",
        "--set",
        "a.b=c",
        "--threads",
        "2",
        "--jobs",
        "3",
    ]
    run(compare, "a.yaml", "runs/b", "--out", "o", *options)
    assert asked == {
        "systems": ["a.yaml", "runs/b"],
        "out": Path("o"),
        "seeds": (1, 2),
        "test": "t",
        "baseline": "b",
        "overrides": ["seed=3", "a.b=c"],
        "device": "auto",
        "threads": 2,
        "jobs": 3,
    }


def test_the_table_goes_to_stdout_and_progress_to_stderr(asked: dict[str, Any]) -> None:
    result = run(compare, "a.yaml", "--out", "o")
    assert result.stdout.startswith("Without attention BLEU is 20.0.")
    assert result.stdout.endswith("Report: o/report.html\n")
    assert result.stderr == "o/report.html: 1 of 2 systems\n"


@pytest.mark.parametrize(("arguments", "count"), [((), 4), (("--quick",), 2)])
def test_demo_compares_the_configs_that_ship(asked: dict[str, Any], arguments: tuple[str, ...], count: int) -> None:
    result = run(demo, *arguments)
    names = ["lstm", "bahdanau", "luong", "transformer"][:count]
    assert [Path(system).stem for system in asked["systems"]] == names
    assert all(Path(system).is_file() for system in asked["systems"])
    assert result.stdout.endswith("Report: runs/demo/report.html\n")


@pytest.mark.parametrize("text", ["1,x", "1,,2", "1,2,1", "-1", "1,-2"])
def test_seeds_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match=f"--seeds {text}"):
        parse_seeds(text)


def test_the_commands_load_nothing_heavy_to_be_described() -> None:
    heavy = "{'torch', 'sacrebleu', 'datasets'}"
    code = f"import sys, seq2attn.cli.compare, seq2attn.cli.demo; print({heavy} & set(sys.modules))"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120).stdout
        == "set()\n"
    )
