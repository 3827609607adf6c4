"""Trainings side by side: real processes, tiny models."""

import contextlib
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from seq2attn.errors import UsageError
from seq2attn.runs.directory import Run
from seq2attn.runs.lock import hold_lock
from seq2attn.runs.parallel import TrainingFailedError, start_trainings
from seq2attn.training.checkpoint import MODEL, Checkpoints
from tests.tiny import TRAINED, tiny
from tests.waiting import wait_until


def test_trained_side_by_side_is_trained_alike(
    trained: Path, corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    same, same_config = tmp_path / "same/seed-1", tiny(corpus, *TRAINED)
    other, other_config = tmp_path / "other/seed-1", tiny(corpus, "training.max_updates=2")
    with start_trainings({same: same_config, other: other_config}, jobs=2, device="cpu", threads=1) as wait:
        wait(same)
        assert (same / "model" / MODEL).read_bytes() == (trained / "model" / MODEL).read_bytes()
        wait(other)
    assert Run.open(other).manifest.updates == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert "same/seed-1: update 60/60: validation BLEU" in err
    assert "other/seed-1: update 2/2: validation BLEU" in err


def test_a_failed_training_raises_where_it_is_awaited(corpus: Path, tmp_path: Path) -> None:
    wrong, wrong_config = tmp_path / "wrong", tiny(corpus, "data.train=no/where")
    right, right_config = tmp_path / "right", tiny(corpus, "training.max_updates=1")
    with start_trainings({wrong: wrong_config, right: right_config}, jobs=1, device="cpu", threads=1) as wait:
        with pytest.raises(TrainingFailedError, match=r"no/where\.en") as caught:
            wait(wrong)
        wait(right)
    assert caught.value.exit_code == 2
    assert caught.value.hint


def test_leaving_asks_for_checkpoints_and_starts_nothing_more(corpus: Path, tmp_path: Path) -> None:
    endless = tiny(corpus, "training.max_updates=100000", "training.validate_every=100000")
    running, waiting = (tmp_path / name for name in ("running", "waiting"))

    def interrupted() -> None:
        with start_trainings({running: endless, waiting: endless}, jobs=1, device="cpu", threads=1):
            wait_until((running / "metrics.jsonl").exists)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    [update] = Checkpoints(running / "checkpoints").updates()
    assert update >= 1
    assert not waiting.exists()


PARENT = """
import sys, time
from pathlib import Path
from seq2attn.config.load import load_config
from seq2attn.ending import end_on_signals
from seq2attn.runs.parallel import start_trainings

end_on_signals()
run = Path(sys.argv[2])
with start_trainings({run: load_config(sys.argv[1], sys.argv[3:])}, jobs=1, device="cpu", threads=1) as wait:
    wait(run)
"""


def test_workers_save_a_checkpoint_when_their_parent_is_killed(corpus: Path, tmp_path: Path) -> None:
    out, endless = tmp_path / "run", ("training.max_updates=100000", "training.validate_every=100000")
    tiny(corpus)
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(corpus / "tiny.yaml"), str(out), *endless], stderr=subprocess.DEVNULL
    ) as parent:
        try:
            wait_until((out / "metrics.jsonl").exists)
        finally:
            parent.kill()
    for _ in range(1200):
        with contextlib.suppress(UsageError), hold_lock(out):
            break
        time.sleep(0.1)
    else:
        pytest.fail("it trains on")
    [update] = Checkpoints(out / "checkpoints").updates()
    assert update >= 1


def test_a_signal_lets_the_workers_save_and_says_how_to_go_on(corpus: Path, tmp_path: Path) -> None:
    out, endless = tmp_path / "run", ("training.max_updates=100000", "training.validate_every=100000")
    tiny(corpus)
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(corpus / "tiny.yaml"), str(out), *endless],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as parent:
        wait_until(lambda: parent.poll() is not None or (out / "metrics.jsonl").exists())
        parent.send_signal(signal.SIGINT)
        _, errors = parent.communicate(timeout=120)
    assert parent.returncode == 130
    assert errors.endswith("seq2attn: stopped by Ctrl-C\nhint: run the same command again to go on\n")
    assert Checkpoints(out / "checkpoints").updates()
