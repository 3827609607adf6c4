"""A fork: another run's weights, everything else from the start."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from seq2attn.errors import Seq2attnError, UsageError
from seq2attn.runs import fork as module
from seq2attn.runs.directory import Run
from seq2attn.runs.fork import fork
from seq2attn.runs.train import train
from seq2attn.training.checkpoint import MODEL, Checkpoints, read_tensors
from tests.tiny import TRAINED, tiny, write_corpus

CHANGED = (*TRAINED, "training.batch_tokens=200", "training.max_updates=3", "training.optimizer.learning_rate=0.001")


def test_a_fork_begins_with_the_last_weights_and_nothing_else(
    trained: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = tmp_path / "new"
    with monkeypatch.context() as patch:  # killed before its first update
        patch.setattr(module, "train", lambda *arguments, **options: None)
        fork(tiny(corpus, *CHANGED), trained, new, device="cpu")
    begun = read_tensors(new / "checkpoints/update-00000000" / MODEL)
    kept = read_tensors(trained / "checkpoints/update-00000060" / MODEL)
    assert all(torch.equal(begun[name], kept[name]) for name in kept)
    assert read_tensors(new / "checkpoints/update-00000000/optimizer.safetensors") == {}
    fork(tiny(corpus, *CHANGED), trained, new, device="cpu")
    run = Run.open(new)
    started = Run.open(trained).manifest["started"]
    assert run.manifest["forked_from"] == {"run": str(trained), "started": started, "update": 60}
    assert (run.finished, run.manifest["updates"]) == (True, 3)
    assert [event["update"] for event in run.events() if event["event"] == "validation"] == [3]
    assert (new / "tokenizer/joint.model").read_bytes() == (trained / "model/joint.model").read_bytes()
    trained_loss = [event["loss"] for event in Run.open(trained).events() if event["event"] == "train"][-1]
    assert run.events()[0]["loss"] < trained_loss + 0.3  # it knows already what an untrained model does not


def test_a_killed_fork_resumes_to_the_same_run(trained: Path, corpus: Path, tmp_path: Path) -> None:
    for name in ("once", "twice"):
        config = tiny(corpus, *CHANGED)
        fork(config, trained, tmp_path / name, device="cpu")
    assert (tmp_path / "once/model" / MODEL).read_bytes() == (tmp_path / "twice/model" / MODEL).read_bytes()


def test_a_fork_keeps_the_vocabulary_on_another_corpus(trained: Path, tmp_path: Path) -> None:
    other = write_corpus(tmp_path / "other")
    for language in ("en", "de"):
        lines = (other / f"train.{language}").read_text().splitlines()
        (other / f"train.{language}").write_text("".join(f"{line} {line}\n" for line in lines[:60]))
    fork(tiny(other, *CHANGED), trained, tmp_path / "new", device="cpu")
    assert (tmp_path / "new/model/joint.model").read_bytes() == (trained / "model/joint.model").read_bytes()
    train(tiny(other, *CHANGED), tmp_path / "new", device="cpu")  # the run by its own name


@pytest.mark.parametrize(
    ("override", "error", "message"),
    [
        ("data.vocab_size=45", UsageError, r"a fork keeps its vocabulary; different: data\.vocab_size: 40 → 45"),
        ("data.tokenizer.type=bpe", UsageError, r"a fork keeps its vocabulary; different: data\.tokenizer"),
        ("model.decoder.width=10", Seq2attnError, "does not fit the config's model"),
    ],
)
def test_another_vocabulary_or_model_is_refused_and_nothing_is_written(
    trained: Path, corpus: Path, tmp_path: Path, override: str, error: Any, message: str
) -> None:
    with pytest.raises(error, match=message):
        fork(tiny(corpus, *CHANGED, override), trained, tmp_path / "new", device="cpu")
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_is_no_fork_of_the_other_is_refused(trained: Path, corpus: Path, tmp_path: Path) -> None:
    train(tiny(corpus, *CHANGED), tmp_path / "own", device="cpu")
    with pytest.raises(UsageError, match="holds a run that was not forked from"):
        fork(tiny(corpus, *CHANGED), trained, tmp_path / "own", device="cpu")


def test_a_run_without_a_checkpoint_has_nothing_to_fork(trained: Path, corpus: Path, tmp_path: Path) -> None:
    old = Path(shutil.copytree(trained, tmp_path / "old"))
    Checkpoints(old / "checkpoints").keep([])
    with pytest.raises(UsageError, match="has no checkpoint yet"):
        fork(tiny(corpus, *CHANGED), old, tmp_path / "new", device="cpu")


def test_a_fork_resumes_though_its_origin_has_another_name(
    trained: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = Path(shutil.copytree(trained, tmp_path / "old")), tmp_path / "new"
    new.mkdir()
    (new / ".lock").touch()
    monkeypatch.chdir(tmp_path)
    for name in (old, Path("old")):
        fork(tiny(corpus, *CHANGED), name, new, device="cpu")
    fork(tiny(corpus, *CHANGED), old.rename(tmp_path / "moved"), new, device="cpu")
    assert Run.open(new).finished


def test_a_fork_leaves_its_origin_unchanged(trained: Path, corpus: Path, tmp_path: Path) -> None:
    old = Path(shutil.copytree(trained, tmp_path / "old"))
    (old / "checkpoints/update-00000060").rename(old / "checkpoints/.update-00000060.old")  # it is just being replaced
    before = sorted(old.rglob("*"))
    fork(tiny(corpus, *CHANGED), old, tmp_path / "new", device="cpu")
    assert sorted(old.rglob("*")) == before
    assert Run.open(tmp_path / "new").manifest["forked_from"]["update"] == 40
