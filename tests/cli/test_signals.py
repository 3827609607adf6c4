"""SIGTERM and Ctrl-C outside the training loop, to a process of its own."""

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
from seq2attn.cli.main import main
from seq2attn.runs import session

def slow(*arguments, **options):
    print("exporting", flush=True)
    time.sleep(60)

session.export = slow
main()
"""

ENDING = """
import atexit, sys, time
from seq2attn.cli.main import main

def slow():
    print("ending", flush=True)
    time.sleep(60)

atexit.register(slow)
main()
"""


def started(*words: str, cache: Path) -> "subprocess.Popen[str]":
    environment = {**os.environ, "SEQ2ATTN_CACHE": str(cache)}
    return subprocess.Popen(
        [sys.executable, *words],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
    )


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
    assert errors == f"seq2attn: stopped by {'SIGTERM' if number == signal.SIGTERM else 'Ctrl-C'}\n"
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
