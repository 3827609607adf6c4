"""The figures of `evaluate` against the sacrebleu command on the same lines."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from seq2attn.experiment.evaluate import Evaluation, evaluate
from seq2attn.experiment.model import load


def evaluated(run: Path, corpus: Path, **settings: Any) -> tuple[Evaluation, list[str], list[str]]:
    sources, references = ((corpus / f"test.{side}").read_text().splitlines() for side in ("en", "de"))
    defaults = {"beam": 3, "length_penalty": 1.0, "lowercase": False, "tokenize": "auto"}
    return evaluate(load(run), sources, references, **(defaults | settings)), sources, references


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
    printed = subprocess.run([*command, "-w", "6"], check=True, capture_output=True, text=True).stdout
    bleu, chrf, ter = json.loads(printed)
    own = found.to_json()
    assert chrf["score"] > 0
    for theirs, key in ((bleu, "bleu"), (chrf, "chrf"), (ter, "ter")):
        assert own[key] == pytest.approx(theirs["score"], abs=1e-6)
    assert own["signature"] == bleu["signature"]
    assert own["chrf_signature"] == chrf["signature"]
    assert own["ter_signature"] == ter["signature"]


def test_the_hypotheses_are_the_models_with_that_beam(trained: Path, corpus: Path) -> None:
    model = load(trained)
    for beam, penalty in ((1, 0.0), (4, 8.0)):
        found, sources, _ = evaluated(trained, corpus, beam=beam, length_penalty=penalty)
        assert found.hypotheses == model.translate(sources, beam=beam, length_penalty=penalty)


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
    found, _, _ = evaluated(trained, corpus, lowercase=True, tokenize="char")
    assert "case:lc" in found.scores.signature
    assert "tok:char" in found.scores.signature


def test_the_text_shows_every_figure(trained: Path, corpus: Path) -> None:
    found, _, _ = evaluated(trained, corpus)
    lines = found.to_text().splitlines()
    for line, value in zip(lines, (found.scores.bleu, found.scores.chrf, found.scores.ter), strict=False):
        assert f"{value:.2f}" in line
    assert lines[-1].split()[-1] == "–"
