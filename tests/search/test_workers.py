"""Work shared out among processes comes back in order, the same for any number of them, and none outlives its parent."""

import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from seq2attn.errors import NotFiniteError, Seq2attnError
from seq2attn.search.workers import Workers
from tests.waiting import wait_until


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def start() -> Iterator[Callable[..., Workers]]:
    """Makes workers, and ends them after the test."""
    made: list[Workers] = []

    def make(work: Callable[[int], object], number: int) -> Workers:
        torch.set_num_threads(number)
        made.append(Workers(work))
        return made[-1]

    yield make
    for workers in made:
        workers.end()


@pytest.mark.parametrize("number", [1, 2, 3])
def test_results_come_in_order_from_workers_of_one_thread_each(start: Callable[..., Workers], number: int) -> None:
    def work(item: int) -> tuple[int, int, float, int]:
        time.sleep(0.01 * (item % 2))
        return item, torch.get_num_threads(), float(torch.tensor([1e-40]) * 1), os.getpid()

    workers = start(work, number)
    for _ in range(2):  # the second time with the same ones
        found = list(workers.map(range(8)))
        assert [(item, count) for item, count, _, _ in found] == [(item, 1) for item in range(8)]
        assert len({process for _, _, _, process in found}) <= number
        assert (os.getpid() in {process for _, _, _, process in found}) == (number == 1)
        assert torch.get_num_threads() == number


def test_one_item_takes_no_process(start: Callable[..., Workers]) -> None:
    workers = start(lambda item: os.getpid(), 2)
    assert list(workers.map([1])) == [os.getpid()]
    assert list(workers.map([])) == []
    assert torch.get_num_threads() == 2


def test_workers_run_side_by_side(start: Callable[..., Workers], tmp_path: Path) -> None:
    def work(item: int) -> bool:
        (tmp_path / str(item)).touch()
        wait_until((tmp_path / str(1 - item)).exists)  # one alone would wait in vain
        return True

    assert list(start(work, 2).map(range(2))) == [True, True]


def test_an_error_comes_whole_and_ends_the_others(start: Callable[..., Workers], tmp_path: Path) -> None:
    def work(item: int) -> None:
        if item == 1:
            raise NotFiniteError("broken", "mend it")
        time.sleep(0.05)
        (tmp_path / str(item)).touch()

    workers = start(work, 2)
    with pytest.raises(NotFiniteError, match="broken") as caught:
        list(workers.map(range(100)))
    assert caught.value.hint == "mend it"
    assert len(list(tmp_path.iterdir())) < 50


def test_a_killed_worker_is_said(start: Callable[..., Workers]) -> None:
    workers = start(lambda item: os.kill(os.getpid(), signal.SIGKILL) if item == 3 else item, 2)
    with pytest.raises(Seq2attnError, match="killed") as caught:
        list(workers.map(range(8)))
    assert "smaller batches" in caught.value.hint
    assert list(workers.map(range(3))) == [0, 1, 2]  # by new ones


def test_workers_leave_signals_to_their_parent(start: Callable[..., Workers]) -> None:
    def work(item: int) -> int:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(os.getpid(), number)
        return item

    assert list(start(work, 2).map(range(4))) == [0, 1, 2, 3]


def test_workers_end_with_who_needed_them(start: Callable[..., Workers]) -> None:
    class Owner:
        def __init__(self) -> None:
            self.workers: Workers[int, int] = Workers(self.work)

        def work(self, item: int) -> int:
            time.sleep(0.05)
            return os.getpid()

    torch.set_num_threads(2)
    owner = Owner()
    processes = set(owner.workers.map(range(4)))
    assert len(processes) == 2
    del owner
    gc.collect()
    wait_until(lambda: not any(is_alive(process) for process in processes))


PARENT = """
import os, time, torch
from seq2attn.search.workers import Workers
torch.set_num_threads(2)
workers = Workers(lambda item: (time.sleep(0.2), os.getpid())[1])
print(*set(workers.map(range(4))), flush=True)
{end}
"""


@pytest.mark.parametrize("end", ["os.kill(os.getpid(), 9)", "os._exit(3)", "raise SystemExit(0)", "workers.end()", ""])
def test_no_worker_outlives_its_parent(end: str) -> None:
    done = subprocess.run([sys.executable, "-c", PARENT.format(end=end)], capture_output=True, text=True, timeout=120)
    processes = [int(word) for word in done.stdout.split()]
    assert len(processes) == 2, done.stderr
    assert not done.stderr
    wait_until(lambda: not any(is_alive(process) for process in processes))


def is_alive(process: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{process}/stat").read_text()
    except FileNotFoundError:
        return False
