"""Every change of the file system fails once, in every way: nothing that was whole is lost."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from seq2attn import durable
from seq2attn.training.checkpoint import MODEL, Checkpoints, read_tensors
from tests.training.toy import make_state

CHANGES = ("open", "write", "fsync", "replace", "mkdir", "unlink", "rmdir")


class Crash(BaseException):
    """The process is gone: nothing after it happens."""


class Faulty:
    """`os`, whose change number `when` (from 0) goes wrong."""

    def __init__(self, when: int, fault: str) -> None:
        self.when, self.fault, self.changes, self.dead = when, fault, 0, False

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        return self._counting(name, real) if name in CHANGES else real

    def _counting(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def change(*arguments: Any) -> Any:
            if self.dead:
                raise Crash
            number, self.changes = self.changes, self.changes + 1
            if number != self.when:
                return real(*arguments)
            if self.fault in errno.__dict__:
                raise OSError(getattr(errno, self.fault), os.strerror(getattr(errno, self.fault)))
            if self.fault == "short write":
                return real(arguments[0], arguments[1][:7]) if name == "write" else real(*arguments)
            self.dead = True
            if self.fault == "crash after":
                real(*arguments)
            elif name == "write":
                real(arguments[0], arguments[1][: len(arguments[1]) // 2])
            raise Crash

        return change


def save(checkpoints: Checkpoints, update: int, value: float) -> None:
    tensors = {"w": torch.full((20, 30), value)}
    random = {"cpu": torch.get_rng_state()}
    checkpoints.save(update, model=tensors, optimizer=tensors, random=random, state=make_state(update))


def value(checkpoints: Checkpoints, update: int) -> float:
    return read_tensors(checkpoints.path(update) / MODEL)["w"][0, 0].item()


def saved_with(fault: Faulty, checkpoints: Checkpoints, update: int, monkeypatch: pytest.MonkeyPatch) -> str:
    """How saving over the checkpoints 10 and 20, and dropping 10, ends."""
    with monkeypatch.context() as patch:
        patch.setattr(durable, "os", fault)
        try:
            save(checkpoints, update, 3.0)
            checkpoints.keep([20, update])
        except Crash:
            return "crash"
        except OSError as error:
            return errno.errorcode[error.errno or 0]
    return "saved"


def number_of_changes(folder: Path, update: int, monkeypatch: pytest.MonkeyPatch) -> int:
    checkpoints, counting = Checkpoints(folder), Faulty(-1, "")
    save(checkpoints, 10, 1.0)
    save(checkpoints, 20, 2.0)
    assert saved_with(counting, checkpoints, update, monkeypatch) == "saved"
    return counting.changes


@pytest.mark.parametrize("update", [20, 30])
@pytest.mark.parametrize("fault", ["ENOSPC", "EIO", "crash", "crash after", "short write"])
def test_a_failed_save_leaves_the_newest_whole_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str, update: int
) -> None:
    changes = number_of_changes(tmp_path / "counted", update, monkeypatch)
    assert changes > 20
    for when in range(changes):
        checkpoints = Checkpoints(tmp_path / f"{when}")
        save(checkpoints, 10, 1.0)
        save(checkpoints, 20, 2.0)
        ending = saved_with(Faulty(when, fault), checkpoints, update, monkeypatch)
        assert ending == {"short write": "saved", "crash after": "crash"}.get(fault, fault), when

        checkpoints = Checkpoints(checkpoints.folder)
        checkpoints.recover()
        newest, flaws = checkpoints.newest()
        assert flaws == [], when
        found = {kept: value(checkpoints, kept) for kept in checkpoints.updates()}
        assert (newest, found[newest or 0]) in ((20, 2.0), (update, 3.0)), when
        assert all(checkpoints.find_flaw(kept) is None for kept in found), when
        assert 10 in found or newest == update, when  # old ones go only after the new one is there
        if ending == "saved":
            assert (newest, found) == (update, {20: 2.0, update: 3.0}), when

        save(checkpoints, update, 4.0)  # and the next one succeeds and leaves nothing beside
        checkpoints.keep([20, update])
        assert value(checkpoints, update) == 4.0
        assert [path.name for path in checkpoints.folder.iterdir() if path.name[0] == "."] == []


@pytest.mark.parametrize("when", range(6))
def test_a_replaced_file_is_whole_old_or_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: int) -> None:
    file = tmp_path / "manifest.json"
    durable.write_whole(file, "old")
    with monkeypatch.context() as patch:
        patch.setattr(durable, "os", Faulty(when, "crash"))
        with pytest.raises(Crash):
            durable.write_whole(file, "new")
    assert file.read_text() == ("old" if when < 4 else "new")


@pytest.mark.parametrize("fault", ["crash", "ENOSPC"])
@pytest.mark.parametrize("when", range(5))
def test_a_file_that_is_written_in_pieces_is_the_old_one_or_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: int, fault: str
) -> None:
    file = tmp_path / "out.txt"
    file.write_text("old")
    with monkeypatch.context() as patch:
        patch.setattr(durable, "os", Faulty(when, fault))
        with pytest.raises((Crash, OSError)), durable.open_whole(file) as out:
            out.write("new")
    assert file.read_text() == ("old" if when < 3 else "new")
    if fault == "ENOSPC":
        assert [path.name for path in tmp_path.iterdir()] == ["out.txt"]


def test_an_error_names_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable, "os", Faulty(1, "ENOSPC"))
    with pytest.raises(OSError, match="No space left on device") as caught:
        durable.append(tmp_path / "metrics.jsonl", b"line\n")
    assert caught.value.filename == str(tmp_path / "metrics.jsonl")
