import shutil
from pathlib import Path

import pytest
import torch

from seq2attn.errors import UsageError
from seq2attn.inference.model import load
from seq2attn.runs.average import average_run
from seq2attn.runs.directory import Run
from seq2attn.training.checkpoint import MODEL, Checkpoints, read_tensors


def best_updates(run: Path) -> list[int]:
    """Best first by validation loss, which this run selects by."""
    loss = {event["update"]: event["loss"] for event in Run.open(run).events() if event["event"] == "validation"}
    return sorted(loss, key=lambda update: loss[update])


@pytest.mark.parametrize("of", ["last", "best"])
def test_the_average_of_a_run_is_a_model_that_translates(trained: Path, tmp_path: Path, of: str) -> None:
    checkpoints = Checkpoints(trained / "checkpoints")
    chosen = sorted(checkpoints.updates()[-2:] if of == "last" else best_updates(trained)[:2])
    out = average_run(trained, tmp_path / "deep" / "average", count=2, of=of)  # type: ignore[arg-type]
    parts = [read_tensors(checkpoints.path(update) / MODEL) for update in chosen]
    for name, tensor in read_tensors(out / MODEL).items():
        torch.testing.assert_close(tensor, (parts[0][name] + parts[1][name]) / 2)
    assert f"the average of updates {chosen[0]}, {chosen[1]}" in (out / "README.md").read_text()
    assert len(load(out).translate(["ka mi", "lo"])) == 2


def test_more_than_are_kept_cannot_be_averaged(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="keeps 3 validated checkpoints, not 5") as caught:
        average_run(trained, tmp_path / "average", count=5, of="last")
    assert "training.keep_last=5" in caught.value.hint
    assert not (tmp_path / "average").exists()
    stopped = Path(shutil.copytree(trained, tmp_path / "stopped"))
    (stopped / "checkpoints/update-00000060").rename(stopped / "checkpoints/update-00000061")
    with pytest.raises(UsageError, match=r"keeps 2 .* not 3 \(not counted, since they were not validated: 61\)"):
        average_run(stopped, tmp_path / "average", count=3, of="last")


def test_a_checkpoint_or_nothing_in_place_of_a_run_is_named(trained: Path, tmp_path: Path) -> None:
    for path, says in (
        (tmp_path / "nowhere", "nowhere: no such folder"),
        (trained / "checkpoints/update-00000060", "update-00000060: a checkpoint of the run"),
    ):
        with pytest.raises(UsageError, match=says):
            average_run(path, tmp_path / "average", count=2, of="last")


def test_what_is_there_is_not_overwritten(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="exists already"):
        average_run(trained, tmp_path, count=2, of="last")


def test_an_unfinished_run_has_an_average_too(trained: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(trained, tmp_path / "run"))
    shutil.rmtree(run / "model")
    manifest = run / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"finished": true', '"finished": false'))
    assert (average_run(run, tmp_path / "average", count=2, of="last") / MODEL).is_file()
    [*_, last] = Checkpoints(run / "checkpoints").updates()
    one = average_run(run, tmp_path / "one", count=2, of="last", checkpoint="last")
    assert f"of update {last}" in (one / "README.md").read_text()
    weights = read_tensors(Checkpoints(run / "checkpoints").path(last) / MODEL)
    assert all(torch.equal(tensor, weights[name]) for name, tensor in read_tensors(one / MODEL).items())
