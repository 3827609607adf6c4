"""The test set of a comparison: where it comes from, and what the report says of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from seq2attn.data.sources import Pair, TextFiles
from seq2attn.data.sources_grammar import GrammarSplit
from seq2attn.errors import DataError, UsageError
from seq2attn.inference.model import Model
from tests.compare.laboratory import Laboratory, Parrot


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
    laboratory.runner.load = lambda *_, **options: cast(Model, Parrot())  # type: ignore[method-assign]
    report = laboratory.compare(str(plain))
    assert report["test"]["length_unit"] == "characters"
    assert "40 of 40 references look tokenized" in capsys.readouterr().err
    text = (laboratory.folder / "out/report.md").read_text(encoding="utf-8")
    for part in ("40 of 40 references look tokenized", "| source characters |", "5 characters"):
        assert part in text
    assert "words of the source" not in text


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
    with pytest.raises(UsageError, match=r"data\.test of its config: no file test\.en") as caught:
        laboratory.compare(str(run))
    assert "--test" in caught.value.hint


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


def test_test_pairs_that_were_trained_on_are_told(laboratory: Laboratory, capsys: pytest.CaptureFixture[str]) -> None:
    plain, clean = laboratory.config("plain"), laboratory.config("clean", width=16)
    for language in ("en", "de"):
        (laboratory.folder / f"other.{language}").write_text(f"{language} a b c\n" * 200, encoding="utf-8")
    Path(clean).write_text(Path(clean).read_text().replace("/test\n  validation", "/other\n  validation"))
    report = laboratory.compare(plain, clean)
    assert [system["test_pairs_in_training"] for system in report["systems"]] == [30, 0]  # an empty line is no pair
    assert "plain: warning: 30 of 40 test pairs are in the training text" in capsys.readouterr().err
    for name in ("report.html", "report.md"):
        text = (laboratory.folder / "out" / name).read_text(encoding="utf-8")
        assert "30 of 40 test pairs are in the training text of plain, which makes" in text


def test_training_text_that_is_gone_cannot_be_compared_with(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Path(laboratory.config("plain"))
    for language in ("en", "de"):
        (laboratory.folder / f"gone.{language}").write_text(f"{language} never read\n" * 200, encoding="utf-8")
    plain.write_text(plain.read_text().replace("/test\n  validation", "/gone\n  validation"))
    laboratory.compare(str(plain))
    for language in ("en", "de"):
        (laboratory.folder / f"gone.{language}").unlink()
    monkeypatch.setenv("SEQ2ATTN_CACHE", str(laboratory.folder / "another cache"))
    out = laboratory.folder / "out"
    report = laboratory.compare(str(out / "runs/plain/seed-1"))
    assert report["systems"][0]["test_pairs_in_training"] is None
    assert "The training text of plain is gone" in (out / "report.html").read_text(encoding="utf-8")


def test_a_config_without_a_test_set_is_told_what_to_do(laboratory: Laboratory) -> None:
    with pytest.raises(UsageError) as error:
        laboratory.compare(laboratory.config("plain"), overrides=("data.test=null",))
    assert "--test" in error.value.hint


def test_a_missing_test_file_shows_before_training(laboratory: Laboratory) -> None:
    plain, nowhere = laboratory.config("plain"), str(laboratory.folder / "nowhere")
    with pytest.raises(DataError):
        laboratory.compare(plain, test=nowhere)
    with pytest.raises(UsageError, match=r"^plain: data\.test: no file .*nowhere\.en"):
        laboratory.compare(plain, overrides=(f"data.test={nowhere}",))
    assert laboratory.trained == []


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
