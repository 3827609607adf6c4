"""A checkpoint of a run in place of its model, whether the run is finished or not."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from seq2attn.errors import UsageError
from seq2attn.inference.model import load
from seq2attn.runs.directory import Run
from seq2attn.training.checkpoint import MODEL, Checkpoints, read_tensors


@pytest.fixture
def stopped(trained: Path, tmp_path: Path) -> Path:
    """A run without a model/."""
    run = Path(shutil.copytree(trained, tmp_path / "run"))
    shutil.rmtree(run / "model")
    manifest = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps(manifest | {"finished": False}))
    return run


@pytest.mark.filterwarnings("ignore:.* cut at the limit")
def test_each_checkpoint_is_found_by_its_name(stopped: Path, trained: Path) -> None:
    checkpoints = Checkpoints(stopped / "checkpoints")
    losses = {event["update"]: event["loss"] for event in Run.open(trained).events() if event["event"] == "validation"}
    best = min(checkpoints.updates(), key=lambda update: losses[update])
    names = {"last": checkpoints.updates()[-1], "best": best} | {update: update for update in checkpoints.updates()}
    for name, update in names.items():
        model = load(stopped, "cpu", checkpoint=name)
        weights = read_tensors(checkpoints.path(update) / MODEL)
        assert all(torch.equal(p, weights[name]) for name, p in model.network.named_parameters() if name in weights)
        assert model.limit == load(trained).limit
    assert load(stopped, checkpoint="best").translate(["ka mi lo"]) == load(trained).translate(["ka mi lo"])


def test_a_checkpoint_that_is_not_there_is_named(stopped: Path, trained: Path, tmp_path: Path) -> None:
    for run, name, says in (
        (stopped, "newest", "--checkpoint newest"),
        (stopped, 7, "--checkpoint 7"),
        (stopped, "", "--checkpoint '':"),
        (trained / "model", "last", "not a run directory"),
        (tmp_path / "nowhere", "last", "nowhere: no such folder"),
        (stopped / "checkpoints/update-00000060", "last", "update-00000060: a checkpoint of the run"),
    ):
        with pytest.raises(UsageError, match=says) as caught:
            load(run, checkpoint=name)
        assert caught.value.hint
    newest = Checkpoints(stopped / "checkpoints").updates()[-1]
    (Checkpoints(stopped / "checkpoints").path(newest) / MODEL).write_bytes(b"damaged")
    with pytest.raises(UsageError, match="damaged"):
        load(stopped, checkpoint=newest)
    assert load(stopped, checkpoint="last").path.name != f"update-{newest:08d}"
    assert load(stopped, checkpoint="best").path.name != f"update-{newest:08d}"


def test_a_checkpoint_is_no_model(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Checkpoints(trained / "checkpoints").path(60)
    for here, name, run in (("/", folder, trained), (trained.parent, folder.relative_to(trained.parent), trained.name)):
        monkeypatch.chdir(here)
        with pytest.raises(UsageError, match=f"{name}: a checkpoint of the run {run}") as caught:
            load(name)
        assert caught.value.hint.endswith(f": {run} --checkpoint 60")


def test_an_unfinished_run_says_how_to_use_it(stopped: Path) -> None:
    with pytest.raises(UsageError, match="not finished") as caught:
        load(stopped)
    assert "--checkpoint last" in caught.value.hint
    shutil.rmtree(stopped / "checkpoints")
    with pytest.raises(UsageError, match="not finished") as caught:
        load(stopped)
    assert "--checkpoint" not in caught.value.hint
    with pytest.raises(UsageError, match="has no checkpoint yet"):
        load(stopped, checkpoint="last")
