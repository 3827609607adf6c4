"""Comparisons in which something fails, or is in the way."""

import re
from pathlib import Path

import pytest

from seq2attn.compare.runner import LocalRunner
from seq2attn.errors import DataError, DivergedError, UsageError
from seq2attn.runs.signals import InterruptedRunError
from seq2attn.training.trainer import DIVERGED_HINT
from tests.compare.laboratory import FakeRunner, Laboratory


@pytest.mark.parametrize("failing", ["a", "b", "c"])
def test_a_failing_system_is_reported_and_the_others_go_on(laboratory: Laboratory, failing: str) -> None:
    laboratory.runner.failing = {failing: DivergedError("update 9: not finite", DIVERGED_HINT)}
    configs = [laboratory.config("a"), laboratory.config("b", "luong"), laboratory.config("c", "bahdanau")]
    report = laboratory.compare(*configs)
    assert [system["name"] for system in report["systems"]] == [name for name in "abc" if name != failing]
    assert report["failed"] == [{"system": failing, "reason": "update 9: not finite", "exit_code": 3}]
    (failure,) = laboratory.seen[-1].failed
    run = laboratory.folder / "out/runs" / failing / "seed-1"
    assert f"remove {run}" in failure.hint
    assert "--overwrite" not in failure.hint
    assert laboratory.seen[-1].pending == ()
    for name in ("report.html", "report.md"):
        text = (laboratory.folder / "out" / name).read_text(encoding="utf-8")
        assert f"{failing} failed: update 9: not finite" in text
    laboratory.runner.failing = {}
    assert laboratory.compare(*configs)["failed"] == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("/test\n  validation", "/gone\n  validation"), r"data\.train: no file .*gone\.en"),
        (("vocab_size: 290", "vocab_size: 4000"), r"data\.vocab_size: 4000 is more than"),
    ],
)
@pytest.mark.parametrize("only", [False, True], ids=["one of two", "the only one"])
def test_a_system_that_cannot_be_prepared_is_reported_and_the_others_go_on(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch, change: tuple[str, str], reason: str, only: bool
) -> None:
    monkeypatch.setattr(FakeRunner, "count_parameters", LocalRunner("cpu", 1).count_parameters)
    laboratory.runner.checking = True
    broken = Path(laboratory.config("broken"))
    broken.write_text(broken.read_text().replace(*change))
    report = laboratory.compare(str(broken), *([] if only else [laboratory.config("sound", "luong")]))
    (failure,) = report["failed"]
    assert (failure["system"], failure["exit_code"]) == ("broken", 2)
    assert re.match(reason, failure["reason"])
    assert laboratory.trained == ([] if only else [("sound", 1)])
    assert laboratory.seen[0].pending == (() if only else ("sound",))  # told before anything is trained


def test_a_trained_system_whose_text_is_gone_does_not_stop_the_others(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Path(laboratory.config("plain"))
    plain.write_text(plain.read_text().replace("/test\n  validation", "/own\n  validation"))
    for language in ("en", "de"):
        (laboratory.folder / f"own.{language}").write_text(f"{language} a b c d e\n" * 200, encoding="utf-8")
    laboratory.compare(str(plain))
    for language in ("en", "de"):
        (laboratory.folder / f"own.{language}").unlink()
    monkeypatch.setattr(FakeRunner, "count_parameters", LocalRunner("cpu", 1).count_parameters)
    laboratory.runner.checking = True
    report = laboratory.compare(str(plain), laboratory.config("sound", "luong"))
    assert [system["name"] for system in report["systems"]] == ["sound"]
    assert report["failed"][0]["reason"].startswith("data.train: no file")


def test_all_systems_may_fail(laboratory: Laboratory) -> None:
    laboratory.runner.failing = {"a": DivergedError("a", ""), "b": DataError("b", "look")}
    report = laboratory.compare(laboratory.config("a"), laboratory.config("b", "luong"))
    assert [failure["exit_code"] for failure in report["failed"]] == [3, 2]
    assert "All systems failed" in (laboratory.folder / "out/report.md").read_text(encoding="utf-8")


def test_a_signal_ends_the_comparison(laboratory: Laboratory) -> None:
    laboratory.runner.failing = {"a": InterruptedRunError(2, 5, laboratory.folder)}
    with pytest.raises(InterruptedRunError):
        laboratory.compare(laboratory.config("a"), laboratory.config("b", "luong"))
    assert laboratory.trained == []


def test_a_run_in_the_way_gets_a_hint_that_compare_can_follow(laboratory: Laboratory) -> None:
    laboratory.runner.checking = True
    laboratory.compare(laboratory.config("plain"))
    with pytest.raises(UsageError, match=r"model\.decoder\.width: 8 → 9") as caught:
        laboratory.compare(laboratory.config("plain", width=9))
    run = laboratory.folder / "out/runs/plain/seed-1"
    assert caught.value.hint == f"choose another --out, or remove {run} to train it again"


def test_a_run_of_another_config_is_refused_before_training(laboratory: Laboratory) -> None:
    laboratory.compare(laboratory.config("last"))
    laboratory.runner.checking = True
    systems = [laboratory.config("first", "luong"), laboratory.config("last", width=12)]
    with pytest.raises(UsageError, match=r"model\.encoder\.width|model\.decoder\.width|model\.embedding\.width"):
        laboratory.compare(*systems)
    assert laboratory.trained == [("last", 1)]
