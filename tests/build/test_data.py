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
        ({"type": "text", "source": "en.train", "target": "de/train"}, TwoFiles("en.train", "de/train")),
        ({"type": "tsv", "path": "pairs.tsv", "target_column": "de"}, Tsv("pairs.tsv", 0, "de")),
        ({"type": "jsonl", "path": "pairs.jsonl"}, JsonLines("pairs.jsonl", "en", "de")),
        ({"type": "huggingface", "path": "a/b"}, HuggingFace("a/b", None, "train", None, "en", "de")),
        ({"type": "grammar", "pairs": 9}, GrammarSplit("train", 9, 50, 1, None)),
    ],
)
def test_every_section_becomes_its_source(section: Any, source: Source) -> None:
    assert build_source(configure(train=section), "train") == source


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
        ("{type: text, source: a, target: b}", {}, TwoFiles("a", "b")),
        ("{type: grammar}", {}, GrammarSplit("test", 30000, 50, 1, None)),
        (None, {"test": "corpus/own"}, TextFiles("corpus/own", "en", "de")),
        (None, {}, None),
    ],
)
def test_a_test_set_is_named_in_many_ways(text: str | None, data: dict[str, Any], source: Source | None) -> None:
    assert choose_test_source(configure(**data), text) == source


def test_a_wrong_name_of_a_test_set_says_what_to_write(tmp_path: Path) -> None:
    table = tmp_path / "t.tsv"
    table.write_text("a\tb\n")
    with pytest.raises(UsageError, match="a file, but a prefix names two") as usage:
        build_named_source(configure(), str(table))
    assert f"tsv:{table}" in usage.value.hint
    with pytest.raises(UsageError, match="names no file"):
        build_named_source(configure(), "tsv:")
    with pytest.raises(ConfigError, match=r"^--test \{type: tsv\}: key `data.test.path` is missing"):
        build_named_source(configure(), "{type: tsv}")
