"""`seq2attn probe` on trained models: tables, the same numbers as JSON, pictures, and clear errors."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]


def test_attention_of_a_run_says_the_same_as_text_and_as_json(command: Command, trained: Path, corpus: Path) -> None:
    arguments = ["probe", "attention", trained, "--test", corpus / "test", "--sentences", 4]
    text, figures = command(*arguments).out, json.loads(command(*arguments, "--json").out)
    (row,) = figures["rows"]
    assert figures["sentences"] == 4
    (line,) = [line for line in text.splitlines() if line.startswith("target to source")]
    shown = [f"{row[kind][quantity]:.3f}" for kind in ("trained", "random") for quantity in ("entropy",)]
    assert [cell for cell in line.split() if cell in shown] == shown


def test_heads_of_a_run_without_heads_is_one_clear_error(command: Command, trained: Path, corpus: Path) -> None:
    done = command("probe", "heads", trained, "--test", corpus / "test")
    assert done.code == 2
    assert "none of its attentions has heads" in done.err


def test_a_run_that_is_not_there_is_named(command: Command, tmp_path: Path) -> None:
    for probe in ("attention", "heads"):
        done = command("probe", probe, tmp_path / "nothing")
        assert (done.code, done.out) == (2, "")
        assert "nothing: no model here" in done.err


def test_the_pictures_of_trained_models_are_drawn(trained: Path, corpus: Path, tmp_path: Path) -> None:
    from seq2attn.inference.model import load
    from seq2attn.probes import plots, plots_models
    from seq2attn.probes.attention import measure
    from seq2attn.probes.heads import Head, Heads, Look
    from seq2attn.probes.sites import chosen_pairs

    model = load(trained)
    plots.write(
        plots_models.attention(measure(model, chosen_pairs(model.config, str(corpus / "test"), 3), seed=1)),
        tmp_path / "a.svg",
    )
    head = Head("source to source", 1, 2, 20.0, Look(0.9, 0.1, -1, 0.8))
    plots.write(plots_models.heads(Heads("run", 3, "signature", 21.0, (head,))), tmp_path / "h.svg")
    for name in ("a", "h"):
        assert (tmp_path / f"{name}.svg").stat().st_size > 5000


def test_a_tiny_experiment_runs_from_end_to_end_and_goes_on(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from seq2attn.probes import capacity_runs

    monkeypatch.setattr(capacity_runs, "SYSTEMS", ("vector_64",))
    small = [
        f"data.{role}={{type: grammar, pairs: 300, max_words: 10, shares: null}}"
        for role in ("train", "validation", "test")
    ]
    small += ["data.vocab_size=800", "model.encoder.width=8", "model.decoder.width=8", "training.max_updates=2"]
    arguments = ["probe", "capacity", "--out", tmp_path / "out", "--sentences", 40, "--threads", 1, "--json"]
    arguments += [word for each in small for word in ("--set", each)]
    done = command(*arguments)
    assert done.code == 0, done.err
    plain, repeated = json.loads(done.out)["systems"]
    assert (plain["name"], repeated["name"]) == ("vector_64", capacity_runs.REPEATED)
    assert 30 < sum(each["sentences"] for each in plain["by_words"]) <= 40
    assert plain["gives_in"] == {"words": 0.0, "bits": 0.0}
    again = command(*arguments)
    assert json.loads(again.out) == json.loads(done.out)
    assert again.err.count("finished already") == 2
