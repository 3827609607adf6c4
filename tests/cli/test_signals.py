"""Ctrl-C, SIGTERM and a closed terminal outside the training loop, to a process of its own."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.tiny import config_file, sentences, translation, write_corpus
from tests.waiting import wait_until

EXPORTING = """
import sys, time
from seq2attn import durable
from seq2attn.__main__ import main
from seq2attn.runs import session

def slow(*arguments, **options):
    print("exporting", flush=True)
    time.sleep(60)

session.export = slow
main()
"""

ENDING = """
import atexit, sys, time
from seq2attn.__main__ import main

def slow():
    print("ending", flush=True)
    time.sleep(60)

atexit.register(slow)
main()
"""


SWALLOWING = """
import signal, sys
from weakref import ref
from seq2attn.ending import end_on_signals

class Thing: pass

end_on_signals()
thing = Thing()
watch = ref(thing, lambda _: signal.raise_signal(int(sys.argv[1])))  # an exception in here is ignored, as in imports
del thing
print("goes on")
"""
STOPPED_BY = {signal.SIGTERM: "SIGTERM", signal.SIGINT: "Ctrl-C", signal.SIGHUP: "SIGHUP"}


def started(*words: str, cache: Path, stdin: int | None = None) -> "subprocess.Popen[str]":
    environment = {**os.environ, "SEQ2ATTN_CACHE": str(cache)}
    return subprocess.Popen(
        [sys.executable, *words],
        env=environment,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_signals,
    )


def heed_signals() -> None:
    for number in STOPPED_BY:
        signal.signal(number, signal.SIG_DFL)  # a shell's background jobs ignore Ctrl-C


@pytest.mark.parametrize("number", STOPPED_BY)
def test_a_signal_whose_exception_would_be_ignored_ends_the_process(tmp_path: Path, number: signal.Signals) -> None:
    with started("-c", SWALLOWING, str(int(number)), cache=tmp_path) as process:
        printed, errors = process.communicate(timeout=60)
    assert (process.returncode, printed, errors) == (128 + number, "", f"seq2attn: stopped by {STOPPED_BY[number]}\n")


@pytest.mark.parametrize(
    ("number", "seconds"), [(signal.SIGINT, 0.3), (signal.SIGTERM, 0.6), (signal.SIGHUP, 0.9), (signal.SIGINT, 1.2)]
)
def test_a_signal_while_a_command_imports_ends_it(
    trained: Path, tmp_path: Path, number: signal.Signals, seconds: float
) -> None:
    with started("-m", "seq2attn", "translate", str(trained), "/dev/zero", cache=tmp_path) as process:
        time.sleep(seconds)
        process.send_signal(number)
        printed, errors = process.communicate(timeout=60)
    assert (process.returncode, printed, errors) == (128 + number, "", f"seq2attn: stopped by {STOPPED_BY[number]}\n")


@pytest.mark.parametrize("number", STOPPED_BY)
def test_a_signal_while_a_file_is_written_leaves_the_old_one_and_nothing_else(
    trained: Path, tmp_path: Path, number: signal.Signals
) -> None:
    (tmp_path / "out").write_text("precious\n")
    arguments = ["-m", "seq2attn", "translate", str(trained), "-", "-o", str(tmp_path / "out")]
    with started(*arguments, cache=tmp_path / "cache", stdin=subprocess.PIPE) as process:
        wait_until(lambda: process.poll() is not None or any(tmp_path.glob(".out.*")))
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (128 + number, f"seq2attn: stopped by {STOPPED_BY[number]}\n")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["precious\n"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_a_vocabulary_is_learned_ends_cleanly_and_leaves_nothing(
    tmp_path: Path, number: signal.Signals
) -> None:
    corpus, cache = write_corpus(tmp_path / "corpus"), tmp_path / "cache"
    with (corpus / "train.en").open("w") as source, (corpus / "train.de").open("w") as target:
        for index, line in enumerate(sentences(60_000, 1)):  # SentencePiece takes seconds for these
            source.write(f"{line} {index:x}\n")
            target.write(f"{translation(line)} {index * 7:x}\n")
    command = ["-m", "seq2attn", "train", str(config_file(corpus)), "--out", str(tmp_path / "run")]
    with started(*command, "--set", "data.vocab_size=9000", cache=cache) as process:
        wait_until(lambda: process.poll() is not None or any((cache / "tokenizers").glob("*.*")))
        time.sleep(0.2)
        process.send_signal(number)
        printed, errors = process.communicate(timeout=300)
    assert (process.returncode, printed) == (128 + number, ""), errors
    assert errors == f"seq2attn: stopped by {STOPPED_BY[number]}\n"
    assert list((cache / "tokenizers").iterdir()) == []
    assert not (tmp_path / "run").exists()


def test_sigterm_during_the_export_ends_cleanly_and_the_same_command_exports(corpus: Path, tmp_path: Path) -> None:
    arguments = ["train", str(config_file(corpus)), "--out", str(tmp_path / "run"), "--device", "cpu"]
    with started("-c", EXPORTING, *arguments, cache=tmp_path / "cache") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "exporting\n"
        process.terminate()
        _, errors = process.communicate(timeout=300)
    assert process.returncode == 143
    assert errors.endswith("seq2attn: stopped by SIGTERM\n")
    assert not (tmp_path / "run/model").exists()
    with started("-m", "seq2attn", *arguments, cache=tmp_path / "cache") as process:
        printed, errors = process.communicate(timeout=300)
    assert (process.returncode, printed) == (0, f"{tmp_path}/run/model\n"), errors


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_python_ends_is_no_traceback(tmp_path: Path, number: signal.Signals) -> None:
    with started("-c", ENDING, "--help", cache=tmp_path) as process:
        assert process.stdout is not None
        while process.stdout.readline() != "ending\n":
            pass
        process.send_signal(number)
        _, errors = process.communicate(timeout=300)
    assert (process.returncode, errors) == (-number, "")
