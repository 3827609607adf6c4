"""What `seq2attn compare` trains, translates and reports, and what it does not do twice."""

from pathlib import Path

import pytest

from seq2attn.compare.compare import Question, compare
from tests.compare.laboratory import Laboratory


def test_configs_are_trained_into_runs_and_compared(laboratory: Laboratory) -> None:
    report = laboratory.compare(laboratory.config("plain"), laboratory.config("attentive", "luong"))
    assert laboratory.trained == [("plain", 1), ("attentive", 1)]
    assert (laboratory.folder / "out/runs/attentive/seed-1/manifest.json").exists()
    assert report["test"] == {"name": f"{laboratory.folder}/test", "sentences": 40, "synthetic": False}
    plain, attentive = report["systems"]
    assert (plain["name"], attentive["name"]) == ("plain", "attentive")
    assert plain["parameters"] == 1000
    assert attentive["bleu"] == {"mean": pytest.approx(100), "std": None}
    run = attentive["runs"][0]
    assert (run["seed"], run["updates"], run["train_seconds"], run["target_tokens_per_second"]) == (1, 3, 61.5, 1234)
    assert [bucket["sentences"] for bucket in run["by_length"]] == [30, 10, 0, 0, 0, 0]
    assert run["by_length"][-1] == {"low": 51, "high": None, "sentences": 0, "bleu": None}
    (test,) = report["significance"]
    assert (test["baseline"], test["system"]) == ("plain", "attentive")
    assert test["bleu_difference"] == pytest.approx(attentive["bleu"]["mean"] - plain["bleu"]["mean"])
    assert test["p_value"] < 0.01


def test_the_report_grows_with_each_system(laboratory: Laboratory) -> None:
    laboratory.compare(laboratory.config("plain"), laboratory.config("attentive", "luong"))
    assert [[system.name for system in state.systems] for state in laboratory.seen] == [
        ["plain"],
        ["plain", "attentive"],
    ]
    assert [state.pending for state in laboratory.seen] == [("attentive",), ()]
    out = laboratory.folder / "out"
    for name in ("report.html", "report.md", "curve.svg"):
        text = (out / name).read_text(encoding="utf-8")
        assert "attentive" in text
        assert "Still to come" not in text


def test_seeds_give_mean_and_deviation_and_the_largest_p(laboratory: Laboratory) -> None:
    report = laboratory.compare(laboratory.config("plain"), laboratory.config("other", "luong"), seeds=(1, 2))
    assert laboratory.trained == [("plain", 1), ("plain", 2), ("other", 1), ("other", 2)]
    first, second = (run["bleu"] for run in report["systems"][0]["runs"])
    assert first > second
    assert report["systems"][0]["bleu"]["std"] == pytest.approx((first - second) / 2**0.5)
    assert "training luck" not in (laboratory.folder / "out/report.html").read_text(encoding="utf-8")


def test_a_second_comparison_neither_trains_nor_translates(laboratory: Laboratory) -> None:
    first = laboratory.compare(laboratory.config("plain"))
    laboratory.trained.clear()
    laboratory.translated.clear()
    assert laboratory.compare(laboratory.config("plain")) == first
    assert (laboratory.trained, laboratory.translated) == ([], [])


def test_remarks_on_translations_are_reported_also_of_kept_ones(
    laboratory: Laboratory, capsys: pytest.CaptureFixture[str]
) -> None:
    configs = [laboratory.config(name, name, extra="evaluation: {max_output: 5}\n") for name in ("lstm", "luong")]
    for translated in (2, 0):
        laboratory.translated.clear()
        report = laboratory.compare(*configs)
        assert len(laboratory.translated) == translated
        assert [system["runs"][0]["remarks"] for system in report["systems"]] == [["all cut at 5"]] * 2
        assert "/out/runs/luong/seed-1: all cut at 5\n" in capsys.readouterr().err
        for name in ("report.html", "report.md"):
            text = (laboratory.folder / "out" / name).read_text(encoding="utf-8")
            assert "lstm (seed 1), luong (seed 1): all cut at 5." in text


@pytest.mark.parametrize("change", ["model", "test", "beam", "translations"])
def test_translations_are_made_anew_when_anything_changed(laboratory: Laboratory, change: str) -> None:
    laboratory.compare(laboratory.config("plain"))
    extra = ""
    match change:
        case "model":
            (laboratory.folder / "out/runs/plain/seed-1/model/weights").write_text("lstm 2")
        case "test":
            (laboratory.folder / "test.de").write_text("anders\n" * 40, encoding="utf-8")
        case "beam":
            extra = "evaluation: {beam: 7}\n"
        case "translations":
            (laboratory.folder / "out/hypotheses/plain/seed-1.txt").write_text("zu kurz\n", encoding="utf-8")
    laboratory.compare(laboratory.config("plain", extra=extra))
    assert len(laboratory.translated) == 2


def test_beam_and_length_penalty_are_the_configs(laboratory: Laboratory) -> None:
    laboratory.compare(laboratory.config("plain", extra="evaluation: {beam: 3, length_penalty: 0.6}\n"))
    assert laboratory.translated == [("lstm 1", 3, 0.6)]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_page_and_table_say_in_which_precision_was_translated(laboratory: Laboratory, precision: str) -> None:
    laboratory.compare(laboratory.config("plain", extra=f"evaluation: {{precision: {precision}}}\n"))
    for name in ("report.html", "report.md"):
        text = (laboratory.folder / "out" / name).read_text(encoding="utf-8")
        assert f"beam 5, length penalty 1, in {precision}" in text


def test_systems_of_two_precisions_are_told_apart(laboratory: Laboratory) -> None:
    systems = [laboratory.config(name, extra=f"evaluation: {{precision: {name}}}\n") for name in ("fp32", "bf16")]
    laboratory.compare(*systems)
    text = (laboratory.folder / "out/report.md").read_text(encoding="utf-8")
    assert "fp32: beam 5, length penalty 1, in fp32; bf16: beam 5, length penalty 1, in bf16" in text


def test_given_runs_are_never_trained(laboratory: Laboratory) -> None:
    laboratory.compare(laboratory.config("plain"), laboratory.config("other", "luong"))
    laboratory.trained.clear()
    runs = laboratory.folder / "out/runs"
    report = laboratory.compare(str(runs / "plain/seed-1"), str(runs / "other/seed-1"))
    assert laboratory.trained == []
    assert [system["name"] for system in report["systems"]] == ["plain", "other"]


def test_another_beam_translates_finished_systems_again(laboratory: Laboratory) -> None:
    laboratory.runner.checking = True
    plain = laboratory.config("plain")
    laboratory.compare(plain)
    laboratory.trained.clear()
    for system in (plain, str(laboratory.folder / "out/runs/plain")):
        run = system if system == plain else f"{system}/seed-1"
        beam = 1 if system == plain else 2
        laboratory.compare(run, overrides=(f"evaluation.beam={beam}",))
        assert laboratory.seen[-1].systems[0].beam == beam
    assert laboratory.trained == []
    assert [beam for _, beam, _ in laboratory.translated] == [5, 1, 2]


def test_overrides_reach_every_config(laboratory: Laboratory) -> None:
    laboratory.compare(laboratory.config("plain"), overrides=("evaluation.beam=2",))
    assert laboratory.translated == [("lstm 1", 2, 1.0)]


def test_parameters_are_told_before_training(laboratory: Laboratory, capsys: pytest.CaptureFixture[str]) -> None:
    laboratory.compare(laboratory.config("small"), laboratory.config("large", "luong", width=32))
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.split("\n")
    assert [line.split(":")[0] for line in lines[:2]] == ["small", "large"]
    assert all(line.endswith(" parameters") for line in lines[:2])
    assert lines[2].startswith("The sizes do not match: large has ")


def test_the_command_asks_the_same_question(laboratory: Laboratory) -> None:
    question = Question(("a.yaml", "runs/b"), Path("out"), (1, 2), "prefix", "b", ("data.vocab_size=300", "seed=3"))
    assert " ".join(question.to_command()) == (
        "seq2attn compare a.yaml runs/b --out out --seeds 1,2 --test prefix --baseline b"
        " --set data.vocab_size=300 --set seed=3"
    )


def test_the_report_names_the_device_and_threads_that_were_used(laboratory: Laboratory) -> None:
    laboratory.compare(laboratory.config("plain"))
    run, out = laboratory.folder / "out/runs/plain/seed-1", laboratory.folder / "out"
    comparison = compare(Question((str(run),), out), device="cpu", threads=1)  # all its translations are there
    assert comparison.command == f"seq2attn compare {run} --out {out} --device cpu --threads 1 --jobs 1"
    for name in ("report.html", "report.md"):
        assert comparison.command in (out / name).read_text(encoding="utf-8")
