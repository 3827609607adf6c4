"""Which systems a comparison has, under which names, and which one is the baseline."""

import json

import pytest

from seq2attn.errors import UsageError
from tests.compare.laboratory import Laboratory


def test_runs_beside_each_other_are_seeds_of_one_system(laboratory: Laboratory) -> None:
    laboratory.compare(laboratory.config("plain"), seeds=(1, 2))
    runs = laboratory.folder / "out/runs/plain"
    (system,) = laboratory.compare(str(runs / "seed-1"), str(runs / "seed-2"))["systems"]
    assert (system["name"], [run["seed"] for run in system["runs"]]) == ("plain", [1, 2])


def test_a_run_that_is_not_finished_is_refused(laboratory: Laboratory) -> None:
    laboratory.compare(laboratory.config("plain"))
    run = laboratory.folder / "out/runs/plain/seed-1"
    manifest = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps(manifest | {"finished": False}))
    with pytest.raises(UsageError, match="not finished"):
        laboratory.compare(str(run))


def test_two_systems_of_one_name_are_refused(laboratory: Laboratory) -> None:
    (laboratory.folder / "sub").mkdir()
    first = laboratory.config("plain")
    second = laboratory.config("sub/plain")
    with pytest.raises(UsageError, match="would both be called 'plain'"):
        laboratory.compare(first, second)
    with pytest.raises(UsageError, match="would both be called 'plain'"):
        laboratory.compare(first, first)
    assert laboratory.trained == []


def test_equal_configs_are_one_system_under_both_names(laboratory: Laboratory) -> None:
    plain, soft, additive = (
        laboratory.config(n, d) for n, d in (("plain", "lstm"), ("soft", "luong"), ("additive", "luong"))
    )
    report = laboratory.compare(plain, soft, additive, seeds=(1, 2), baseline="additive")
    assert laboratory.trained == [("plain", 1), ("plain", 2), ("soft", 1), ("soft", 2)]
    assert [system["name"] for system in report["systems"]] == ["plain", "soft = additive"]
    assert report["systems"][1]["config"] == f"{soft} = {additive}"
    assert [test["baseline"] for test in report["significance"]] == ["soft = additive"]
    assert (laboratory.folder / "out/hypotheses/soft/seed-2.txt").exists()


def test_given_runs_that_are_alike_stay_two_systems(laboratory: Laboratory) -> None:
    laboratory.compare(laboratory.config("one"))
    laboratory.compare(laboratory.config("two"))
    runs = laboratory.folder / "out/runs"
    report = laboratory.compare(str(runs / "one/seed-1"), str(runs / "two/seed-1"))
    assert [system["name"] for system in report["systems"]] == ["one", "two"]


def test_the_baseline_is_the_system_without_attention(laboratory: Laboratory) -> None:
    systems = (laboratory.config("other", "luong"), laboratory.config("plain"))
    report = laboratory.compare(*systems)
    assert [test["baseline"] for test in report["significance"]] == ["plain"]
    assert laboratory.compare(*systems, baseline="other")["significance"][0]["system"] == "plain"


def test_without_an_lstm_decoder_the_first_system_is_the_baseline(laboratory: Laboratory) -> None:
    report = laboratory.compare(laboratory.config("one", "luong"), laboratory.config("two", "bahdanau"))
    assert report["significance"][0]["baseline"] == "one"
    assert report["significance"][0]["p_value"] == 1.0


def test_an_unknown_baseline_names_the_nearest_before_training(laboratory: Laboratory) -> None:
    with pytest.raises(UsageError) as error:
        laboratory.compare(laboratory.config("plain"), baseline="plane")
    assert error.value.hint == "did you mean plain?"
    assert laboratory.trained == []
