"""Going on after what a signal, a disk or the memory did."""

import errno
import itertools
import json
import os
import shutil
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from seq2attn import durable
from seq2attn.errors import Seq2attnError, UsageError
from seq2attn.runs import session as module
from seq2attn.runs.directory import Run
from seq2attn.runs.signals import InterruptedRunError
from seq2attn.runs.train import train
from seq2attn.training.checkpoint import MODEL, Checkpoints
from seq2attn.training.memory import OutOfMemoryError
from seq2attn.training.trainer import Step, Trainer
from tests.test_durable import Faulty
from tests.tiny import timeless, tiny

SETTINGS = ("model.dropout=0.1", "training.keep_best=2", "training.early_stopping={metric: loss, patience: 9}")


def ending(out: Path) -> tuple[bytes, list[dict[str, Any]], list[int]]:
    return (
        (out / "model" / MODEL).read_bytes(),
        timeless(Run.open(out).events()),
        Checkpoints(out / "checkpoints").updates(),
    )


@pytest.fixture(scope="module")
def whole(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """How a run ends that nothing disturbed."""
    out = tmp_path_factory.mktemp("whole") / "run"
    train(tiny(corpus, *SETTINGS), out, device="cpu")
    return ending(out)


def killed(config: Any, out: Path, update: int) -> None:
    """Train until an exception that nobody knows comes before `update`."""
    step = Trainer.update

    def ends(self: Trainer) -> Step:
        if self.position.update == update - 1:
            raise KeyboardInterrupt
        return step(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "update", ends)
        with pytest.raises(KeyboardInterrupt):
            train(config, out, device="cpu")


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize(("signal_number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_validation_is_left_at_once_and_made_again(
    whole: Any,
    corpus: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    signal_number: int,
    code: int,
) -> None:
    """The third is that of the end."""
    made, calls = module.make_validator, []

    def interrupting(*arguments: Any) -> Callable[[], Mapping[str, float]]:
        validate = made(*arguments)

        def called() -> Mapping[str, float]:
            calls.append(1)
            if len(calls) == number:
                signal.raise_signal(signal_number)
                pytest.fail("the validation goes on")
            return validate()

        return called

    config = tiny(corpus, *SETTINGS)
    with monkeypatch.context() as patch:
        patch.setattr(module, "make_validator", interrupting)
        with pytest.raises(InterruptedRunError, match=f"at update {4 * number}; the checkpoint is saved in") as caught:
            train(config, tmp_path, device="cpu")
    assert caught.value.exit_code == code
    assert Checkpoints(tmp_path / "checkpoints").updates()[-1] == 4 * number
    train(config, tmp_path, device="cpu")
    assert ending(tmp_path) == whole


@pytest.mark.parametrize("file", ["model.safetensors", "state.json"])
def test_a_damaged_checkpoint_is_named_and_the_previous_used(
    whole: Any, corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], file: str
) -> None:
    config = tiny(corpus, *SETTINGS)
    killed(config, tmp_path, 10)
    assert Checkpoints(tmp_path / "checkpoints").updates() == [4, 8]
    (tmp_path / "checkpoints/update-00000008" / file).write_bytes(b"torn")
    train(config, tmp_path, device="cpu")
    said = capsys.readouterr().err
    assert f"update-00000008/{file}: damaged, its checksum differs; the checkpoint before it is used" in said
    assert "going on from update 4" in said
    assert ending(tmp_path) == whole


def test_a_run_whose_checkpoints_are_all_damaged_says_so(corpus: Path, tmp_path: Path) -> None:
    config = tiny(corpus, *SETTINGS)
    killed(config, tmp_path, 10)
    for update in (4, 8):
        (tmp_path / f"checkpoints/update-{update:08d}" / MODEL).unlink()
    with pytest.raises(Seq2attnError, match="no checkpoint is whole") as caught:
        train(config, tmp_path, device="cpu")
    assert "--overwrite" in caught.value.hint


def test_metrics_written_after_the_checkpoint_are_forgotten(whole: Any, corpus: Path, tmp_path: Path) -> None:
    config = tiny(corpus, *SETTINGS)
    killed(config, tmp_path, 7)
    assert [event["update"] for event in Run.open(tmp_path).events()][-1] == 5
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"event": "tr')
    train(config, tmp_path, device="cpu")
    assert ending(tmp_path) == whole


def test_a_failing_disk_is_one_clear_error(
    whole: Any, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny(corpus, *SETTINGS)
    counting = Faulty(-1, "")
    with monkeypatch.context() as patch:
        patch.setattr(durable, "os", counting)
        train(config, tmp_path / "counted", device="cpu")
    assert counting.changes > 100
    for when, fault in zip(range(0, counting.changes, 29), itertools.cycle(["ENOSPC", "EIO", "EROFS"])):
        out = tmp_path / f"{when}"
        with monkeypatch.context() as patch:
            patch.setattr(durable, "os", Faulty(when, fault))
            with pytest.raises(Seq2attnError, match=os.strerror(getattr(errno, fault))) as caught:
                train(config, out, device="cpu")
        assert caught.value.message.startswith(str(out)), when
        assert "run the same command again" in caught.value.hint
        train(config, out, device="cpu")
        assert ending(out) == whole, when


def test_a_vanished_run_directory_is_one_clear_error(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = Trainer.update

    def vanishing(self: Trainer) -> Step:
        if self.position.update == 5:
            shutil.rmtree(tmp_path / "run")
        return step(self)

    monkeypatch.setattr(Trainer, "update", vanishing)
    with pytest.raises(Seq2attnError, match=r"run/metrics\.jsonl: No such file or directory"):
        train(tiny(corpus, *SETTINGS), tmp_path / "run", device="cpu")
    assert list(tmp_path.iterdir()) == []


def test_a_batch_without_room_is_told_before_the_first_update(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    differentiate = Trainer.differentiate

    def without_room(self: Trainer, batch: Any, tokens: int) -> Any:
        if batch.source.numel() > 60:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")
        return differentiate(self, batch, tokens)

    monkeypatch.setattr(Trainer, "update", lambda self: pytest.fail("it trains"))
    monkeypatch.setattr(Trainer, "differentiate", without_room)
    with pytest.raises(OutOfMemoryError, match=r"training\.batch_tokens: \d+ would"):
        train(tiny(corpus), tmp_path, device="cpu")


def test_memory_that_runs_out_later_is_one_clear_line(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = Trainer.update

    def without_room(self: Trainer) -> Step:
        if self.position.update == 6:
            raise MemoryError("Unable to allocate 9 GiB")
        return step(self)

    monkeypatch.setattr(Trainer, "update", without_room)
    with pytest.raises(Seq2attnError, match="out of memory: Unable to allocate") as caught:
        train(tiny(corpus), tmp_path, device="cpu")
    assert "batch_tokens" in caught.value.hint
    assert Checkpoints(tmp_path / "checkpoints").newest() == (4, [])


@pytest.mark.parametrize(
    "until_the_end",
    [
        "training.schedule={type: cosine, warmup: 2}",
        "model.decoder={type: luong, width: 8, input_feeding: false, attention: {aggregation: gumbel}}",
        "model.decoder={type: luong, width: 8, input_feeding: false, attention: {aggregation: reinforce}}",
        "training.schedule={type: plateau, warmup: 2}",
        "training.early_stopping={metric: bleu, patience: 9}",
    ],
)
def test_more_updates_where_the_end_matters_would_be_another_past(
    corpus: Path, tmp_path: Path, until_the_end: str
) -> None:
    settings = (until_the_end, "training.validate_every=5")  # the validation after 12 is there because it is the end
    train(tiny(corpus, *settings), tmp_path, device="cpu")
    with pytest.raises(UsageError, match=r"training\.max_updates: 12 → 20") as caught:
        train(tiny(corpus, *settings, "training.max_updates=20"), tmp_path, device="cpu")
    assert "--from" in caught.value.hint


def test_a_run_that_goes_on_elsewhere_says_what_is_different(
    corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    killed(tiny(corpus), tmp_path, 6)
    killed(tiny(corpus), tmp_path, 7)
    assert "goes on with other" not in capfd.readouterr().err
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    manifest["device"]["threads"], manifest["versions"]["torch"] = 7, "0.1"
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    train(tiny(corpus), tmp_path, device="cpu")
    assert (
        f"{tmp_path}: goes on with other threads, hardware or versions (threads: 7 → 1; torch: 0.1 → "
        in capfd.readouterr().err
    )


def test_raised_max_updates_after_a_due_validation_change_nothing(corpus: Path, tmp_path: Path) -> None:
    plateau = ("training.schedule={type: plateau, warmup: 2, patience: 1}", "training.validate_every=4")
    for updates in (12, 20):
        train(tiny(corpus, *plateau, f"training.max_updates={updates}"), tmp_path / "longer", device="cpu")
    train(tiny(corpus, *plateau, "training.max_updates=20"), tmp_path / "whole", device="cpu")
    assert ending(tmp_path / "longer")[0] == ending(tmp_path / "whole")[0]


def test_a_removal_that_was_killed_is_finished_by_overwrite_alone(
    whole: Any, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, other = tiny(corpus, *SETTINGS), tiny(corpus, "seed=9", "training.max_updates=1")
    train(other, tmp_path, device="cpu")

    def dies(path: Path) -> None:
        shutil.rmtree(path / "nothing", ignore_errors=True)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("seq2attn.runs.directory.remove_folder", dies)
        with pytest.raises(KeyboardInterrupt):
            train(config, tmp_path, device="cpu", overwrite=True)
    for again in (config, other):
        with pytest.raises(UsageError, match=r"manifest\.json: damaged"):
            train(again, tmp_path, device="cpu")
    train(config, tmp_path, device="cpu", overwrite=True)
    assert ending(tmp_path) == whole
