"""One line out for each line in, whatever the line, its neighbours, the batches and the way it came."""

import subprocess
import sys
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seq2attn.inference.model import Model, load
from seq2attn.search import Beam, Greedy, Hypothesis, Sampling, Search
from tests.examples import examples
from tests.tiny import WORDS, sentences

Command = Callable[..., Any]

ODD = [
    "\u2028",
    "\u2029",
    "\x85",
    "\x00",
    "\r",
    "\x0b",
    "\x1b[31m",
    "\ufeff",
    "\u202e",
    "\u200d",
    "\ufffd",
    "▁",
    "</s>",
    "<0x0A>",
    "|||",
]
SCRIPTS = ["漢字。", "שלום", "مرحبا؟", "हिन्दी।", "👨‍👩‍👧", "ᚠᚢᚦ", "𒀀", "naïve", "e\u0301", "x" * 50]
WORD = st.sampled_from([*WORDS, *ODD, *SCRIPTS, "", ".", "! "]) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=5
)
LINE = st.builds(
    lambda words, space: space.join(words), st.lists(WORD, max_size=12), st.sampled_from([" ", "", "\t", "\u3000"])
)
LINES = st.lists(LINE.filter(lambda line: "\n" not in line), max_size=8)


def of_one_line(text: str) -> bool:
    return not any(unicodedata.category(character) in ("Cc", "Zl", "Zp") for character in text)


@given(
    lines=LINES,
    last=st.sampled_from(["", "\n"]),
    end=st.sampled_from(["\n", "\r\n"]),
    search=st.sampled_from([["--beam", 1], ["--beam", 2], ["--sample", "--temperature", 3]]),
    long=st.sampled_from([[], ["--max-length", 2], ["--max-length", 7], ["--max-length", 7, "--on-long", "truncate"]]),
)
@examples(30)
def test_any_lines_give_as_many_in_their_order(
    command: Command, spelled: Path, lines: list[str], last: str, end: str, search: list[object], long: list[object]
) -> None:
    text = end.join(lines) + last * bool(lines)
    number = text.count("\n") + (text != "" and not text.endswith("\n"))
    done = command("translate", spelled, *search, *long, "--batch-tokens", 200, stdin=text.encode())
    assert (done.code, done.out.count("\n"), len(done.out.splitlines())) == (0, number, number)
    for line, found in zip(lines, done.out.split("\n"), strict=False):
        assert of_one_line(found)
        assert found == "" or line.strip() != ""
    assert done.err.count("\n") <= 2  # how many were long, and how many were cut


@given(lines=LINES, search=st.sampled_from([Greedy(), Beam(3, 1.0), Sampling(2.0)]))
@examples(20)
def test_the_best_come_first_for_each_line(spelled: Path, lines: list[str], search: Search) -> None:
    found = list(_loaded(spelled).make_translator(search, max_length=9).translate(lines))
    assert len(found) == len(lines)
    for hypotheses in found:
        assert [score for _, score in hypotheses] == sorted((score for _, score in hypotheses), reverse=True)
        assert all(of_one_line(text) for text, _ in hypotheses)


_models: dict[Path, Model] = {}


def _loaded(run: Path) -> Model:
    if run not in _models:
        _models[run] = load(run)
    return _models[run]


@pytest.fixture(scope="module")
def exact(spelled: Path) -> Model:
    """In fp64."""
    model = load(spelled)
    model.network.double()
    return model


@given(lines=LINES.filter(len), search=st.sampled_from([Greedy(), Beam(3, 1.0)]), data=st.data())
@examples(20)
def test_in_fp64_a_line_translates_the_same_in_any_batch(
    exact: Model, lines: list[str], search: Search, data: st.DataObject
) -> None:
    def texts(lines: Sequence[str], tokens: int) -> list[str]:
        return [best[0].text for best in exact.make_translator(search, batch_tokens=tokens).translate(lines)]

    together = texts(lines, 4000)
    order = data.draw(st.permutations(range(len(lines))))
    shuffled = texts([lines[i] for i in order], data.draw(st.integers(1, 200)))
    assert [shuffled[order.index(i)] for i in range(len(lines))] == together
    cuts = data.draw(st.lists(st.integers(1, len(lines)), max_size=3).map(sorted))
    windows = [lines[a:b] for a, b in zip([0, *cuts], [*cuts, len(lines)], strict=True)]
    found = [best[0].text for results in exact.make_translator(search).translate_windows(windows) for best in results]
    assert found == together
    [alone] = texts(lines[-1:], 4000)
    assert alone == together[-1]


def test_in_the_default_precision_nearly_every_line_does(trained: Path, tmp_path: Path) -> None:
    """In processes of their own, where nothing checks types."""
    lines = sentences(400, 31)
    text = "".join(f"{line}\n" for line in lines)
    (tmp_path / "text").write_text(text)

    def translated(*options: str, stdin: str = "") -> list[str]:
        arguments = [
            sys.executable,
            "-m",
            "seq2attn",
            "translate",
            str(trained),
            *options,
            "--beam",
            "3",
            "--threads",
            "1",
        ]
        return subprocess.run(
            arguments, input=stdin, capture_output=True, check=True, text=True, timeout=120
        ).stdout.split("\n")[:-1]

    file = translated(str(tmp_path / "text"))
    pipe = translated("--batch-tokens", "50", stdin=text)
    alone = translated("--batch-tokens", "1", stdin=text)
    assert len(set(file)) > 100
    for other in (pipe, alone):
        assert sum(one == two for one, two in zip(file, other, strict=True)) >= 0.995 * len(lines)


def test_bytes_make_one_line_of_text_without_control_characters(spelled: Path) -> None:
    model = load(spelled)
    first = 4  # byte 0, after the special tokens
    with torch.no_grad():
        model.network.bias[first : first + 256] += 9.0  # bytes, and hardly anything else
    written: set[int] = set()

    class Noted(Sampling):
        def __call__(self, *arguments: Any) -> list[list[Hypothesis]]:
            found = super().__call__(*arguments)
            written.update(token for [best] in found for token in best.tokens)
            return found

    found = [best[0].text for best in model.search(sentences(40, 5), Noted(3.0))]
    assert sum("\ufffd" in text for text in found) > 30
    assert all(of_one_line(text) for text in found)
    assert len(written) > 100
    assert not written & {first + byte for byte in (*range(32), 127)}
