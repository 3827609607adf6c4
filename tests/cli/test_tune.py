"""`seq2attn tune`: the best setting is found, written, and used from then on."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from seq2attn.inference.files import check_files
from seq2attn.inference.tune import Trial, Tuning, list_settings

Command = Callable[..., Any]


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "run"))


def read(folder: Path) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load((folder / "config.yaml").read_text())
    return config


def test_the_best_of_all_settings_is_written_into_the_configs(command: Command, run: Path, corpus: Path) -> None:
    before, card = read(run / "model"), (run / "model/README.md").read_bytes()
    weights = (run / "model/model.safetensors").read_bytes()
    done = command("tune", run, "--beams", "1,3", "--penalties", "0,2", "--json")
    figures = json.loads(done.out)
    trials = {(trial["beam"], trial["length_penalty"]): trial["bleu"] for trial in figures["trials"]}
    assert list(trials) == [(1, 0.0), (3, 0.0), (3, 2.0)]
    for (beam, penalty), bleu in trials.items():
        scored = command(
            "evaluate", run, "--test", corpus / "validation", "--beam", beam, "--length-penalty", penalty, "--json"
        )
        assert json.loads(scored.out)["bleu"] == pytest.approx(bleu)
    best = figures["best"]
    assert best["bleu"] == max(trials.values())
    for folder in (run, run / "model"):
        evaluation = read(folder)["evaluation"]
        assert (evaluation["beam"], evaluation["length_penalty"]) == (best["beam"], best["length_penalty"])
        assert f"{folder}: evaluation.beam and evaluation.length_penalty are written" in done.err
    check_files(run / "model")
    before["evaluation"] |= {"beam": best["beam"], "length_penalty": best["length_penalty"]}
    assert read(run / "model") == before
    assert (run / "model/README.md").read_bytes() == card
    assert (run / "model/model.safetensors").read_bytes() == weights
    assert command("translate", run, corpus / "test.en").code == 0


def test_a_model_folder_alone_is_tuned_too(command: Command, run: Path, corpus: Path, tmp_path: Path) -> None:
    model = Path(shutil.move(run / "model", tmp_path / "alone"))
    done = command("tune", model, "--beams", "1")
    assert done.code == 0
    assert "best: beam 1, length penalty 0" in done.out
    assert read(model)["evaluation"]["beam"] == 1


def test_a_model_folder_with_other_folders_in_it_is_left_alone(command: Command, run: Path, tmp_path: Path) -> None:
    model = Path(shutil.move(run / "model", tmp_path / "cloned"))
    (model / ".git").mkdir()
    (model / ".git/kept").write_text("kept")
    before = (model / "config.yaml").read_bytes()
    done = command("tune", model, "--beams", "1")
    assert done.code != 0
    assert "holds other folders (.git)" in done.err
    assert (model / "config.yaml").read_bytes() == before
    assert (model / ".git/kept").read_text() == "kept"


def test_a_dry_run_writes_nothing(command: Command, run: Path) -> None:
    before = (run / "config.yaml").read_bytes(), (run / "model/config.yaml").read_bytes()
    assert command("tune", run, "--beams", "1", "--dry-run").code == 0
    assert ((run / "config.yaml").read_bytes(), (run / "model/config.yaml").read_bytes()) == before


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--beams", "1,x"), "--beams 1,x: not a list of whole numbers"),
        (("--penalties", "0,-1"), "--penalties 0,-1: not a list of numbers from 0"),
        (("--penalties", "nan"), "--penalties nan: not a list of numbers from 0"),
        (("--beams", ""), "nothing to try"),
        (("--beams", "0"), "beam"),
    ],
)
def test_what_cannot_be_tried_is_refused(command: Command, run: Path, options: tuple[str, str], says: str) -> None:
    done = command("tune", run, *options)
    assert done.code != 0
    assert says in done.err
    assert done.err.count("\n") <= 2


def test_of_equal_trials_the_fastest_is_the_best() -> None:
    trials = (Trial(8, 0.0, 30.0), Trial(4, 1.0, 30.0), Trial(4, 0.5, 30.0), Trial(1, 0.0, 29.0))
    assert Tuning(10, "", trials).best == Trial(4, 0.5, 30.0)


def test_greedy_search_is_tried_once() -> None:
    assert list_settings((1, 2, 2), (0.0, 1.0)) == [(1, 0.0), (2, 0.0), (2, 1.0)]
