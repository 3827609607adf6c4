"""`seq2attn evaluate`: the figures, as text and as JSON."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seq2attn.inference import model
from seq2attn.inference.words import WordPair, link_words
from seq2attn.models.maps import trace_maps
from seq2attn.search import Beam, Search

Command = Callable[..., Any]


def test_json_holds_the_figures_and_the_file_the_translations(
    command: Command, trained: Path, corpus: Path, tmp_path: Path
) -> None:
    done = command("evaluate", trained, "--test", corpus / "test", "--json", "-o", tmp_path / "hypotheses")
    assert done.code == 0
    figures = json.loads(done.out)
    assert {"bleu", "chrf", "ter", "signature", "by_length"} <= figures.keys()
    assert all(isinstance(figures[key], float) for key in ("bleu", "chrf", "ter"))
    assert "tok:13a" in figures["signature"]
    assert set(figures["by_length"][0]) == {"low", "high", "sentences", "bleu"}
    translated = command("translate", trained, corpus / "test.en")
    assert (tmp_path / "hypotheses").read_text() == translated.out


def test_text_shows_the_same_figures(command: Command, trained: Path, corpus: Path) -> None:
    figures = json.loads(command("evaluate", trained, "--test", corpus / "test", "--json").out)
    lines = command("evaluate", trained, "--test", corpus / "test").out.splitlines()
    assert lines[0].split()[:2] == ["BLEU", f"{figures['bleu']:.2f}"]
    assert figures["signature"] in lines[0]


def test_settings_of_the_command_line_come_before_the_configs(
    command: Command, trained_otherwise: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    searches: list[Search] = []
    choose_search = model.choose_search

    def choose(beam: int, length_penalty: float) -> Search:
        searches.append(choose_search(beam, length_penalty))
        return searches[-1]

    monkeypatch.setattr(model, "choose_search", choose)
    arguments = ["evaluate", trained_otherwise, "--test", corpus / "test", "--json"]
    plain = json.loads(command(*arguments).out)
    settings = ["--beam", 2, "--length-penalty", 0, "--cased", "--tokenize", "13a"]
    other = json.loads(command(*arguments, *settings).out)
    assert searches == [Beam(3, 0.5), Beam(2, 0.0)]
    assert ["case:lc" in figures["signature"] for figures in (plain, other)] == [True, False]
    assert ["tok:char" in figures["signature"] for figures in (plain, other)] == [True, False]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_text_and_json_say_in_which_precision_was_translated(
    command: Command, trained: Path, corpus: Path, precision: str
) -> None:
    arguments = ["evaluate", trained, "--test", corpus / "test", "--precision", precision]
    assert json.loads(command(*arguments, "--json").out)["precision"] == precision
    assert f"translated in {precision}" in command(*arguments).out


def test_a_header_that_became_a_pair_is_said(command: Command, trained: Path, tmp_path: Path) -> None:
    table = tmp_path / "test.tsv"
    remark = f"{table}:1: looks like a header, but is a test pair; if it is one, --test '{{type: tsv"
    for first, said in (("en\tde\n", True), ("", False)):
        table.write_text(first + "ka mi\tba wi\n")
        done = command("evaluate", trained, "--test", f"tsv:{table}")
        assert (done.code, remark in done.err) == (0, said)


def test_a_misaligned_or_missing_test_set_is_named(
    command: Command, trained: Path, corpus: Path, tmp_path: Path
) -> None:
    (tmp_path / "test.en").write_text("ka\nmi\n")
    (tmp_path / "test.de").write_text("wa\n")
    done = command("evaluate", trained, "--test", tmp_path / "test")
    assert (done.code, done.out) == (2, "")
    assert f"{tmp_path}/test" in done.err
    assert command("evaluate", trained, "--test", tmp_path / "nowhere").code == 2
    unknown = command("evaluate", trained, "--test", corpus / "test", "--tokenize", "13b")
    assert unknown.code == 2
    assert "did you mean 13a?" in unknown.err


def test_noise_is_a_table_and_a_key_beside_the_clean_figures(command: Command, trained: Path, corpus: Path) -> None:
    arguments = ["evaluate", trained, "--test", corpus / "test", "--tokenize", "char"]
    noise = ["--noise", "replace", "--rate", "0,0.15,0.3", "--noise-seeds", 3]
    figures = json.loads(command(*arguments, *noise, "--json").out)
    found = figures.pop("noise")
    assert figures == json.loads(command(*arguments, "--json").out)
    assert (found["kind"], found["seeds"]) == ("replace", 3)
    assert [rate["rate"] for rate in found["rates"]] == [0.0, 0.15, 0.3]
    for rate in found["rates"]:
        assert set(rate) == {"rate", "achieved", "bleu", "relative_drop"}
        assert set(rate["bleu"]) == {"mean", "std", "by_seed"}
    *_, header, none, _, most = command(*arguments, *noise).out.splitlines()
    assert header.startswith("noise rate")
    assert none.split()[:3] == ["0", "0.000", f"{figures['bleu']:.2f}"]
    assert most.split()[2] == f"{found['rates'][2]['bleu']['mean']:.2f}"


def test_the_noise_is_fifteen_percent_five_times_unless_said_otherwise(
    command: Command, trained: Path, corpus: Path
) -> None:
    done = command("evaluate", trained, "--test", corpus / "test", "--noise", "replace", "--json", "--beam", 1)
    found = json.loads(done.out)["noise"]
    assert (found["seeds"], [rate["rate"] for rate in found["rates"]]) == (5, [0.15])


@pytest.mark.parametrize(("noise", "sentences"), [([], 8), (["--noise", "replace", "--rate", "0,0.5"], 48)])
def test_progress_is_shown(
    command: Command,
    trained: Path,
    corpus: Path,
    monkeypatch: pytest.MonkeyPatch,
    noise: list[str],
    sentences: int,
) -> None:
    monkeypatch.setattr("seq2attn.runs.progress.LINE_EVERY", 0.0)
    err = command("evaluate", trained, "--test", corpus / "test", "--beam", 1, *noise).err
    assert f"{trained}: 8 of {sentences} sentences, about " in err
    assert f"{trained}: {sentences} of {sentences} sentences, about 0 s left" in err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--noise", "shuffle"], "--noise shuffle"),
        (["--noise", "replace", "--rate", "1.5"], "--rate 1.5"),
        (["--noise", "replace", "--rate", "0.1,-0.1"], "--rate -0.1"),
        (["--noise", "replace", "--rate", "some"], "--rate some"),
        (["--noise", "replace", "--rate", ""], "--rate"),
        (["--noise", "replace", "--noise-seeds", "0"], "--noise-seeds 0"),
    ],
)
def test_impossible_noise_is_refused_before_the_model_is_read(
    command: Command, arguments: list[str], says: str
) -> None:
    done = command("evaluate", "nowhere", "--test", "nowhere", *arguments)
    assert (done.code, done.out) == (2, "")
    error, hint = done.err.splitlines()
    assert says in error
    assert hint.startswith("hint: ")


def test_the_file_is_written_though_nobody_reads_the_figures(trained: Path, corpus: Path, tmp_path: Path) -> None:
    command = f"{sys.executable} -m seq2attn evaluate {trained} --test {corpus}/test -o {tmp_path}/out | true"
    subprocess.run(command, shell=True, check=True, stderr=subprocess.DEVNULL, timeout=120)
    assert (tmp_path / "out").read_text().count("\n") == 8


def test_every_source_that_trains_can_be_tested(command: Command, trained: Path, corpus: Path, tmp_path: Path) -> None:
    sides = [Path(f"{corpus}/test.{language}").read_text().splitlines() for language in ("en", "de")]
    rows = list(zip(*sides, strict=True))
    (tmp_path / "test.tsv").write_text("".join(f"{source}\t{target}\n" for source, target in rows))
    (tmp_path / "test.jsonl").write_text("".join(json.dumps({"en": en, "de": de}) + "\n" for en, de in rows))
    tests = [
        corpus / "test",
        f"tsv:{tmp_path}/test.tsv",
        f"jsonl:{tmp_path}/test.jsonl",
        f"huggingface:{tmp_path}/test.jsonl",
        f"{{type: text, source: {corpus}/test.en, target: {corpus}/test.de}}",
    ]
    outputs = [command("evaluate", trained, "--test", test, "--beam", 1) for test in tests]
    assert [done.code for done in outputs] == [0] * len(tests)
    assert len({done.out for done in outputs}) == 1


def test_test_pairs_of_the_training_text_are_warned_of(
    command: Command, trained: Path, corpus: Path, tmp_path: Path
) -> None:
    for language in ("en", "de"):
        known = (corpus / f"train.{language}").read_text().splitlines()[:3]
        (tmp_path / f"test.{language}").write_text("\n".join([*known, "ka", ""]))
    known_test = ("--test", tmp_path / "test", "--beam", 1)
    assert "warning: 3 of 4 test pairs are in the training text" in command("evaluate", trained, *known_test).err
    assert "warning: 3 of 4" in command("evaluate", trained / "model", *known_test).err
    assert command("evaluate", trained, "--test", corpus / "test", "--beam", 1).err == ""
    alone = shutil.copytree(trained / "model", tmp_path / "model")
    assert "a model folder does not tell" in command("evaluate", alone, *known_test).err


def test_what_makes_a_test_set_doubtful_is_told(command: Command, trained: Path, tmp_path: Path) -> None:
    table = tmp_path / "test.tsv"
    table.write_text("source_en\ttarget_de\n" + "ka mi\t我今天在学校看见了你的老师。\n" * 4, encoding="utf-8")
    done = command("evaluate", trained, "--test", f"tsv:{table}", "--beam", 1)
    header = f"--test '{{type: tsv, path: {table}, source_column: source_en, target_column: target_de}}'"
    assert f"{table}:1: looks like a header, but is a test pair; if it is one, {header}" in done.err
    assert "4 of 5 references have no spaces between words" in done.err
    option = header.removeprefix("--test ").strip("'")
    done = command("evaluate", trained, "--test", option, "--beam", 1, "--tokenize", "zh")
    assert (done.code, done.err) == (0, "")


def test_evaluate_scores_the_alignment(
    command: Callable[..., Any], trained: Path, corpus: Path, tmp_path: Path
) -> None:
    sources, targets = ((corpus / f"test.{side}").read_text().splitlines() for side in ("en", "de"))
    pairs = list(zip(sources, targets, strict=True))
    loaded = model.load(trained)
    # the model's own links as gold: no error
    links = []
    for source, target in pairs:
        pair = WordPair.encode(loaded.tokenizer, source.split(), target.split())
        links.append(link_words(trace_maps(loaded.network, pair.source, pair.target)[0].weights, pair))
    gold = tmp_path / "gold"
    gold.write_text("".join(" ".join(f"{i}-{j}" for i, j in sorted(found)) + "\n" for found in links))
    done = command("evaluate", trained, "--test", corpus / "test", "--gold-alignments", gold, "--json")
    figures = json.loads(done.out)["alignment"]
    assert figures["sentences"] == len(pairs)
    assert figures["rows"][0]["aer"] == pytest.approx(0)
    assert figures["random"]["aer"] > 0.2
    printed = command("evaluate", trained, "--test", corpus / "test", "--gold-alignments", gold).out
    assert "AER" in printed
    assert "diagonal" in printed


def test_gold_links_of_another_test_set_are_refused(
    command: Callable[..., Any], trained: Path, corpus: Path, tmp_path: Path
) -> None:
    (tmp_path / "gold").write_text("0-0\n")
    done = command("evaluate", trained, "--test", corpus / "test", "--gold-alignments", tmp_path / "gold")
    assert done.code != 0
    assert "1 lines, but the test set has" in done.err
