"""Whether a test set lies in what a run was trained on, also where it began with the weights of another."""

import shutil
from pathlib import Path

import pytest

from seq2attn.runs.directory import Run
from seq2attn.runs.overlap import count_known_pairs, describe_known_pairs
from seq2attn.runs.train import train
from tests.tiny import TRAINED, tiny


def read_pairs(prefix: Path) -> list[tuple[str, str]]:
    return list(zip(*(Path(f"{prefix}.{language}").read_text().splitlines() for language in ("en", "de")), strict=True))


def begin(folder: Path, origin: Path) -> Run:
    """A run of other text than that of `origin`, whose weights it begins with."""
    folder.mkdir()
    for language, words in (("en", "ka mi lo"), ("de", "wa bi bo")):
        for role in ("train", "validation"):
            (folder / f"{role}.{language}").write_text(f"{words}\n{words} {words}\n{words.split()[0]}\n" * 20)
    settings = (*TRAINED, "training.max_updates=2")
    train(tiny(folder, *settings), folder / "run", start_from=origin, device="cpu")
    return Run.open(folder / "run")


@pytest.mark.parametrize("part", [".", "model", "checkpoints/update-00000040"])
def test_the_training_text_of_the_origin_counts(trained: Path, corpus: Path, tmp_path: Path, part: str) -> None:
    origin = shutil.copytree(trained, tmp_path / "origin")
    run = begin(tmp_path / "one", origin / part)
    known, own = read_pairs(corpus / "train"), read_pairs(tmp_path / "one/train")[:1]
    assert count_known_pairs(run, [*known[:4], ("new", "new"), *own]) == 5
    assert count_known_pairs(run, [("new", "new")]) == 0
    if part == ".":
        assert count_known_pairs(begin(tmp_path / "two", tmp_path / "one/run"), known) == len(known)
    shutil.rmtree(origin)
    assert count_known_pairs(run, known) is None
    assert count_known_pairs(run, [*known, *own]) == 1


def test_another_run_in_the_place_of_the_origin_is_none(trained: Path, corpus: Path, tmp_path: Path) -> None:
    origin = shutil.copytree(trained, tmp_path / "origin")
    run = begin(tmp_path / "one", origin)
    shutil.rmtree(origin)
    shutil.copytree(run.path, origin)
    assert count_known_pairs(run, read_pairs(corpus / "train")) is None


@pytest.mark.parametrize(
    ("known", "pairs", "says"),
    [
        (0, 9, ""),
        (1, 61, "1 of 61 test pairs is in"),
        (1, 1, "1 of 1 test pair is in"),
        (2, 61, "2 of 61 test pairs are in"),
        (None, 61, "cannot be told"),
    ],
)
def test_known_pairs_are_counted_in_words(known: int | None, pairs: int, says: str) -> None:
    said = describe_known_pairs(known, pairs)
    assert says in said
    assert bool(said) == bool(says)
