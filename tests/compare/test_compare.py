"""What `seq2attn compare` does around training and translating, which are faked here."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from seq2attn.build.data import build_source
from seq2attn.compare import compare as module
from seq2attn.compare.compare import compare
from seq2attn.compare.report.results import Comparison
from seq2attn.config.config import Config, to_yaml
from seq2attn.data.sources import Pair, TextFiles
from seq2attn.data.sources_grammar import GrammarSplit
from seq2attn.errors import DataError, UsageError

CONFIG = """
data:
  source: en
  target: de
  train: {folder}/test
  validation: {folder}/test
  test: {folder}/test
  vocab_size: 300
model:
  embedding: {{width: 8}}
  encoder: {{type: lstm, width: 4}}
  decoder: {{type: {decoder}, width: {width}}}
training: {{max_updates: 3}}
"""
SOURCES = ["a b c d", "the dog sleeps in the garden", "w " * 15, ""] * 10
REFERENCES = ["A B C D", "der Hund schläft im Garten", "v " * 15, "leer"] * 10


class Laboratory:
    """Writes configs and finished runs, and stands in for training and translation, counting both."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.trained: list[tuple[str, int]] = []
        self.translated: list[tuple[str, int, float]] = []
        self.seen: list[Comparison] = []
        for language, lines in (("en", SOURCES), ("de", REFERENCES)):
            text = "".join(f"{line.strip()}\n" for line in lines)
            (folder / f"test.{language}").write_text(text, encoding="utf-8")

    def config(self, name: str, decoder: str = "lstm", width: int = 8, extra: str = "") -> str:
        path = self.folder / f"{name}.yaml"
        path.write_text(CONFIG.format(folder=self.folder, decoder=decoder, width=width) + extra, encoding="utf-8")
        return str(path)

    def train(self, config: Config, out: Path, *, device: str, threads: int | None) -> None:
        if (out / "manifest.json").exists():
            return
        self.trained.append((out.parent.name, config.seed))
        (out / "model").mkdir(parents=True)
        (out / "model" / "weights").write_text(f"{config.model.decoder.type} {config.seed}")
        (out / "config.yaml").write_text(to_yaml(config))
        data = {
            "train": {"fingerprint": build_source(config.data.train, "train", config.data).fingerprint()},
            "validation": {
                "fingerprint": build_source(config.data.validation, "validation", config.data).fingerprint()
            },
        }
        manifest = {
            "started": "now",
            "data": data,
            "finished": True,
            "parameters": 1000,
            "updates": 3,
            "train_seconds": 61.5,
            "target_tokens_per_second": 1234.0,
            "precision": "fp32",
            "device": {"device": "cpu", "name": "a processor", "threads": 2},
        }
        (out / "manifest.json").write_text(json.dumps(manifest))

    def load(self, path: Path, device: str) -> Any:
        decoder, seed = (path / "model" / "weights").read_text().split()

        def translate(lines: Iterable[str], *, beam: int, length_penalty: float, max_length: int) -> list[str]:
            self.translated.append((f"{decoder} {seed}", beam, length_penalty))
            known = dict(zip((line.strip() for line in SOURCES), (line.strip() for line in REFERENCES), strict=True))
            words = [known[line].split() for line in lines]
            keep = 5 - int(seed) if decoder == "lstm" else 100
            return [" ".join(sentence[:keep]) for sentence in words]

        return SimpleNamespace(translate=translate)

    def compare(self, *systems: str, **options: Any) -> dict[str, Any]:
        compare(systems, self.folder / "out", after_each=self.seen.append, **options)
        return json.loads((self.folder / "out" / "report.json").read_text(encoding="utf-8"))


@pytest.fixture
def laboratory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Laboratory:
    found = Laboratory(tmp_path)
    monkeypatch.setattr(module, "train", found.train)
    monkeypatch.setattr(module, "check", lambda config, out, *, device: None)
    monkeypatch.setattr("seq2attn.runs.hypotheses.load", found.load)
    sizes = SimpleNamespace(tokenizer=SimpleNamespace(source_size=50, target_size=50))
    monkeypatch.setattr(module, "load_corpora", lambda config: sizes)
    return found


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
    for name in ("report.html", "report.md", "report.json"):
        assert (laboratory.folder / "out" / name).stat().st_size > 0


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


def test_given_runs_are_never_trained(laboratory: Laboratory) -> None:
    laboratory.compare(laboratory.config("plain"), laboratory.config("other", "luong"))
    laboratory.trained.clear()
    runs = laboratory.folder / "out/runs"
    report = laboratory.compare(str(runs / "plain/seed-1"), str(runs / "other/seed-1"))
    assert laboratory.trained == []
    assert [system["name"] for system in report["systems"]] == ["plain", "other"]


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


def test_configs_that_say_the_same_are_one_system_under_both_names(laboratory: Laboratory) -> None:
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


def test_a_test_prefix_replaces_the_configs_test_set(laboratory: Laboratory) -> None:
    for language, text in (("en", "a b c d\n"), ("de", "A B C D\n")):
        (laboratory.folder / f"small.{language}").write_text(text)
    prefix = str(laboratory.folder / "small")
    assert laboratory.compare(laboratory.config("plain"), test=prefix)["test"]["sentences"] == 1


def test_different_test_sets_and_scoring_are_refused(laboratory: Laboratory) -> None:
    plain, other = laboratory.config("plain"), laboratory.config("other", "luong")
    text = Path(other).read_text()
    Path(other).write_text(text.replace(f"test: {laboratory.folder}/test", "test: elsewhere"))
    with pytest.raises(UsageError, match="different test sets"):
        laboratory.compare(plain, other)
    Path(other).write_text(text + "evaluation: {lowercase: true}\n")
    with pytest.raises(UsageError, match=r"evaluation\.lowercase"):
        laboratory.compare(plain, other)


def test_a_config_without_a_test_set_is_told_what_to_do(laboratory: Laboratory) -> None:
    with pytest.raises(UsageError) as error:
        laboratory.compare(laboratory.config("plain"), overrides=("data.test=null",))
    assert "--test PREFIX" in error.value.hint


def test_a_missing_test_file_shows_before_training(laboratory: Laboratory) -> None:
    with pytest.raises(DataError):
        laboratory.compare(laboratory.config("plain"), test=str(laboratory.folder / "nowhere"))
    assert laboratory.trained == []


def test_overrides_reach_every_config(laboratory: Laboratory) -> None:
    laboratory.compare(laboratory.config("plain"), overrides=("evaluation.beam=2",))
    assert laboratory.translated == [("lstm 1", 2, 1.0)]
    assert "--set evaluation.beam=2" in (laboratory.folder / "out/report.md").read_text(encoding="utf-8")


def test_parameters_are_told_before_training(laboratory: Laboratory, capsys: pytest.CaptureFixture[str]) -> None:
    laboratory.compare(laboratory.config("small"), laboratory.config("large", "luong", width=32))
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.split("\n")
    assert [line.split(":")[0] for line in lines[:2]] == ["small", "large"]
    assert all(line.endswith(" parameters") for line in lines[:2])
    assert lines[2].startswith("The sizes do not match: large has ")


def test_the_embedded_corpus_is_called_synthetic(laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch) -> None:
    def pairs(split: GrammarSplit) -> Iterator[Pair]:
        return TextFiles(str(laboratory.folder / "test"), "en", "de").pairs()

    monkeypatch.setattr(GrammarSplit, "pairs", pairs)
    monkeypatch.setattr(GrammarSplit, "fingerprint", lambda split: split.role)
    report = laboratory.compare(laboratory.config("plain"), overrides=("data.test={type: grammar}",))
    assert report["test"]["synthetic"] is True
    page = (laboratory.folder / "out/report.html").read_text(encoding="utf-8")
    assert "100 BLEU is perfect" in page
    assert "0 (0%) never occur in training" in page


def test_a_run_of_another_config_in_the_way_is_refused_before_anything_is_trained(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "check", check)
    laboratory.compare(laboratory.config("last"))
    systems = [laboratory.config("first", "luong"), laboratory.config("last", width=12)]
    with pytest.raises(UsageError, match=r"model\.encoder\.width|model\.decoder\.width|model\.embedding\.width"):
        laboratory.compare(*systems)
    assert laboratory.trained == [("last", 1)]
