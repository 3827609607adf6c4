"""What `seq2attn compare` does around training and translating; a runner that fakes both counts what is asked of it."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from seq2attn.build.corpora import hash_sources
from seq2attn.compare.compare import Question, compare, make_plan, run_plan, write_reports
from seq2attn.compare.report.results import Comparison
from seq2attn.compare.runner import LocalRunner
from seq2attn.compare.systems import SystemRun
from seq2attn.config.config import Config, to_yaml
from seq2attn.data.sources import Pair, TextFiles
from seq2attn.data.sources_grammar import GrammarSplit
from seq2attn.errors import DataError, DivergedError, Seq2attnError, UsageError
from seq2attn.inference.model import Model
from seq2attn.runs.hypotheses import translate_once
from seq2attn.runs.signals import InterruptedRunError
from seq2attn.training.trainer import DIVERGED_HINT
from tests.tiny import make_manifest

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
training: {{max_updates: 3, precision: fp32}}
"""
SOURCES = ["a b c d", "the dog sleeps in the garden", "w " * 15, ""] * 10
REFERENCES = ["A B C D", "der Hund schläft im Garten", "v " * 15, "leer"] * 10


@dataclass(frozen=True)
class FakeModel:
    """Knows the test set by heart; with an LSTM decoder it forgets what is behind the first words."""

    decoder: str
    seed: int
    note: Callable[[tuple[str, int, float]], None]

    def translate_with_remarks(
        self,
        lines: Iterable[str],
        *,
        beam: int,
        length_penalty: float,
        max_length: int,
        max_output: int | None,
        progress: Callable[[int], None],
    ) -> tuple[list[str], list[str]]:
        self.note((f"{self.decoder} {self.seed}", beam, length_penalty))
        progress(len(list(lines)))
        known = dict(zip((line.strip() for line in SOURCES), (line.strip() for line in REFERENCES), strict=True))
        keep = 5 - self.seed if self.decoder == "lstm" else 100
        return [" ".join(known[line].split()[:keep]) for line in lines], []


class Parrot:
    """A model that answers every line with itself."""

    def translate_with_remarks(self, lines: Sequence[str], **options: Any) -> tuple[list[str], list[str]]:
        return list(lines), []


class FakeRunner:
    """Writes finished runs instead of training them, and loads models that know the test set."""

    def __init__(self) -> None:
        self.trained: list[tuple[str, int]] = []
        self.translated: list[tuple[str, int, float]] = []
        self.checking = False
        self.failing: dict[str, Seq2attnError] = {}

    def check(self, run: SystemRun) -> None:
        if self.checking:
            LocalRunner("cpu", 1).check(run)

    def count_parameters(self, run: SystemRun) -> int:
        return 1000 * run.config.model.decoder.width

    @contextmanager
    def start_training(self, runs: Sequence[SystemRun]) -> Iterator[Callable[[SystemRun], None]]:
        yield self.train

    def train(self, run: SystemRun) -> None:
        if (run.path / "manifest.json").exists():
            return
        if run.path.parent.name in self.failing:
            raise self.failing[run.path.parent.name]
        self.trained.append((run.path.parent.name, run.config.seed))
        write_run(run.path, run.config)

    def translate(self, run: SystemRun, lines: Sequence[str], *, fingerprint: str, file: Path) -> list[str]:
        return translate_once(run.path, run.config, lines, fingerprint=fingerprint, file=file, load=self.load)

    def load(self, path: Path, device: str) -> Model:
        decoder, seed = (path / "model" / "weights").read_text().split()
        return cast(Model, FakeModel(decoder, int(seed), self.translated.append))


def write_run(out: Path, config: Config) -> None:
    """A finished run, as far as a comparison looks at it."""
    (out / "model").mkdir(parents=True)
    (out / "model" / "weights").write_text(f"{config.model.decoder.type} {config.seed}")
    (out / "config.yaml").write_text(to_yaml(config))
    manifest = make_manifest(hash_sources(config), seed=config.seed)
    (out / "manifest.json").write_text(manifest.to_json())


class Laboratory:
    """A folder with a test set, in which configs are written and compared."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runner = FakeRunner()
        self.seen: list[Comparison] = []
        for language, lines in (("en", SOURCES), ("de", REFERENCES)):
            text = "".join(f"{line.strip()}\n" for line in lines)
            (folder / f"test.{language}").write_text(text, encoding="utf-8")

    @property
    def trained(self) -> list[tuple[str, int]]:
        return self.runner.trained

    @property
    def translated(self) -> list[tuple[str, int, float]]:
        return self.runner.translated

    def config(self, name: str, decoder: str = "lstm", width: int = 8, extra: str = "") -> str:
        path = self.folder / f"{name}.yaml"
        path.write_text(CONFIG.format(folder=self.folder, decoder=decoder, width=width) + extra, encoding="utf-8")
        return str(path)

    def compare(self, *systems: str, **options: Any) -> dict[str, Any]:
        """Compare, and read report.json."""
        out = self.folder / "out"
        question = Question(systems, out, **options)

        def publish(comparison: Comparison) -> None:
            self.seen.append(comparison)
            write_reports(comparison, out)

        run_plan(make_plan(question), self.runner, out, command="seq2attn compare …", after_each=publish)
        return cast(dict[str, Any], json.loads((out / "report.json").read_text(encoding="utf-8")))


@pytest.fixture
def laboratory(tmp_path: Path) -> Laboratory:
    return Laboratory(tmp_path)


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


@pytest.mark.parametrize("failing", ["a", "b", "c"])
def test_a_failing_system_is_reported_and_the_others_go_on(laboratory: Laboratory, failing: str) -> None:
    laboratory.runner.failing = {failing: DivergedError("update 9: not finite", DIVERGED_HINT)}
    configs = [laboratory.config("a"), laboratory.config("b", "luong"), laboratory.config("c", "bahdanau")]
    report = laboratory.compare(*configs)
    assert [system["name"] for system in report["systems"]] == [name for name in "abc" if name != failing]
    assert report["failed"] == [{"system": failing, "reason": "update 9: not finite", "exit_code": 3}]
    (failure,) = laboratory.seen[-1].failed
    run = laboratory.folder / "out/runs" / failing / "seed-1"
    assert f"remove {run}" in failure.hint
    assert "--overwrite" not in failure.hint
    assert laboratory.seen[-1].pending == ()
    for name in ("report.html", "report.md"):
        text = (laboratory.folder / "out" / name).read_text(encoding="utf-8")
        assert f"{failing} failed: update 9: not finite" in text
    laboratory.runner.failing = {}
    assert laboratory.compare(*configs)["failed"] == []


def test_all_systems_may_fail(laboratory: Laboratory) -> None:
    laboratory.runner.failing = {"a": DivergedError("a", ""), "b": DataError("b", "look")}
    report = laboratory.compare(laboratory.config("a"), laboratory.config("b", "luong"))
    assert [failure["exit_code"] for failure in report["failed"]] == [3, 2]
    assert "All systems failed" in (laboratory.folder / "out/report.md").read_text(encoding="utf-8")


def test_a_signal_ends_the_comparison(laboratory: Laboratory) -> None:
    laboratory.runner.failing = {"a": InterruptedRunError(2, 5, laboratory.folder)}
    with pytest.raises(InterruptedRunError):
        laboratory.compare(laboratory.config("a"), laboratory.config("b", "luong"))
    assert laboratory.trained == []


def test_a_run_in_the_way_gets_a_hint_that_compare_can_follow(laboratory: Laboratory) -> None:
    laboratory.runner.checking = True
    laboratory.compare(laboratory.config("plain"))
    with pytest.raises(UsageError, match=r"model\.decoder\.width: 8 → 9") as caught:
        laboratory.compare(laboratory.config("plain", width=9))
    run = laboratory.folder / "out/runs/plain/seed-1"
    assert caught.value.hint == f"choose another --out, or remove {run} to train it again"


def test_a_quick_look_says_so_and_leaves_the_whole_alone(laboratory: Laboratory) -> None:
    plain = laboratory.config("plain")
    whole = laboratory.compare(plain)
    report = laboratory.compare(plain, sentences=8)
    assert report["test"] == whole["test"] | {"sentences": 8, "whole": 40}
    for name in ("report.html", "report.md"):
        text = (laboratory.folder / "out" / name).read_text(encoding="utf-8")
        assert "On the first 8 of 40 test sentences" in text
        assert "quick look" in text
    assert laboratory.compare(plain) == whole
    assert len(laboratory.translated) == 2


def test_tokenized_references_and_the_unit_of_length_are_told(
    laboratory: Laboratory, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = Path(laboratory.config("plain"))
    plain.write_text(plain.read_text().replace("source: en", "source: zh"))
    for language, line in (("zh", "我们 在 花园\n"), ("de", "Wir sind im Garten .\n")):
        (laboratory.folder / f"test.{language}").write_text(line * 40, encoding="utf-8")
    laboratory.runner.load = lambda path, device: cast(Model, Parrot())  # type: ignore[method-assign]
    report = laboratory.compare(str(plain))
    assert report["test"]["length_unit"] == "characters"
    assert "40 of 40 references end in a period after a space" in capsys.readouterr().err
    text = (laboratory.folder / "out/report.md").read_text(encoding="utf-8")
    for part in ("40 of 40 references end", "| source characters |", "5 characters"):
        assert part in text
    assert "words of the source" not in text


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


def test_the_same_test_set_under_two_names_is_one(laboratory: Laboratory) -> None:
    plain, other = laboratory.config("plain"), laboratory.config("other", "luong")
    text = Path(other).read_text()
    Path(other).write_text(text.replace(f"test: {laboratory.folder}/test", f"test: {laboratory.folder}/./test"))
    assert len(laboratory.compare(plain, other)["systems"]) == 2


def test_runs_are_compared_from_another_folder(
    laboratory: Laboratory, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(laboratory.folder)
    laboratory.compare(laboratory.config("plain"), overrides=("data.test=test",))
    run = laboratory.folder / "out/runs/plain/seed-1"
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert laboratory.compare(str(run))["test"]["name"] == f"{laboratory.folder}/test"
    for language in ("en", "de"):
        (laboratory.folder / f"test.{language}").unlink()
    with pytest.raises(UsageError, match="the test set test of its config is not there") as caught:
        laboratory.compare(str(run))
    assert "--test PREFIX" in caught.value.hint


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


def test_a_test_prefix_replaces_the_configs_test_set(laboratory: Laboratory) -> None:
    for language, text in (("en", "a b c d\n"), ("de", "A B C D\n")):
        (laboratory.folder / f"small.{language}").write_text(text)
    prefix = str(laboratory.folder / "small")
    assert laboratory.compare(laboratory.config("plain"), test=prefix)["test"]["sentences"] == 1


def test_different_test_sets_and_scoring_are_refused(laboratory: Laboratory) -> None:
    plain, other = laboratory.config("plain"), laboratory.config("other", "luong")
    text = Path(other).read_text()
    for language in ("en", "de"):
        (laboratory.folder / f"elsewhere.{language}").write_text("a b c\n")
    Path(other).write_text(text.replace(f"test: {laboratory.folder}/test", f"test: {laboratory.folder}/elsewhere"))
    with pytest.raises(UsageError, match="different test sets"):
        laboratory.compare(plain, other)
    Path(other).write_text(text + "evaluation: {lowercase: true}\n")
    with pytest.raises(UsageError, match=r"evaluation\.lowercase"):
        laboratory.compare(plain, other)


def test_a_config_without_a_test_set_is_told_what_to_do(laboratory: Laboratory) -> None:
    with pytest.raises(UsageError) as error:
        laboratory.compare(laboratory.config("plain"), overrides=("data.test=null",))
    assert "--test" in error.value.hint


def test_a_missing_test_file_shows_before_training(laboratory: Laboratory) -> None:
    with pytest.raises(DataError):
        laboratory.compare(laboratory.config("plain"), test=str(laboratory.folder / "nowhere"))
    assert laboratory.trained == []


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


def test_a_run_of_another_config_is_refused_before_training(laboratory: Laboratory) -> None:
    laboratory.compare(laboratory.config("last"))
    laboratory.runner.checking = True
    systems = [laboratory.config("first", "luong"), laboratory.config("last", width=12)]
    with pytest.raises(UsageError, match=r"model\.encoder\.width|model\.decoder\.width|model\.embedding\.width"):
        laboratory.compare(*systems)
    assert laboratory.trained == [("last", 1)]


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
