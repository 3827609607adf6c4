"""`seq2attn train` and `average` on a tiny corpus."""

import fcntl
import os
import pty
import re
import signal
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seq2attn.runs.directory import Run
from seq2attn.training.checkpoint import Checkpoints
from seq2attn.training.trainer import Step, Trainer
from tests.tiny import TRAINED, config_file
from tests.waiting import wait_until

Command = Callable[..., Any]


def test_training_prints_where_the_model_is_and_reports_on_stderr(
    command: Command, corpus: Path, tmp_path: Path
) -> None:
    arguments = [
        "train",
        config_file(corpus),
        "--out",
        tmp_path / "run",
        "--set",
        "training.max_updates=2",
        "--seed",
        7,
    ]
    done = command(*arguments, "--device", "cpu", "--threads", 1)
    assert (done.code, done.out) == (0, f"{tmp_path}/run/model\n")
    assert "parameters" in done.err
    assert re.search(f"^{tmp_path}/run: update 2/2: loss .* target tokens/s$", done.err, re.MULTILINE)
    assert re.search(f"^{tmp_path}/run: update 2/2: validation BLEU ", done.err, re.MULTILINE)
    assert re.search(f"^{tmp_path}/run/model: of update 2, the best by validation BLEU$", done.err, re.MULTILINE)
    run = Run.open(tmp_path / "run")
    assert (run.config.seed, run.manifest.updates) == (7, 2)
    again = command(*arguments)
    assert (again.code, again.out) == (0, done.out)
    assert "finished already" in again.err


def test_a_dry_run_prints_the_plan_and_trains_nothing(
    command: Command, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Trainer, "update", lambda self: pytest.fail("it trains"))
    done = command("train", config_file(corpus), "--out", tmp_path / "run", "--dry-run", "--device", "cpu")
    assert done.code == 0
    assert "2,304 parameters" in done.out
    assert not (tmp_path / "run").exists()


def test_a_dry_run_refuses_what_training_would_refuse(command: Command, corpus: Path, trained: Path) -> None:
    done = command("train", config_file(corpus), "--out", trained, "--dry-run")
    assert (done.code, done.out) == (2, "")
    assert "holds a run of another config" in done.err
    assert "; model.embedding.width: 16 → 8; " in done.err


def test_a_run_that_diverges_exits_with_three(command: Command, corpus: Path, tmp_path: Path) -> None:
    wild = [
        "training.optimizer={type: sgd, learning_rate: 1.0e+38}",
        "training.clip_norm=.inf",
        "training.max_updates=40",
    ]
    sets = [part for key in (*wild, "training.validate_every=40") for part in ("--set", key)]
    done = command("train", config_file(corpus), "--out", tmp_path / "run", *sets, "--device", "cpu")
    assert (done.code, done.out) == (3, "")
    error, hint = done.err.splitlines()[-2:]
    assert "10 updates in a row had no finite loss and gradient" in error
    assert "learning_rate" in hint


def test_an_unknown_device_is_bad_usage(command: Command, corpus: Path, tmp_path: Path) -> None:
    done = command("train", config_file(corpus), "--out", tmp_path / "run", "--device", "tpu")
    assert done.code == 2
    assert "use auto, cpu, cuda, cuda:N or mps" in done.err


def test_average_writes_a_model(command: Command, trained: Path, tmp_path: Path) -> None:
    out = tmp_path / "average"
    assert command("average", trained, "--out", out, "--count", 2) == (0, f"{out}\n", "")
    assert command("translate", out, stdin=b"ka mi\n").code == 0
    assert "keeps 3 validated checkpoints, not 5" in command("average", trained, "--out", tmp_path / "other").err


def test_a_refused_change_can_begin_with_the_same_weights(
    command: Command, corpus: Path, trained: Path, tmp_path: Path
) -> None:
    keys = [*TRAINED, "training.batch_tokens=200", "training.max_updates=2"]
    arguments = ["train", config_file(corpus), *(part for key in keys for part in ("--set", key)), "--out"]
    refused = command(*arguments, trained)
    assert refused.code == 2
    assert "training.batch_tokens: 300 → 200" in refused.err
    assert f"--from {trained}" in refused.err
    new = tmp_path / "new"
    for said in (f"begins with the weights of update 60 of {trained}", "finished already"):
        done = command(*arguments, new, "--from", trained)
        assert (done.code, done.out) == (0, f"{new}/model\n")
        assert said in done.err
    assert command(*arguments, new, "--from", trained, "--dry-run").code == 0


def test_an_interrupt_exits_with_130_and_the_same_command_goes_on(
    command: Command, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    update = Trainer.update

    def interrupted(trainer: Trainer) -> Step:
        if trainer.position.update == 4:
            signal.raise_signal(signal.SIGINT)
        return update(trainer)

    arguments = ["train", config_file(corpus), "--out", tmp_path / "run", "--device", "cpu"]
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "update", interrupted)
        done = command(*arguments)
    assert (done.code, done.out) == (130, "")
    error, hint = done.err.splitlines()[-2:]
    assert error == f"seq2attn: stopped by Ctrl-C at update 5; the checkpoint is saved in {tmp_path / 'run'}"
    assert hint == "hint: run the same command again to go on"
    again = command(*arguments)
    assert again.code == 0
    assert "going on from update 5" in again.err
    assert Run.open(tmp_path / "run").finished


def take_terminal() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup it is ignored
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def test_a_closed_terminal_saves(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    sets = ["--set", "training.max_updates=100000", "--set", "training.validate_every=100000"]
    arguments = ["train", str(config_file(corpus)), "--out", str(out), *sets, "--device", "cpu", "--threads", "1"]
    terminal, inside = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "seq2attn", *arguments],
        stdin=inside,
        stdout=inside,
        stderr=inside,
        start_new_session=True,
        preexec_fn=take_terminal,
    ) as process:
        try:
            os.close(inside)
            wait_until(lambda: process.poll() is not None or (out / "metrics.jsonl").exists())
            os.close(terminal)  # the process gets SIGHUP, and can write nowhere any more
            assert process.wait(timeout=120) == 129
        finally:
            process.kill()
    assert len(Checkpoints(out / "checkpoints").updates()) == 1


def test_sigterm_from_outside_ends_a_process_with_143_after_a_checkpoint(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    sets = ["--set", "training.max_updates=100000", "--set", "training.validate_every=100000"]
    arguments = ["train", str(config_file(corpus)), "--out", str(out), *sets, "--device", "cpu", "--threads", "1"]
    command = [sys.executable, "-m", "seq2attn", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            wait_until(lambda: process.poll() is not None or (out / "metrics.jsonl").exists())
            process.terminate()
            printed, errors = process.communicate(timeout=120)
        finally:
            process.kill()
    assert (process.returncode, printed) == (143, ""), errors
    assert "Traceback" not in errors
    [update] = Checkpoints(out / "checkpoints").updates()
    assert f"stopped by SIGTERM at update {update};" in errors
