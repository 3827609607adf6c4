"""The commands compare and demo: what they pass on, what they print, and what they leave unimported."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from seq2attn.cli.compare import SystemFailedError, compare, parse_seeds, show_comparison
from seq2attn.cli.demo import demo
from seq2attn.compare.compare import Question
from seq2attn.compare.report.results import Comparison, Failure, RunResult, SystemResult, TestSet
from seq2attn.errors import UsageError
from seq2attn.evaluation.by_length import Bucket

LSTM = SystemResult(
    "lstm", "lstm.yaml", "lstm", 1000, (RunResult(1, 20.0, 40.0, "s", "c", (Bucket(1, 10, 9, 20.0),), 5, 60.0, 9.0),)
)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Stands in for the comparison: what the command asked of it."""
    calls: dict[str, Any] = {}

    def stand_in(question: Question, **options: Any) -> Comparison:
        result = Comparison(TestSet("set", 9, False, "en", "de"), (LSTM,), "lstm", pending=("luong",))
        options.pop("after_each")(result)
        calls.update(options, question=question)
        return result

    monkeypatch.setattr("seq2attn.compare.compare.compare", stand_in)
    return calls


def run(command: Any, *arguments: str) -> Any:
    app = typer.Typer()
    app.command()(command)
    return CliRunner().invoke(app, arguments, catch_exceptions=False)


def test_compare_passes_its_options_on(asked: dict[str, Any]) -> None:
    options = (
        "--seeds 1,2 --test t --baseline b --set seed=3 --set a.b=c --device cpu --threads 2 --jobs 3 --sentences 9"
    )
    run(compare, "a.yaml", "runs/b", "--out", "o", *options.split())
    question = Question(("a.yaml", "runs/b"), Path("o"), (1, 2), "t", "b", ("seed=3", "a.b=c"), 9)
    assert asked == {"question": question, "device": "cpu", "threads": 2, "jobs": 3}


def test_the_table_goes_to_stdout_and_progress_to_stderr(asked: dict[str, Any]) -> None:
    result = run(compare, "a.yaml", "--out", "o")
    assert result.stdout.startswith("Without attention BLEU is 20.0.")
    assert result.stdout.endswith("Report: o/report.html\n")
    assert result.stderr == "o/report.html: 1 of 2 systems\n"


def test_the_first_failure_gives_the_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    failed = (Failure("b", "diverged", "lower it", 3), Failure("c", "no file", "look", 2))
    comparison = Comparison(TestSet("set", 9, False, "en", "de"), (LSTM,), "lstm", failed=failed)
    with pytest.raises(SystemFailedError, match="b failed: diverged") as caught:
        show_comparison(comparison, tmp_path)
    assert (caught.value.exit_code, caught.value.hint) == (3, "lower it")
    assert [error.message for error in caught.value.others] == ["c failed: no file"]
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["b", "–", "failed", *"–––––"] in rows


@pytest.mark.parametrize(("arguments", "count"), [((), 4), (("--quick",), 2)])
def test_demo_compares_the_configs_that_ship(asked: dict[str, Any], arguments: tuple[str, ...], count: int) -> None:
    result = run(demo, *arguments)
    names = ["lstm", "bahdanau", "luong", "transformer"][:count]
    systems = [Path(system) for system in asked["question"].systems]
    assert [system.stem for system in systems] == names
    assert all(system.is_file() for system in systems)
    assert asked["command"] == ["seq2attn", "demo", *arguments, "--out", "runs/demo"]
    assert result.stdout.endswith("Report: runs/demo/report.html\n")


@pytest.mark.parametrize("text", ["1,x", "1,,2", "1,2,1", "-1", "1,-2"])
def test_seeds_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match=f"--seeds {text}"):
        parse_seeds(text)


def test_the_commands_load_nothing_heavy_to_be_described() -> None:
    heavy = "{'torch', 'sacrebleu', 'datasets'}"
    code = f"import sys, seq2attn.cli.compare, seq2attn.cli.demo; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "set()\n"
