"""`seq2attn translate`: lines in, lines out."""

import bz2
import gzip
import lzma
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow
import pytest

from seq2attn.cli.output import open_output
from seq2attn.cli.translate import _write
from seq2attn.inference.model import load
from seq2attn.search.engine import Translation
from tests.tiny import sentences

Command = Callable[..., Any]
TEXT = "ka mi\n\nlo tu se po ra\n  \nfa\n"


def compress_with_zstd(data: bytes) -> bytes:
    return pyarrow.compress(data, codec="zstd", asbytes=True)  # type: ignore[no-any-return]


@pytest.fixture
def expected(trained: Path) -> str:
    return "".join(f"{line}\n" for line in load(trained).translate(TEXT.splitlines()))


def test_streams_and_files_give_the_same_and_nothing_else(
    command: Command, trained: Path, tmp_path: Path, expected: str
) -> None:
    (tmp_path / "in").write_text(TEXT)
    assert command("translate", trained, stdin=TEXT.encode()) == (0, expected, "")
    assert command("translate", trained, tmp_path / "in") == (0, expected, "")
    assert command("translate", trained / "model", "-", "-o", tmp_path / "out", stdin=TEXT.encode()) == (0, "", "")
    assert (tmp_path / "out").read_text() == expected
    assert command("translate", trained, tmp_path / "in", "-o", tmp_path / "in").code == 0
    assert (tmp_path / "in").read_text() == expected
    assert expected.split("\n")[1] == expected.split("\n")[3] == ""
    assert expected.strip()


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", 0),
        ("\n", 1),
        ("ka", 1),
        ("ka\r\nmi\r\n", 2),
        ("ka\u2028mi\x85lo\x0btu\x0cse\rpo\n", 1),  # what other tools take for line ends
        ("ka ||| mi\n\x00\n\ufeff\n", 3),
    ],
)
def test_there_is_one_line_for_each_line_feed(command: Command, trained: Path, text: str, lines: int) -> None:
    done = command("translate", trained, "--beam", 1, stdin=text.encode())
    assert done.code == 0
    assert done.out.count("\n") == len(done.out.splitlines()) == lines


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, compress_with_zstd])
def test_a_packed_file_is_read_whatever_it_is_called(
    command: Command, trained: Path, tmp_path: Path, expected: str, pack: Callable[[bytes], bytes]
) -> None:
    packed = pack(TEXT.encode())
    for name in ("in.gz", "in.en"):
        (tmp_path / name).write_bytes(packed)
        assert command("translate", trained, tmp_path / name) == (0, expected, "")
    (tmp_path / "in.gz").write_bytes(packed[: len(packed) // 2])
    done = command("translate", trained, tmp_path / "in.gz")
    assert done.code == 2
    assert f"{tmp_path}/in.gz:1: cannot be read: " in done.err
    done = command("translate", trained, "--encoding-errors", "replace", stdin=packed)
    assert (done.code, done.out) == (2, "")
    assert "standard input: packed with " in done.err


def test_a_named_pipe_is_read_once(command: Command, trained: Path, tmp_path: Path, expected: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_text, args=(TEXT,), kwargs={"encoding": "utf-8"})
    writer.start()
    assert command("translate", trained, tmp_path / "pipe") == (0, expected, "")
    writer.join()


def test_a_carriage_return_belongs_to_the_line_end(command: Command, trained: Path, expected: str) -> None:
    assert command("translate", trained, stdin=TEXT.replace("\n", "\r\n").encode()).out == expected


def test_search_settings_reach_the_search(command: Command, trained: Path) -> None:
    model, lines = load(trained), TEXT.splitlines()
    for beam, penalty in ((1, 1.0), (3, 0.0), (3, 9.0)):
        done = command("translate", trained, "--beam", beam, "--length-penalty", penalty, stdin=TEXT.encode())
        assert done.out.splitlines() == model.translate(lines, beam=beam, length_penalty=penalty)
    assert command("translate", trained, "--batch-tokens", 1, stdin=TEXT.encode()).out.splitlines() == model.translate(
        lines
    )


def test_beam_and_length_penalty_are_the_models_unless_given(
    command: Command, trained: Path, trained_otherwise: Path
) -> None:
    model, lines = load(trained), TEXT.splitlines()
    done = command("translate", trained_otherwise, stdin=TEXT.encode())
    assert done.out.splitlines() == model.translate(lines, beam=3, length_penalty=0.5)
    done = command("translate", trained_otherwise, "--beam", 1, stdin=TEXT.encode())
    assert done.out.splitlines() == model.translate(lines, beam=1)
    done = command("translate", trained_otherwise, "--n-best", 4, stdin=TEXT.encode())
    assert (done.code, done.out) == (2, "")
    assert "--n-best 4: only 3 translations are made" in done.err


def test_n_best_lines_are_number_text_and_score(command: Command, trained: Path, expected: str) -> None:
    done = command("translate", trained, "--n-best", 3, stdin=TEXT.encode())
    rows = [line.split(" ||| ") for line in done.out.splitlines()]
    assert [row[0] for row in rows] == ["1"] * 3 + ["2"] + ["3"] * 3 + ["4"] + ["5"] * 3
    for number, line in enumerate(expected.splitlines(), start=1):
        own = [row for row in rows if row[0] == str(number)]
        assert own[0][1] == line
        scores = [float(row[2]) for row in own]
        assert scores == sorted(scores, reverse=True)
        assert all(score <= 0 for score in scores)


def test_n_best_lists_hold_every_text_once_and_are_filled_up(tmp_path: Path) -> None:
    hypotheses = [Translation("wa", -1.0), Translation("wa", -1.5), Translation("ba", -2.0), Translation("bo", -3.0)]
    with (tmp_path / "out").open("w") as out:
        _write(iter([[hypotheses], [[Translation("", 0.0)]]]), 2, out)
    assert (tmp_path / "out").read_text() == "1 ||| wa ||| -1.0000\n1 ||| ba ||| -2.0000\n2 |||  ||| 0.0000\n"


def test_more_than_the_beam_cannot_be_printed(command: Command, trained: Path) -> None:
    done = command("translate", trained, "--n-best", 6, stdin=b"ka\n")
    assert (done.code, done.out) == (2, "")
    assert "use --beam 6 or more" in done.err
    assert command("translate", trained, "--sample", "--n-best", 2, stdin=b"ka\n").code == 2


def test_a_sample_depends_on_its_seed_alone(command: Command, trained: Path) -> None:
    def drawn(*options: object) -> str:
        return str(command("translate", trained, "--sample", *options, stdin=TEXT.encode()).out)

    assert drawn("--seed", 3) == drawn("--seed", 3, "--batch-tokens", 1)
    assert drawn("--seed", 3) != drawn("--seed", 4)
    assert drawn("--top-k", 1) == command("translate", trained, "--beam", 1, stdin=TEXT.encode()).out
    assert drawn("--temperature", 0.001) == drawn("--top-k", 1)


def test_bad_text_is_named_by_its_line(command: Command, trained: Path, tmp_path: Path) -> None:
    done = command("translate", trained, stdin=b"ka\nm\xffi\n")
    assert done.code == 2
    assert "standard input:2: not valid UTF-8" in done.err
    assert "nowhere: no such file" in command("translate", trained, tmp_path / "nowhere").err


def test_lines_before_a_broken_one_are_written(command: Command, trained: Path) -> None:
    done = command("translate", trained, stdin=b"ka\n\nm\xffi\nlo\n")
    assert done.code == 2
    assert done.out == command("translate", trained, stdin=b"ka\n\n").out
    assert "standard input:3: not valid UTF-8 (byte 0xff at byte 2 of the line)" in done.err
    replaced = command("translate", trained, "--encoding-errors", "replace", stdin=b"ka\n\nm\xffi\nlo\n")
    assert (replaced.code, replaced.err) == (0, "")
    assert replaced.out == command("translate", trained, stdin="ka\n\nm\ufffdi\nlo\n".encode()).out


def test_long_lines_are_split_truncated_or_refused_and_counted_once(command: Command, trained: Path) -> None:
    text = b"ka mi lo tu se. tu se po.\nfa\nka mi lo tu se. ra ni do ve.\n"
    parts = command("translate", trained, stdin=b"ka mi lo tu se.\ntu se po.\n").out.split("\n")[:2]
    assert all(parts)
    split = command("translate", trained, "--max-length", 11, stdin=text)
    assert split.out.count("\n") == 3
    assert split.out.split("\n")[0] == " ".join(parts)
    assert (split.code, split.err) == (0, "2 lines of more than 11 subwords were split\n")
    cut = command("translate", trained, "--max-length", 11, "--on-long", "truncate", stdin=text)
    assert (cut.code, cut.out.count("\n"), cut.err) == (0, 3, "2 lines of more than 11 subwords were truncated\n")
    refused = command("translate", trained, "--max-length", 11, "--on-long", "error", stdin=b"fa\n" + text)
    assert (refused.code, refused.out.count("\n")) == (2, 1)
    assert "line 2: 17 subwords, more than 11" in refused.err


def test_a_line_of_a_hundred_thousand_words_is_one_line(command: Command, trained: Path) -> None:
    done = command("translate", trained, "--beam", 1, stdin=b"ka mi lo tu se. " * 20_000 + b"\nmi\n")
    assert (done.code, done.out.count("\n")) == (0, 2)
    assert len(done.out.split("\n")[0].split()) > 1000
    assert "1 line of more than 250 subwords was split\n" in done.err


@pytest.fixture
def process(trained: Path) -> Iterator[subprocess.Popen[bytes]]:
    arguments = [sys.executable, "-m", "seq2attn", "translate", trained, "--beam", "1", "--threads", "1"]
    pipe = subprocess.PIPE
    with subprocess.Popen(arguments, stdin=pipe, stdout=pipe, stderr=pipe) as started:
        yield started
        started.kill()


def test_a_line_is_answered_before_the_next_one_is_written(process: subprocess.Popen[bytes], trained: Path) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    for line, expected in zip(
        ("ka mi", "", "lo tu se"), load(trained).translate(["ka mi", "", "lo tu se"], beam=1), strict=True
    ):
        process.stdin.write(f"{line}\n".encode())
        process.stdin.flush()
        assert process.stdout.readline().decode() == f"{expected}\n"
    process.stdin.close()
    assert process.wait(timeout=60) == 0


def test_a_reader_that_leaves_is_no_error(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdin.write(b"ka\n")
    process.stdin.flush()
    process.stdout.readline()
    process.stdout.close()
    process.stdin.write(b"ka mi\n" * 1000)
    process.stdin.close()
    assert process.wait(timeout=60) == 0
    assert process.stderr.read() == b""


def test_a_full_disk_is_one_line(trained: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    with Path("/dev/full").open("wb") as full:
        arguments = [sys.executable, "-m", "seq2attn", "translate", trained, "--beam", "1"]
        done = subprocess.run(arguments, input=b"ka\n", stdout=full, stderr=subprocess.PIPE, check=False, timeout=120)
    assert done.returncode == 2
    assert done.stderr.decode().startswith("seq2attn: error: standard output: cannot be written: No space left")
    assert done.stderr.count(b"\n") == 2


def test_an_error_halfway_leaves_the_old_output(command: Command, trained: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.write_text("precious\n")
    assert command("translate", trained, "-o", out, stdin=b"ka\nm\xffi\n").code == 2
    assert out.read_text() == "precious\n"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_output_that_cannot_be_is_refused_before_any_work(command: Command, tmp_path: Path) -> None:
    for out, says in ((tmp_path / "no" / "where", "there is no folder"), (tmp_path, "is a folder")):
        done = command("translate", "no-model-is-loaded", "-o", out, stdin=b"ka\n")
        assert done.code == 2
        assert f"{out}: {says}" in done.err


def test_a_pipe_with_a_name_is_written_directly(command: Command, trained: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE) as reader:
        assert command("translate", trained, "-o", pipe, stdin=b"ka mi\n\n").code == 0
        printed, _ = reader.communicate(timeout=60)
    assert printed.count(b"\n") == 2
    assert pipe.is_fifo()


def test_a_pipe_without_a_name_is_written_directly(trained: Path, tmp_path: Path) -> None:
    arguments = [sys.executable, "-m", "seq2attn", "translate", str(trained), "-o", "/dev/stdout", "--beam", "1"]
    done = subprocess.run(arguments, input=b"ka\n\n", capture_output=True, check=True, timeout=120)
    assert done.stdout.count(b"\n") == 2


def test_two_writers_of_one_file_do_not_mix(tmp_path: Path) -> None:
    with open_output(tmp_path / "out") as one, open_output(tmp_path / "out") as other:
        one.write("one\n" * 5)
        other.write("other\n")
    assert (tmp_path / "out").read_text() == "one\n" * 5
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("closed", [">&-", "2>&-"])
def test_a_closed_stream_is_no_error_unless_it_is_needed(trained: Path, tmp_path: Path, closed: str) -> None:
    command = f"echo ka | {sys.executable} -m seq2attn translate {trained} -o {tmp_path}/out {closed}"
    assert subprocess.run(command, shell=True, capture_output=True, timeout=120).returncode == 0
    assert (tmp_path / "out").read_text().count("\n") == 1


def test_an_error_is_an_exit_code_if_stderr_is_closed() -> None:
    command = f"{sys.executable} -m seq2attn translate nowhere 2>&-"
    done = subprocess.run(command, shell=True, capture_output=True, timeout=120)
    assert (done.returncode, done.stdout) == (2, b"")


def test_a_file_shows_how_far_it_is(
    command: Command, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seq2attn.runs.progress.LINE_EVERY", 0.0)
    (tmp_path / "in").write_text("ka mi\nlo\ntu se po\n")
    arguments = ["translate", trained, tmp_path / "in", "-o", tmp_path / "out", "--batch-tokens", 1, "--beam", 1]
    err = command(*arguments).err
    assert f"{tmp_path}/in: 1 of 3 lines, about 0 s left" in err
    assert f"{tmp_path}/in: 3 of 3 lines" in err
    assert (tmp_path / "out").read_text().count("\n") == 3


@pytest.mark.parametrize(("redirected", "shown"), [("< in", "2 of 2 lines"), ("< <(cat in)", "2 lines")])
def test_standard_input_shows_how_far_it_is(trained: Path, tmp_path: Path, redirected: str, shown: str) -> None:
    (tmp_path / "in").write_text("ka mi\n\n")
    program = "import seq2attn.runs.progress as p; p.LINE_EVERY = 0; from seq2attn.cli.main import main; main()"
    command = f"{sys.executable} -c '{program}' translate {trained} -o out {redirected}"
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "")
    assert f"standard input: {shown}" in done.stderr


def test_the_precision_is_the_models_unless_given(command: Command, trained: Path) -> None:
    def n_best(*options: str) -> str:
        done = command("translate", trained, "--n-best", "3", "--beam", "3", *options, stdin=TEXT.encode())
        assert done.code == 0
        return str(done.out)

    exact, rounded = n_best("--precision", "fp32"), n_best("--precision", "bf16")
    assert exact != rounded  # in the scores at least
    assert n_best() in (exact, rounded)
    done = command("translate", trained, "--precision", "fp8", stdin=TEXT.encode())
    assert (done.code, done.out) == (2, "")
    assert "--precision fp8: no such precision" in done.err
    assert "use auto, fp32 or bf16" in done.err


def test_the_number_of_threads_changes_no_byte(command: Command, trained: Path, tmp_path: Path) -> None:
    (tmp_path / "in").write_text("".join(f"{line}\n" for line in sentences(60, 5)))

    def translate(threads: int) -> str:
        done = command("translate", trained, tmp_path / "in", "--batch-tokens", "60", "--threads", threads)
        assert (done.code, done.err) == (0, "")
        return str(done.out)

    one = translate(1)
    assert len(one.splitlines()) == 60
    assert translate(2) == translate(3) == one
