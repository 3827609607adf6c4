"""docs/extending.md: its table names files that exist, and its guide works when it is followed to the letter."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.tiny import write_corpus

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
PLACE = re.compile(
    r"# (?P<file>\S+), (?P<place>at the end|a new file|(?:before|instead of) the line that begins `(.+)`)"
)
WIDTHS = (
    "model.encoder={type: lstm, width: 256}",
    "model.decoder={type: luong, width: 512, attention: {score: cosine}}",
)

Command = Callable[..., subprocess.CompletedProcess[str]]


class Edit(NamedTuple):
    """One code block of the guide: the file, where in it, the line that marks the place, and the text."""

    file: str
    place: str
    line: str
    text: str

    def apply(self, folder: Path) -> None:
        """Edit the file in a copy of the checkout."""
        path = folder / self.file
        if self.place == "a new file":
            path.write_text(self.text, encoding="utf-8")
            return
        old = path.read_text(encoding="utf-8")
        if self.place == "at the end":
            path.write_text(old + self.text, encoding="utf-8")
            return
        lines = old.splitlines(keepends=True)
        [index] = [number for number, line in enumerate(lines) if line.lstrip().startswith(self.line)]
        kept = lines[index] if self.place.startswith("before") else ""
        path.write_text("".join([*lines[:index], self.text, kept, *lines[index + 1 :]]), encoding="utf-8")


def read_edits() -> dict[int, list[Edit]]:
    """The code blocks under each number of the guide."""
    steps = re.split(r"^\*\*(\d)\. ", GUIDE.partition("## A score in four edits")[2], flags=re.MULTILINE)[1:]
    edits: dict[int, list[Edit]] = {}
    for number, text in zip(steps[::2], steps[1::2], strict=True):
        for block in re.findall(r"```(?:python|yaml)\n(.*?)```", text, flags=re.DOTALL):
            first, _, rest = block.partition("\n")
            place = PLACE.fullmatch(first)
            assert place is not None, first
            edits.setdefault(int(number), []).append(Edit(place["file"], place["place"], place[3] or "", rest))
    return edits


EDITS = read_edits()


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this checkout, to be edited."""
    folder = tmp_path_factory.mktemp("guide")
    for name in ("seq2attn", "configs", "data/grammar"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`python -m …` in the copy, which is imported instead of this checkout."""
    environment = os.environ | {"PYTHONPATH": str(folder)}
    return subprocess.run(
        [sys.executable, "-m", *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )


def test_the_guide_has_four_edits() -> None:
    assert list(EDITS) == [1, 2, 3, 4]
    assert (
        len({edit.file for edits in EDITS.values() for edit in edits}) == 5
    )  # and the name of the score in __init__.py


def test_the_files_of_the_table_exist() -> None:
    rows = [line for line in GUIDE.splitlines() if line.startswith("| ")]
    paths = {path for row in rows for path in re.findall(r"`([\w./]+[/.](?:\w+)?)`", row)}
    named = {path for path in paths if "NAME" not in path}
    assert len(named) > 20
    assert [path for path in named if not (ROOT / path).exists() and not (ROOT / "seq2attn" / path).exists()] == []


def test_the_guide_leads_to_a_score_that_trains(checkout: Path, tmp_path: Path) -> None:
    for edit in EDITS[1] + EDITS[2]:
        edit.apply(checkout)
    types = ("mypy", "--cache-dir", str(tmp_path / "mypy"), "seq2attn/build/attention.py")
    unfinished = run(checkout, *types)
    [error] = [line for line in unfinished.stdout.splitlines() if " error: " in line]
    assert error.startswith("seq2attn/build/attention.py:")
    assert '"assert_never"' in error
    assert "CosineConfig" in error
    for edit in EDITS[3] + EDITS[4]:
        edit.apply(checkout)
    finished = run(checkout, *types)
    assert finished.returncode == 0, finished.stdout

    config = EDITS[4][0].file
    valid = run(checkout, "seq2attn", "config", "validate", config)
    assert (valid.returncode, valid.stdout) == (0, f"{config}: fine\n")

    corpus = write_corpus(tmp_path / "corpus")
    settings = [
        *WIDTHS,
        *(f"data.{role}={corpus}/{role}" for role in ("train", "validation")),
        "data.vocab_size=40",
        "data.tokenizer.byte_fallback=false",
        "training.max_updates=10",
        "training.batch_tokens=100",
        "training.validate_every=10",
        "training.schedule.warmup=2",
    ]
    options = [option for setting in settings for option in ("--set", setting)]
    trained = run(checkout, "seq2attn", "train", config, "--out", str(tmp_path / "run"), "--device", "cpu", *options)
    assert trained.returncode == 0, trained.stderr
    assert (tmp_path / "run" / "model" / "model.safetensors").exists()

    wider = config.replace("cosine", "wider")
    (checkout / wider).write_text((checkout / config).read_text().replace("width: 256", "width: 300"))
    refused = run(checkout, "seq2attn", "config", "validate", wider)
    assert refused.returncode == 2
    assert refused.stderr == (
        f"seq2attn: error: {wider}:6: key `model.decoder.attention.score` is cosine, which needs queries as wide as keys, "
        "but the decoder has 300 and the encoder's states 256\n"
        "hint: use general, or set model.decoder.width to 256\n"
    )
