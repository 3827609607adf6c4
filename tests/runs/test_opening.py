"""A run is opened once: how often its parts are made, for each way to begin."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from seq2attn.data.sources import TextFiles
from seq2attn.errors import UsageError
from seq2attn.runs import opening, session
from seq2attn.runs.opening import OpenedRun, open_run
from seq2attn.runs.train import plan_training, train
from tests.tiny import TRAINED, tiny

EACH_ONCE = {"resolve": 1, "train hashed": 1, "validation hashed": 1, "corpora": 1, "network": 1}


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each costly part of opening a run was done."""
    counter: Counter[str] = Counter()

    def count(holder: Any, name: str, label: Callable[..., str]) -> None:
        real = getattr(holder, name)

        def counted(*arguments: Any, **options: Any) -> Any:
            counter[label(*arguments)] += 1
            return real(*arguments, **options)

        monkeypatch.setattr(holder, name, counted)

    count(opening, "_resolve", lambda *_: "resolve")
    count(opening, "_list_differences", lambda *_: "compare")
    count(TextFiles, "fingerprint", lambda source: f"{Path(source.prefix).name} hashed")
    count(session, "load_corpora", lambda *_: "corpora")
    count(session, "build_network", lambda *_: "network")
    count(OpenedRun, "check_unchanged", lambda *_: "check under the lock")
    return counter


def test_a_new_run_is_opened_once(corpus: Path, tmp_path: Path, counts: Counter[str]) -> None:
    train(tiny(corpus, "training.max_updates=1"), tmp_path / "run", device="cpu")
    assert counts == EACH_ONCE | {"check under the lock": 1}


def test_a_resumed_run_is_opened_once(corpus: Path, tmp_path: Path, counts: Counter[str]) -> None:
    train(tiny(corpus, "training.max_updates=1"), tmp_path / "run", device="cpu")
    counts.clear()
    train(tiny(corpus, "training.max_updates=2"), tmp_path / "run", device="cpu")
    assert counts == EACH_ONCE | {"compare": 1, "check under the lock": 1}


def test_a_run_from_other_weights_is_opened_once(
    trained: Path, corpus: Path, tmp_path: Path, counts: Counter[str]
) -> None:
    config = tiny(corpus, *TRAINED, "training.max_updates=1")
    train(config, tmp_path / "run", start_from=trained, device="cpu")
    assert counts == EACH_ONCE | {"check under the lock": 1}


def test_a_dry_run_is_opened_once(corpus: Path, tmp_path: Path, counts: Counter[str]) -> None:
    plan_training(tiny(corpus), tmp_path / "run", device="cpu")
    assert counts == EACH_ONCE


def test_a_folder_that_changed_meanwhile_is_refused(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, made = tmp_path / "run", session.load_corpora

    def load_while_another_trains(*arguments: Any) -> Any:
        monkeypatch.setattr(session, "load_corpora", made)
        train(tiny(corpus, "training.max_updates=1"), out, device="cpu")
        return made(*arguments)

    monkeypatch.setattr(session, "load_corpora", load_while_another_trains)
    with pytest.raises(UsageError, match="another process has trained here since this command began"):
        train(tiny(corpus, "training.max_updates=1"), out, device="cpu")


@pytest.mark.parametrize(("updates", "able", "right"), [(4999, True, False), (5000, True, True), (5000, False, False)])
def test_compiling_is_decided_once_by_the_length_of_the_run_and_the_machine(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, updates: int, able: bool, right: bool
) -> None:
    monkeypatch.setattr("seq2attn.runs.opening.can_compile", lambda device: able)
    device = torch.device("cpu")
    opened = open_run(tiny(corpus, f"training.max_updates={updates}"), tmp_path / "run", device)
    assert opened.config.training.compile is right
    asked = tiny(corpus, f"training.max_updates={updates}", "training.compile=true")
    assert open_run(asked, tmp_path / "run", device).config.training.compile is True
