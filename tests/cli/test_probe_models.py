"""`seq2attn probe` on trained models: tables, the same numbers as JSON, pictures, and clear errors."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]


def test_attention_says_the_same_as_text_and_as_json(command: Command, trained: Path, corpus: Path) -> None:
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
        assert "nothing: no such folder" in done.err


def test_the_attention_of_a_model_is_drawn_head_by_head(trained: Path, corpus: Path) -> None:
    pytest.importorskip("matplotlib")
    from seq2attn.inference.model import load
    from seq2attn.probes.attention import measure_attention
    from seq2attn.probes.pictures import draw
    from seq2attn.probes.sentences import choose_pairs

    model = load(trained)
    result = measure_attention(model, choose_pairs(model.config, str(corpus / "test"), 3, trained), seed=1)
    entropy, zeros = draw(result).get_axes()
    for axes, quantity in ((entropy, "entropy"), (zeros, "zeros")):
        assert [line.get_label() for line in axes.lines] == ["trained", "random scores"]
        for line, kind in zip(axes.lines, ("trained", "random"), strict=True):
            assert list(line.get_xdata()) == [getattr(getattr(row, kind), quantity) for row in result.rows]
    assert [label.get_text() for label in entropy.get_yticklabels()] == ["target to source, layer 1"]
    assert zeros.get_xlabel() == "share of weights that are exactly 0"


def test_lost_bleu_is_drawn_head_by_head() -> None:
    pytest.importorskip("matplotlib")
    from seq2attn.probes.heads import AttentionPattern, HeadImportance, MaskedHead
    from seq2attn.probes.pictures import draw
    from seq2attn.probes.sentences import Quality

    pattern = AttentionPattern(0.9, 0.1, -1, 0.8)
    heads = (MaskedHead("source to source", 1, 1, 20.0, pattern), MaskedHead("source to source", 1, 2, 21.5, pattern))
    (axes,) = draw(HeadImportance("run", 3, Quality(21.0, 0.1, "signature"), heads)).get_axes()
    assert [bar.get_width() for bar in axes.patches] == [1.0, -0.5]
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "source to source, layer 1, head 1",
        "source to source, layer 1, head 2",
    ]
    assert axes.get_xlabel() == "BLEU lost without the head (21.0 with all heads)"
    unlearned = draw(HeadImportance("run", 3, Quality(0.5, 0.0, "signature"), heads))
    assert unlearned.get_suptitle() == "This model has not learned to translate yet (BLEU 0.5)"


def test_a_tiny_experiment_goes_on_but_not_on_other_text(
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
    arguments += [word for override in small for word in ("--set", override)]
    done = command(*arguments)
    assert done.code == 0, done.err
    plain, *seeded, repeated = json.loads(done.out)["systems"]
    assert (plain["name"], repeated["name"]) == ("vector_64", capacity_runs.REPEATED)
    assert [system["name"] for system in seeded] == ["vector_64, seed 2", "vector_64, seed 3"]
    assert [system["vector"] for system in (plain, *seeded, repeated)] == [64, 64, 64, None]
    assert [system["updates"] for system in (plain, *seeded, repeated)] == [2, 2, 2, 2]
    assert 30 < sum(group["sentences"] for group in plain["by_words"]) <= 40
    assert plain["gives_in"] == {"words": 0.0, "bits": 0.0}
    assert plain["words"] == plain["bits"] == {"at": 0.0, "low": 0.0, "high": 0.0}
    assert not plain["learned"]
    again = command(*arguments)
    assert json.loads(again.out) == json.loads(done.out)
    assert again.err.count("finished already") == 4
    monkeypatch.setattr(capacity_runs, "grammar_version", lambda: "of a changed lexicon")
    monkeypatch.setattr(capacity_runs, "REPEATS", capacity_runs.REPEATS + 1)
    refused = command(*arguments)
    assert (refused.code, refused.out) == (2, "")
    error, hint = refused.err.splitlines()
    assert "vector_64_repeated: holds a run of another config; different: the text of data.train" in error
    assert hint == f"hint: choose another --out, or remove {tmp_path}/out/runs/vector_64_repeated to train it again"
