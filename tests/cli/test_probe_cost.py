"""`seq2attn probe cost`: tables, the same numbers as JSON, a picture, and errors that name the option."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seq2attn.cli import probe

Command = Callable[..., Any]
TINY = ("probe", "cost", "--lengths", "16,4,16", "--sentence-lengths", "2,8", "--threads", 1)


@pytest.fixture(autouse=True)
def _little(monkeypatch: pytest.MonkeyPatch) -> None:
    from seq2attn.probes.cost import self_attention, training

    monkeypatch.setattr(training, "BATCH_TOKENS", 16)
    monkeypatch.setattr(self_attention, "_SECONDS", 0.0)


def test_tables_are_printed_for_every_length(command: Command) -> None:
    done = command(*TINY)
    assert (done.code, done.err) == (0, "")
    rows = [line.split() for line in done.out.splitlines()]
    assert ["pairs", "scored", "4", "16", "slope"] in rows
    assert ["full", "16", "256", "2.00"] in rows
    assert ["multi-head", "24,576", "24,576", "100.0%"] in rows
    assert ["latent", "6,912", "6,912", "28.1%"] in rows
    assert ["tokens/s", "2", "8"] in rows
    assert any(row[:2] == ["strided,", "gathered"] for row in rows)
    assert any(row[:1] == ["Transformer"] for row in rows)


def test_json_and_picture_hold_the_same_measurement(command: Command, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    file = tmp_path / "cost.svg"
    done = command(*TINY, "--json", "--seed", 2, "--plot", file)
    assert (done.code, done.err) == (0, "")
    figures = json.loads(done.out)
    assert (figures["lengths"], figures["sentence_lengths"], figures["seed"]) == ([4, 16], [2, 8], 2)
    assert figures["hardware"]["threads"] == 1
    scored = {curve["name"]: curve["figures"] for curve in figures["pairs"]["scored"]}
    assert scored["causal"] == [10, 136]
    assert [each["measured"] for each in figures["cache"]["variants"]] == [24_576, 6_144, 3_072, 6_912]
    assert len(figures["self_attention"]["peak_bytes"]) == len(figures["self_attention"]["seconds"]) == 7
    assert [model["name"] for model in figures["training"]["models"]][-1] == "Transformer"
    assert file.read_bytes().startswith(b"<?xml")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--lengths", "64,x"], "--lengths: `x` is not a whole number from 1 to 8192"),
        (["--lengths", "64,"], "--lengths: `` is not a whole number from 1 to 8192"),
        (["--lengths", "0,64"], "--lengths: `0` is not"),
        (["--lengths", "-64"], "--lengths: `-64` is not"),
        (["--lengths", "6.5"], "--lengths: `6.5` is not"),
        (["--lengths", "²"], "--lengths: `²` is not"),
        (["--lengths", "8193"], "--lengths: `8193` is not"),
        (["--sentence-lengths", "2049"], "--sentence-lengths: `2049` is not a whole number from 1 to 2048"),
        (["--threads", "0"], "--threads"),
        (["--device", "gpu"], "--device gpu: no such device"),
        (["--plot", "picture"], "--plot picture: a picture's name ends in .png"),
    ],
)
def test_bad_usage_exits_with_two_and_names_the_option(command: Command, arguments: list[str], says: str) -> None:
    done = command("probe", "cost", *arguments)
    assert (done.code, done.out) == (2, "")
    error, hint = done.err.splitlines()
    assert says in error
    assert hint.startswith("hint: ")


def test_a_device_whose_memory_nobody_records_is_refused(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    done = command("probe", "cost", "--device", "mps")
    assert (done.code, done.out) == (2, "")
    assert "--device mps: its peak memory cannot be measured" in done.err


def test_the_longest_sentence_still_fits_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    from seq2attn.probes.cost import training

    assert probe._MOST_WORDS == training.BATCH_TOKENS
