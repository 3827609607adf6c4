"""The figures of `evaluate` against the sacrebleu command on the same lines."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from seq2attn.data.tokenizer import Tokenizer
from seq2attn.evaluation.bleu import Bleu
from seq2attn.evaluation.noise import Replace
from seq2attn.inference.evaluate import Evaluation, evaluate
from seq2attn.inference.model import load
from seq2attn.search import Beam, Engine, Greedy, Translator


def evaluated(run: Path, corpus: Path, **settings: Any) -> tuple[Evaluation, list[str], list[str]]:
    sources, references = ((corpus / f"test.{side}").read_text().splitlines() for side in ("en", "de"))
    return evaluate(load(run), sources, references, **({"beam": 3} | settings)), sources, references


def test_the_figures_are_those_of_the_sacrebleu_command(trained: Path, corpus: Path, tmp_path: Path) -> None:
    found, _, _ = evaluated(trained, corpus)
    hypotheses = tmp_path / "hypotheses"
    hypotheses.write_text("".join(f"{line}\n" for line in found.hypotheses))
    command = [
        sys.executable,
        "-m",
        "sacrebleu",
        str(corpus / "test.de"),
        "-i",
        str(hypotheses),
        "-m",
        "bleu",
        "chrf",
        "ter",
    ]
    printed = subprocess.run([*command, "-w", "6"], check=True, capture_output=True, text=True, timeout=120).stdout
    bleu, chrf, ter = json.loads(printed)
    own = found.to_json()
    assert chrf["score"] > 0
    for theirs, key in ((bleu, "bleu"), (chrf, "chrf"), (ter, "ter")):
        assert own[key] == pytest.approx(theirs["score"], abs=1e-6)
    assert own["signature"] == bleu["signature"]
    assert own["chrf_signature"] == chrf["signature"]
    assert own["ter_signature"] == ter["signature"]


@pytest.mark.filterwarnings("ignore:.* cut at the limit")
def test_the_hypotheses_are_the_models_with_that_beam(trained: Path, corpus: Path) -> None:
    model = load(trained)
    for beam, penalty in ((1, 0.0), (4, 8.0)):
        found, sources, _ = evaluated(trained, corpus, beam=beam, length_penalty=penalty)
        assert found.hypotheses == model.translate(sources, beam=beam, length_penalty=penalty)


def test_settings_are_those_of_the_config_unless_given(trained_otherwise: Path, corpus: Path) -> None:
    sources, references = ((corpus / f"test.{side}").read_text().splitlines() for side in ("en", "de"))
    model = load(trained_otherwise)
    evaluation = evaluate(model, sources, references)
    assert evaluation.hypotheses == model.translate(sources, beam=3, length_penalty=0.5)
    assert evaluation.scores == Bleu("de", lowercase=True, tokenize="char").score(evaluation.hypotheses, references)


def test_the_keys_are_those_of_the_contract(trained: Path, corpus: Path) -> None:
    found, sources, _ = evaluated(trained, corpus)
    own = found.to_json()
    assert {"bleu", "chrf", "ter", "signature", "by_length"} <= own.keys()
    assert [(bucket["low"], bucket["high"]) for bucket in own["by_length"]] == [
        (1, 10),
        (11, 20),
        (21, 30),
        (31, 40),
        (41, 50),
        (51, None),
    ]
    assert own["by_length"][0]["sentences"] == len(sources)
    assert own["by_length"][0]["bleu"] == pytest.approx(own["bleu"])
    assert own["by_length"][5] == {"low": 51, "high": None, "sentences": 0, "bleu": None}


def test_settings_reach_the_signature(trained: Path, corpus: Path) -> None:
    found, _, _ = evaluated(trained, corpus, bleu=Bleu("de", True, "char"))
    assert "case:lc" in found.scores.signature
    assert "tok:char" in found.scores.signature


def test_the_text_shows_every_figure(trained: Path, corpus: Path) -> None:
    found, _, _ = evaluated(trained, corpus)
    lines = found.to_text().splitlines()
    for line, value in zip(lines, (found.scores.bleu, found.scores.chrf, found.scores.ter), strict=False):
        assert f"{value:.2f}" in line
    assert lines[-1].split()[-1] == "–"


@pytest.mark.parametrize("beam", [1, 3])
def test_encoded_sources_are_translated_as_their_text(trained: Path, corpus: Path, beam: int) -> None:
    model = load(trained)
    lines = ["", *(corpus / "test.en").read_text().splitlines(), " "]
    translator = Translator(
        Engine(model.network, model.tokenizer, model.precision), Greedy() if beam == 1 else Beam(beam, 1.0)
    )
    found = [best[0].text for best in translator.translate_encoded(translator.encode(lines))]
    assert found == model.translate(lines, beam=beam)
    assert found[0] == found[-1] == ""


def test_noise_adds_the_bleu_of_noisy_sources(trained: Path, corpus: Path) -> None:
    clean, sources, references = evaluated(trained, corpus, bleu=Bleu("de", tokenize="char"))
    found, _, _ = evaluated(trained, corpus, bleu=Bleu("de", tokenize="char"), noise=Replace((0.0, 0.5), 2))
    figures = found.to_json()
    assert figures["bleu"] > 1
    noise = figures.pop("noise")
    assert figures == clean.to_json()
    none, half = noise["rates"]
    assert (none["achieved"], none["relative_drop"]) == (0.0, 0.0)
    assert none["bleu"] == {"mean": figures["bleu"], "std": 0.0, "by_seed": [figures["bleu"]] * 2}

    model = load(trained)
    pieces = model.tokenizer.source_pieces()
    for seed, bleu in zip((1, 2), half["bleu"]["by_seed"], strict=True):
        encoded = model.tokenizer.encode_source(sources)
        noised = [[Replace((), 1)(ids, pieces, rate=0.5, seed=seed, line=line)] for line, ids in enumerate(encoded)]
        translations = Translator(
            Engine(model.network, model.tokenizer, model.precision), Beam(3, 1.0)
        ).translate_encoded(noised)
        hypotheses = [best[0].text for best in translations]
        assert hypotheses != found.hypotheses
        assert bleu == Bleu("de", tokenize="char").score(hypotheses, references, ter=False).bleu


def test_a_line_far_longer_than_in_training_is_split_as_in_translating(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seq2attn.evaluation.bleu.TER_WORDS", 1000)
    model = load(trained)
    sources, references = ["ka mi", "", "lo tu se. " * 500], ["ba bi", "", "bo bu be. " * 500]
    progress: list[float] = []
    found = evaluate(model, sources, references, beam=1, noise=Replace((0.0, 0.5), 1), progress=progress.append)
    assert found.remarks[0] == "1 line of more than 2,500 subwords was split"
    assert found.remarks[-1].startswith(
        "TER is left out, whose time grows with the square of a line's length: line 3 has "
    )
    split, _ = model.translate_with_remarks(sources, beam=1)
    assert found.hypotheses == split
    assert found.noise is not None
    assert sum(progress) == pytest.approx(2 * len(sources))
    assert (found.to_json()["ter"], found.to_text().splitlines()[2]) == (None, "TER        –")


def test_lines_somewhat_longer_than_in_training_are_translated_whole(trained: Path) -> None:
    model, line = load(trained), "lo tu se. " * 100
    found = evaluate(model, [line], ["bo bu be"], beam=1)
    assert found.hypotheses == model.translate_with_remarks([line], beam=1, max_length=10_000)[0]
    assert not any("split" in remark for remark in found.remarks)
    assert found.scores.ter is not None


def test_the_text_shows_the_noise_last(trained: Path, corpus: Path) -> None:
    clean, _, _ = evaluated(trained, corpus)
    found, _, _ = evaluated(trained, corpus, noise=Replace((0.0, 0.5), 2))
    assert found.noise is not None
    assert found.to_text() == f"{clean.to_text()}\n\n{found.noise.to_text()}"


@pytest.mark.parametrize("byte_fallback", [False, True])
def test_noise_puts_in_learned_pieces_only(tmp_path: Path, byte_fallback: bool) -> None:
    lines = ["ka mi lo", "lo ka", "mi mi ka lo"]
    tokenizer = Tokenizer.train(
        lines,
        lines,
        vocab_size=16 + 256 * byte_fallback,
        algorithm="bpe",
        joint=True,
        byte_fallback=byte_fallback,
        character_coverage=1.0,
        folder=tmp_path,
    )
    pieces = tokenizer.source_pieces()
    assert pieces == list(range(4 + 256 * byte_fallback, tokenizer.source_size))
    assert {token for ids in tokenizer.encode_source(lines) for token in ids[:-1]} <= set(pieces)
