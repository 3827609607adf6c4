"""One process trains in a run directory."""

import errno
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from seq2attn.errors import UsageError
from seq2attn.runs.lock import hold_lock
from seq2attn.runs.train import train
from tests.tiny import tiny

HOLDER = """
import sys
from pathlib import Path
from seq2attn.runs.lock import hold_lock
with hold_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def holder(out: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", HOLDER, str(out)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_run_is_locked_until_its_process_ends(corpus: Path, tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        with pytest.raises(UsageError, match="another process trains here"):
            train(tiny(corpus), tmp_path, device="cpu")
        assert [path.name for path in tmp_path.iterdir()] == [".lock"]
        process.kill()
    train(tiny(corpus, "training.max_updates=1"), tmp_path, device="cpu")
    assert (tmp_path / "model").exists()


def test_a_lock_ends_with_its_block(tmp_path: Path) -> None:
    with hold_lock(tmp_path), pytest.raises(UsageError), hold_lock(tmp_path):
        pass
    with hold_lock(tmp_path):
        pass


def test_a_file_system_without_locks_is_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(lock: FileLock) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(FileLock, "acquire", refuse)
    with hold_lock(tmp_path):
        pass
