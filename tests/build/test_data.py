"""From config sections to sources of pairs."""

from typing import Any

import pytest

from seq2attn.build.data import build_source
from seq2attn.config.config import Config
from seq2attn.data.sources import JsonLines, Source, TextFiles, Tsv, TwoFiles
from seq2attn.data.sources_grammar import GrammarSplit
from seq2attn.data.sources_huggingface import HuggingFace


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
