"""Comparisons in which something fails, or is in the way."""

import pytest

from seq2attn.errors import DataError, DivergedError, UsageError
from seq2attn.runs.signals import InterruptedRunError
from seq2attn.training.trainer import DIVERGED_HINT
from tests.compare.laboratory import Laboratory


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
