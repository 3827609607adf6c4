"""Beginning with other weights: of a run, a checkpoint or a model; everything else from the start."""

import shutil
from pathlib import Path

import pytest
import torch

from seq2attn.errors import UsageError
from seq2attn.runs.directory import Run
from seq2attn.runs.session import Session
from seq2attn.runs.train import plan_training, train
from seq2attn.training.checkpoint import MODEL, Checkpoints, read_tensors
from tests.tiny import TRAINED, tiny, write_corpus

CHANGED = (*TRAINED, "training.batch_tokens=200", "training.max_updates=3", "training.optimizer.learning_rate=0.001")


def kill_before_training(session: Session) -> None:
    raise KeyboardInterrupt


def test_a_run_begins_with_the_last_weights_and_nothing_else(
    trained: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = tmp_path / "new"
    with monkeypatch.context() as patch:
        patch.setattr(Session, "_train", kill_before_training)
        with pytest.raises(KeyboardInterrupt):
            train(tiny(corpus, *CHANGED), new, start_from=trained, device="cpu")
    begun = read_tensors(new / "checkpoints/update-00000000" / MODEL)
    kept = read_tensors(trained / "checkpoints/update-00000060" / MODEL)
    assert all(torch.equal(begun[name], kept[name]) for name in kept)
    assert read_tensors(new / "checkpoints/update-00000000/optimizer.safetensors") == {}
    train(tiny(corpus, *CHANGED), new, start_from=trained, device="cpu")
    run = Run.open(new)
    record = run.manifest.forked_from
    assert record is not None
    assert (record.run, record.started, record.update) == (str(trained), Run.open(trained).manifest.started, 60)
    assert (run.finished, run.manifest.updates) == (True, 3)
    assert [event["update"] for event in run.events() if event["event"] == "validation"] == [3]
    assert (new / "tokenizer/joint.model").read_bytes() == (trained / "model/joint.model").read_bytes()
    trained_loss = [event["loss"] for event in Run.open(trained).events() if event["event"] == "train"][-1]
    assert run.events()[0]["loss"] < trained_loss + 0.3  # it knows already what an untrained model does not


def test_a_run_killed_before_its_first_update_ends_as_any_other(
    trained: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny(corpus, *CHANGED)
    train(config, tmp_path / "once", start_from=trained, device="cpu")
    with monkeypatch.context() as patch:
        patch.setattr(Session, "_train", kill_before_training)
        with pytest.raises(KeyboardInterrupt):
            train(config, tmp_path / "twice", start_from=trained, device="cpu")
    train(config, tmp_path / "twice", start_from=trained, device="cpu")
    assert (tmp_path / "once/model" / MODEL).read_bytes() == (tmp_path / "twice/model" / MODEL).read_bytes()


@pytest.mark.parametrize("what", ["model", "checkpoints/update-00000060", "checkpoints/update-00000040"])
def test_a_model_folder_and_a_checkpoint_will_do(
    trained: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Session, "_train", kill_before_training)
        with pytest.raises(KeyboardInterrupt):
            train(tiny(corpus, *CHANGED), tmp_path / "new", start_from=trained / what, device="cpu")
    begun = read_tensors(tmp_path / "new/checkpoints/update-00000000" / MODEL)
    given = read_tensors(trained / what / MODEL)
    assert all(torch.equal(begun[name], given[name]) for name in given)
    train(tiny(corpus, *CHANGED), tmp_path / "new", start_from=trained / what, device="cpu")
    assert Run.open(tmp_path / "new").finished


def test_a_dry_run_says_what_a_run_would_begin_with(trained: Path, corpus: Path, tmp_path: Path) -> None:
    text = plan_training(tiny(corpus, *CHANGED), tmp_path / "new", start_from=trained, device="cpu")
    assert f"begins with the weights of update 60 of {trained}" in text
    with pytest.raises(UsageError, match=r"another model; different: model\.decoder\.width: 16 → 10"):
        plan_training(
            tiny(corpus, *CHANGED, "model.decoder.width=10"), tmp_path / "n", start_from=trained, device="cpu"
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("what", ["nothing", "model/config.yaml", "checkpoints/update-00000007", "checkpoints"])
def test_what_has_no_weights_is_refused(trained: Path, corpus: Path, tmp_path: Path, what: str) -> None:
    with pytest.raises(UsageError, match=r"neither a run|no such checkpoint|no such folder"):
        train(tiny(corpus, *CHANGED), tmp_path / "new", start_from=trained / what, device="cpu")


def test_a_run_from_other_weights_keeps_the_vocabulary_on_another_corpus(trained: Path, tmp_path: Path) -> None:
    other = write_corpus(tmp_path / "other")
    for language in ("en", "de"):
        lines = (other / f"train.{language}").read_text().splitlines()
        (other / f"train.{language}").write_text("".join(f"{line} {line}\n" for line in lines[:60]))
    train(tiny(other, *CHANGED), tmp_path / "new", start_from=trained, device="cpu")
    assert (tmp_path / "new/model/joint.model").read_bytes() == (trained / "model/joint.model").read_bytes()
    train(tiny(other, *CHANGED), tmp_path / "new", device="cpu")  # the run by its own name


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "data.vocab_size=45",
            r"keeps their vocabulary; different: data\.vocab_size: 40 → 45",
        ),
        (
            "data.tokenizer.type=bpe",
            r"keeps their vocabulary; different: data\.tokenizer",
        ),
        ("model.decoder.width=10", r"another model; different: model\.decoder\.width: 16 → 10"),
    ],
)
def test_another_vocabulary_or_model_is_refused_and_nothing_is_written(
    trained: Path, corpus: Path, tmp_path: Path, override: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        train(tiny(corpus, *CHANGED, override), tmp_path / "new", start_from=trained, device="cpu")
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_began_otherwise_is_refused(trained: Path, corpus: Path, tmp_path: Path) -> None:
    train(tiny(corpus, *CHANGED), tmp_path / "own", device="cpu")
    with pytest.raises(UsageError, match="holds a run that did not begin with"):
        train(tiny(corpus, *CHANGED), tmp_path / "own", start_from=trained, device="cpu")


def test_a_run_without_a_checkpoint_has_no_weights_to_give(trained: Path, corpus: Path, tmp_path: Path) -> None:
    old = Path(shutil.copytree(trained, tmp_path / "old"))
    Checkpoints(old / "checkpoints").keep([])
    with pytest.raises(UsageError, match="has no checkpoint yet"):
        train(tiny(corpus, *CHANGED), tmp_path / "new", start_from=old, device="cpu")


def test_a_run_from_other_weights_goes_on_whatever_the_old_run_is_called_now_and_begins_in_what_another_left(
    trained: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = Path(shutil.copytree(trained, tmp_path / "old")), tmp_path / "new"
    new.mkdir()
    (new / ".lock").touch()
    monkeypatch.chdir(tmp_path)
    for name in (old, Path("old")):
        train(tiny(corpus, *CHANGED), new, start_from=name, device="cpu")
    train(tiny(corpus, *CHANGED), new, start_from=old.rename(tmp_path / "moved"), device="cpu")
    assert Run.open(new).finished


def test_a_run_from_other_weights_leaves_their_run_alone(trained: Path, corpus: Path, tmp_path: Path) -> None:
    old = Path(shutil.copytree(trained, tmp_path / "old"))
    (old / "checkpoints/update-00000060").rename(old / "checkpoints/.update-00000060.old")  # it is just being replaced
    before = sorted(old.rglob("*"))
    train(tiny(corpus, *CHANGED), tmp_path / "new", start_from=old, device="cpu")
    assert sorted(old.rglob("*")) == before
    assert Run.open(tmp_path / "new").manifest.forked_from.update == 40  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["run", "link", "run/model", "run/checkpoints/update-00000060"])
@pytest.mark.parametrize("overwrite", [True, False])
def test_a_run_never_removes_what_it_is_to_begin_with(
    trained: Path, corpus: Path, tmp_path: Path, name: str, overwrite: bool
) -> None:
    run = Path(shutil.copytree(trained, tmp_path / "run"))
    (tmp_path / "link").symlink_to(run)
    before = sorted(run.rglob("*"))
    for start in (train, plan_training):
        with pytest.raises(UsageError, match=f"--from .*{name} lies in --out .*run"):
            start(tiny(corpus, *CHANGED), run, overwrite=overwrite, start_from=tmp_path / name, device="cpu")
    assert sorted(run.rglob("*")) == before


def test_a_run_that_has_begun_goes_on_without_what_it_began_with(
    trained: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, config = Path(shutil.copytree(trained, tmp_path / "old")), tiny(corpus, *CHANGED)
    with monkeypatch.context() as patch:
        patch.setattr(Session, "_train", kill_before_training)
        with pytest.raises(KeyboardInterrupt):
            train(config, tmp_path / "new", start_from=old, device="cpu")
    shutil.rmtree(old)
    train(config, tmp_path / "new", start_from=old, device="cpu")
    assert Run.open(tmp_path / "new").finished
    for overwrite, start_from in ((True, old), (False, tmp_path / "other")):  # a new run, or one that began elsewhere
        with pytest.raises(UsageError, match="no such folder"):
            train(config, tmp_path / "new", overwrite=overwrite, start_from=start_from, device="cpu")
