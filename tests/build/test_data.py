"""From config sections to sources of pairs."""

from pathlib import Path
from typing import Any

import pytest

from seq2attn.build.data import build_named_source, build_source, choose_test_source
from seq2attn.config.config import Config
from seq2attn.data.sources import JsonLines, Source, TextFiles, Tsv, TwoFiles
from seq2attn.data.sources_grammar import GrammarSplit
from seq2attn.data.sources_huggingface import HuggingFace
from seq2attn.errors import ConfigError, UsageError


def configure(**data: Any) -> Config:
    sources = {"train": "corpus/train", "validation": "corpus/validation"}
    model, training = {"encoder": "lstm", "decoder": "luong"}, {"max_updates": 10}
    return Config.model_validate(
        {"data": {"source": "en", "target": "de", **sources, **data}, "model": model, "training": training}
    )


@pytest.mark.parametrize(
    ("section", "source"),
    [
        ("corpus/train", TextFiles("corpus/train", "en", "de")),
        ({"type": "text", "source": "en.train", "target": "de/train"}, TwoFiles("en.train", "de/train", "en", "de")),
        ({"type": "tsv", "path": "pairs.tsv", "target_column": "de"}, Tsv("pairs.tsv", 0, "de")),
        ({"type": "jsonl", "path": "pairs.jsonl"}, JsonLines("pairs.jsonl", "en", "de")),
        ({"type": "huggingface", "path": "a/b"}, HuggingFace("a/b", None, "train", None, "en", "de")),
        ({"type": "grammar", "pairs": 9}, GrammarSplit("train", 9, 50, 1, None)),
    ],
)
def test_every_section_becomes_its_source(section: Any, source: Source) -> None:
    assert build_source(configure(train=section), "train") == source


FORMS = "tsv:FILE, jsonl:FILE, huggingface:PATH (CSV and parquet too), or a section as in a config, {type: …}"
HUB = {"type": "huggingface", "path": "a/b", "config": "de-en", "source_field": "translation.en"}


@pytest.mark.parametrize(
    ("text", "data", "source"),
    [
        ("corpus/test", {}, TextFiles("corpus/test", "en", "de")),
        ("tsv:t.tsv", {}, Tsv("t.tsv", 0, 1)),
        ("tsv:t.tsv", {"train": {"type": "tsv", "path": "a", "source_column": 3}}, Tsv("t.tsv", 3, 1)),
        ("jsonl:t.jsonl", {}, JsonLines("t.jsonl", "en", "de")),
        ("jsonl:t", {"test": {"type": "jsonl", "path": "a", "source_field": "x.y"}}, JsonLines("t", "x.y", "de")),
        ("huggingface:a/b", {}, HuggingFace("a/b", None, "test", None, "en", "de")),
        (
            "huggingface:a/b:dev[:9]",
            {"train": HUB},
            HuggingFace("a/b", "de-en", "dev[:9]", None, "translation.en", "de"),
        ),
        ("huggingface:c", {"train": HUB}, HuggingFace("c", None, "test", None, "translation.en", "de")),
        ("{type: text, source: a, target: b}", {}, TwoFiles("a", "b", "en", "de")),
        ("{type: grammar}", {}, GrammarSplit("test", 30000, 50, 1, None)),
        ("odd:name/test", {}, TextFiles("odd:name/test", "en", "de")),
    ],
)
def test_a_test_set_is_named_in_many_ways(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, data: dict[str, Any], source: Source
) -> None:
    (tmp_path / "odd:name").mkdir()
    (tmp_path / "odd:name/test.en").write_text("a\n")
    monkeypatch.chdir(tmp_path)
    assert build_named_source(configure(**data), text) == source


@pytest.mark.parametrize("place", [".", "elsewhere"])
def test_the_models_own_test_set_is_found_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    for folder in ("corpus", "runs/first/model", "elsewhere"):
        (tmp_path / folder).mkdir(parents=True)
    for language in ("en", "de"):
        (tmp_path / f"corpus/own.{language}").write_text("a\n")
    monkeypatch.chdir(tmp_path / place)
    config, model = configure(test="corpus/own"), tmp_path / "runs/first"
    for path in (model, model / "model"):
        source = choose_test_source(config, None, path)
        assert source is not None
        assert [pair.source for pair in source.pairs()] == ["a"]
    assert choose_test_source(configure(), None, model) is None
    with pytest.raises(UsageError, match=r"first: data\.test of its config: no file corpus/none\.en"):
        choose_test_source(configure(test="corpus/none"), None, model)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("t.tsv", "--test t.tsv: a file, but a prefix names two files", "write --test tsv:t.tsv"),
        ("t.csv", "--test t.csv: a file, but a prefix names two files", "write --test huggingface:t.csv"),
        (
            "t",
            "--test t: a file, but a prefix names two files",
            "for a table write --test tsv:t, jsonl:t or huggingface:t",
        ),
        ("own.en", "--test own.en: a file, but a prefix names two files", "did you mean the prefix own?"),
        ("tsv:", "--test tsv:: names no file", "write it after the colon: --test tsv:FILE"),
        ("csv:t.csv", "--test csv:t.csv: csv: is no known form", "write --test huggingface:t.csv"),
        ("text:own", "--test text:own: text: is no known form", "write --test own"),
        ("foo:own", "--test foo:own: foo: is no known form", f"write a prefix, {FORMS}"),
        ("", "--test: names no test set", f"write a prefix, such as corpus/test, {FORMS}"),
    ],
)
def test_a_wrong_name_of_a_test_set_says_what_to_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str, hint: str
) -> None:
    for name in ("t.tsv", "t.csv", "t", "own.en", "own.de"):
        (tmp_path / name).write_text("a\tb\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as usage:
        build_named_source(configure(), text)
    assert (usage.value.message, usage.value.hint) == (message, hint)


def test_a_wrong_section_of_a_test_set_is_named() -> None:
    with pytest.raises(ConfigError, match=r"^--test \{type: tsv\}: key `data.test.path` is missing"):
        build_named_source(configure(), "{type: tsv}")
