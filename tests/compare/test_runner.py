"""The runner that really trains, with tiny models."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from seq2attn.compare.compare import Question, compare
from seq2attn.compare.runner import LocalRunner, Runner
from seq2attn.compare.systems import SystemRun
from seq2attn.runs.directory import Run
from tests.tiny import CONFIG, tiny


@pytest.fixture(autouse=True)
def _same_threads_afterwards() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def test_it_is_a_runner() -> None:
    assert isinstance(LocalRunner("cpu", 1), Runner)


def test_parameters_are_counted_before_training_and_read_after(corpus: Path, trained: Path) -> None:
    runner, run = LocalRunner("cpu", 1), Run.open(trained)
    counted = runner.count_parameters(SystemRun(run.config, corpus / "nowhere", finished=False))
    assert counted == run.manifest.parameters
    assert counted == runner.count_parameters(SystemRun(run.config, trained, finished=True))


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_comparison_trains_translates_and_reports(corpus: Path, tmp_path: Path, jobs: int) -> None:
    file = tmp_path / "luong.yaml"
    file.write_text(CONFIG.format(folder=corpus))
    question = Question((str(file),), tmp_path / "out", overrides=(f"data.test={corpus}/test",))
    comparison = compare(question, device="cpu", threads=2, jobs=jobs)
    run = Run.open(tmp_path / "out/runs/luong/seed-1")
    assert run.finished
    assert run.config.data == tiny(corpus, f"data.test={corpus}/test", "data.normalization=nfc").data
    assert run.manifest.device["threads"] == 2 // jobs
    report = json.loads((tmp_path / "out/report.json").read_text(encoding="utf-8"))
    assert report["systems"][0]["parameters"] == run.manifest.parameters
    assert report["test"]["sentences"] == 8
    assert (tmp_path / "out/hypotheses/luong/seed-1.txt").read_text(encoding="utf-8").count("\n") == 8
    assert comparison.command.endswith(f"--device cpu --threads 2 --jobs {jobs}")
