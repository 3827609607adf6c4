"""The longest translation that training has seen decides how long translations may become."""

import random
from pathlib import Path

import pytest

from seq2attn.cli.main import _run
from seq2attn.inference.evaluate import evaluate
from seq2attn.inference.model import load
from seq2attn.runs.average import average_run
from seq2attn.runs.directory import Run
from seq2attn.runs.train import train
from seq2attn.search import OutputLimit
from tests.tiny import WORDS, tiny

NAMES = ["".join(pair) for pair in zip(WORDS * 2, WORDS[1:] + WORDS[:1] + WORDS[5:] + WORDS[:5], strict=True)][:20]
SETTINGS = (
    "data.vocab_size=40",
    "model.embedding.width=32",
    "model.encoder.width=16",
    "model.decoder.width=128",
    "training.batch_tokens=1500",
    "training.optimizer.learning_rate=0.015",
    "training.schedule={type: cosine, warmup: 20}",
    "training.label_smoothing=0.0",
    "training.keep_last=2",
)


def write_names(folder: Path) -> Path:
    """Twenty pairs of one name and thirty words."""
    draw = random.Random(1)
    for role in ("train", "validation"):
        (folder / f"{role}.en").write_text("".join(f"{name}\n" for name in NAMES))
    lines = "".join(" ".join(draw.choices(WORDS, k=30)) + "\n" for _ in NAMES)
    for role in ("train", "validation"):
        (folder / f"{role}.de").write_text(lines)
    return folder


def test_thirty_words_for_one_learned_by_heart_are_written_whole(tmp_path: Path) -> None:
    config = tiny(write_names(tmp_path), *SETTINGS, "training.max_updates=240", "training.validate_every=120")
    out = tmp_path / "run"
    train(config, out, device="cpu")
    model = load(out)
    references = (tmp_path / "train.de").read_text().splitlines()
    found = evaluate(model, NAMES, references)
    assert found.scores.bleu > 95
    assert not found.remarks
    assert load(average_run(out, tmp_path / "average", count=2, of="last")).limit == model.limit
    assert model.limit == Run.open(out).output_limit() != OutputLimit()
    with pytest.warns(UserWarning, match="20 translations were cut at the limit of 15 subwords"):
        cut = model.translate(NAMES, max_output=15)
    assert max(len(line.split()) for line in cut) <= 15


def test_cut_translations_are_counted_once_by_training_and_by_commands(
    tmp_path: Path, corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    train(tiny(corpus, "evaluation.max_output=1", "evaluation.beam=1"), out, device="cpu")
    how = "(--set evaluation.max_output=N sets another; of translate and evaluate, --max-output)"
    says = f"translations were cut at the limit of 1 subwords {how}"
    assert capsys.readouterr().err.count(f"in the last validation, 10 {says}") == 1
    for arguments in (
        ["translate", out, corpus / "test.en", "-o", tmp_path / "out"],
        ["evaluate", out, "--test", corpus / "test"],
    ):
        assert _run(list(map(str, arguments)), False) == 0
        assert f"8 {says}" in capsys.readouterr().err
        assert _run([*map(str, arguments), "--max-output", "2"], False) == 0
        assert "limit of 2 subwords" in capsys.readouterr().err


def test_a_run_without_a_limit_keeps_that_of_0_1_0(trained: Path, tmp_path: Path) -> None:
    run = Run(tmp_path, Run.open(trained).config, b"")
    assert run.output_limit() == OutputLimit(2.0, 10)
