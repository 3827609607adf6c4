"""The attention maps that a run keeps."""

import json
from pathlib import Path

import numpy as np
import pytest

from seq2attn.runs.attention_maps import choose_rows
from seq2attn.runs.train import train
from seq2attn.training.checkpoint import MODEL
from tests.tiny import tiny

CONFIG = ("model.dropout=0.2", "training.max_updates=14")


def test_maps_are_kept_and_change_nothing(corpus: Path, tmp_path: Path) -> None:
    train(tiny(corpus, *CONFIG, "training.attention_maps={sentences: 3, first: 3}"), tmp_path / "kept", device="cpu")
    kept = {path.name: json.loads(path.read_text()) for path in (tmp_path / "kept/attention_maps").iterdir()}
    assert sorted(kept) == [f"update-{update:08d}.json" for update in (0, 3, 6, 12, 14)]
    lines = [(corpus / f"validation.{side}").read_text().splitlines() for side in ("en", "de")]
    for name, maps in kept.items():
        assert maps["update"] == int(name[7:15])
        lengths = [len(sentence["source_words"]) for sentence in maps["sentences"]]
        assert len(lengths) == 3
        assert lengths == sorted(lengths)
        for sentence in maps["sentences"]:
            source, target = (side[sentence["pair"] - 1].split() for side in lines)
            assert (sentence["source"], sentence["target"]) == (source, target)
            [only] = sentence["maps"]
            assert len(only["weights"]) == len(sentence["target_words"])
            assert all(sum(row) == pytest.approx(1, abs=0.01) for row in only["weights"])
    train(tiny(corpus, *CONFIG), tmp_path / "plain", device="cpu")
    weights = [(tmp_path / name / "model" / MODEL).read_bytes() for name in ("kept", "plain")]
    assert weights[0] == weights[1]


def test_chosen_pairs_are_spread_over_the_lengths_and_can_be_read() -> None:
    source, target = np.array([9, 1, 3, 30, 5, 7]), np.array([9, 4, 3, 5, 99, 7])
    assert choose_rows(source, target, longest=20, count=3) == [2, 5, 0]
    assert choose_rows(source, target, longest=20, count=1) == [5]
    assert choose_rows(source, target, longest=20, count=50) == [2, 5, 0]
