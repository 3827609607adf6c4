"""Sweeps: which runs there are, how they are ranked, and that they go on."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import pytest

from seq2attn.compare.runner import LocalRunner, Train
from seq2attn.compare.sweep import Cell, make_table, parse_variation, plan_sweep, sweep
from seq2attn.compare.systems import SystemRun
from seq2attn.errors import UsageError
from tests.tiny import CONFIG


@pytest.fixture
def config(corpus: Path, tmp_path: Path) -> str:
    path = tmp_path / "small.yaml"
    path.write_text(CONFIG.format(folder=corpus))
    return str(path)


def test_values_are_split_at_commas_outside_of_brackets() -> None:
    assert parse_variation("a.b=1, 2,3").values == ("1", "2", "3")
    assert parse_variation("a={x: 1, y: 2},[1,2],z").values == ("{x: 1, y: 2}", "[1,2]", "z")
    for wrong in ("a", "a=", "=1", "a=1,,2", "a=1,1"):
        with pytest.raises(UsageError, match="not a key and distinct values"):
            parse_variation(wrong)


def test_every_combination_has_its_run(config: str, tmp_path: Path) -> None:
    variations = [parse_variation("training.max_updates=3,4"), parse_variation("model.dropout=0.0,0.5")]
    cells = plan_sweep([config], variations, tmp_path / "out", ["seed=7", "small:training.log_every=2"])
    assert [(cell.run.config.training.max_updates, cell.run.config.model.dropout) for cell in cells] == [
        (3, 0.0), (3, 0.5), (4, 0.0), (4, 0.5)
    ]  # fmt: skip
    assert {(cell.run.config.seed, cell.run.config.training.log_every) for cell in cells} == {(7, 2)}
    assert cells[1].run.path == tmp_path / "out/runs/small/max_updates=3,dropout=0.5"
    assert len({cell.run.path for cell in cells}) == 4


def test_an_override_may_concern_one_system(config: str, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(Path(config).read_text())
    cells = plan_sweep([config, str(other)], [parse_variation("seed=1,2")], tmp_path, ["other:model.dropout=0.4"])
    assert [(cell.system, cell.run.config.model.dropout) for cell in cells] == [
        ("small", 0.1), ("small", 0.1), ("other", 0.4), ("other", 0.4)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("vary", "overrides", "says"),
    [
        (["seed=1,2", "seed=3"], [], "the key seed is there twice"),
        (["seed=1,2"], ["nobody:seed=3"], "--set nobody:…: no system of that name"),
        (["training.nothing=1"], [], "training.nothing"),
        (["data.train=a b,a  b"], [], "two values would have the folder"),
    ],
)
def test_what_cannot_be_planned_is_refused(
    config: str, tmp_path: Path, vary: list[str], overrides: list[str], says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        plan_sweep([config], [parse_variation(text) for text in vary], tmp_path, overrides)


class Counting(LocalRunner):
    """Counts the updates that are still to be made when a run is asked for."""

    trained: ClassVar[list[str]] = []

    @contextmanager
    def start_training(self, runs: Sequence[SystemRun]) -> Iterator[Train]:
        with super().start_training(runs) as train:

            def count(run: SystemRun) -> None:
                if not (run.path / "model").exists():
                    self.trained.append(run.path.name)
                train(run)

            yield count


def test_runs_are_ranked_by_validation_and_trained_once(config: str, tmp_path: Path) -> None:
    out, runner = tmp_path / "out", Counting("cpu", 1)
    runner.trained.clear()
    out.mkdir()
    overrides = ["training.select=loss"]

    def plan(values: str) -> list[Cell]:
        return plan_sweep([config], [parse_variation(f"training.optimizer.learning_rate={values}")], out, overrides)

    rows, failed = sweep(plan("0.000001,0.02"), runner, out)
    assert not failed
    assert [row.cell.values for row in rows] == [
        {"training.optimizer.learning_rate": "0.02"}, {"training.optimizer.learning_rate": "0.000001"}
    ]  # fmt: skip
    assert rows[0].validation["loss"] < rows[1].validation["loss"]
    written = json.loads((out / "sweep.json").read_text())
    assert [row["values"]["training.optimizer.learning_rate"] for row in written] == ["0.02", "0.000001"]
    assert make_table(rows).rows[0][1] == "0.02"
    assert "| small  |" in (out / "sweep.md").read_text()
    rows, _ = sweep(plan("0.000001,0.02,0.01"), runner, out)
    assert len(rows) == 3
    assert runner.trained == ["learning_rate=0.000001", "learning_rate=0.02", "learning_rate=0.01"]


def test_what_fails_is_told_and_the_rest_trained(
    config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = plan_sweep([config], [parse_variation("data.vocab_size=40,90000")], tmp_path)
    rows, failed = sweep(cells, LocalRunner("cpu", 1), tmp_path)
    assert [row.cell.values["data.vocab_size"] for row in rows] == ["40"]
    [(cell, _)] = failed
    assert cell.values == {"data.vocab_size": "90000"}
    assert f"{cell.run.path} failed: " in capsys.readouterr().err
