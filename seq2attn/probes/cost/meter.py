"""The time of a piece of work, and the memory that it needs."""

import os
import statistics
import time
from collections.abc import Callable, Sequence

import torch
from torch.autograd.profiler import profile

Work = Callable[[], None]
RUNS = 5  # that count, at least
_MOST = 50


def median_seconds(works: Sequence[Work], where: torch.device, *, at_least: float = 0.0) -> list[float]:
    """The median time of each; they take turns, so a machine's ups and downs meet all alike.

    The first turn does not count. At least RUNS turns, and more until `at_least` seconds are used.
    """
    times: list[list[float]] = [[] for _ in works]
    started = time.perf_counter()
    for turn in range(1 + _MOST):
        if turn > RUNS and time.perf_counter() - started > at_least:
            break
        for work, record in zip(works, times, strict=True):
            record.append(_seconds(work, where))
    return [statistics.median(record[1:]) for record in times]


def _seconds(work: Work, where: torch.device) -> float:
    _finish(where)
    started = time.perf_counter()
    work()
    _finish(where)
    return time.perf_counter() - started


def _finish(where: torch.device) -> None:
    if where.type == "cuda":
        torch.cuda.synchronize(where)


def peak_memory(work: Work, where: torch.device) -> int:
    """The most bytes of tensors that exist at once during `work`, without those that existed before it."""
    if where.type == "cuda":
        torch.cuda.reset_peak_memory_stats(where)
        before = torch.cuda.memory_allocated(where)
        work()
        return torch.cuda.max_memory_allocated(where) - before
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # or the profiler reports its own start and end on standard error
    with profile(profile_memory=True, use_kineto=True) as profiled:
        work()
    results = profiled.kineto_results
    assert results is not None
    held = peak = 0
    for event in sorted(results.events(), key=lambda event: event.start_ns()):
        if event.name() == "[memory]":
            held += event.nbytes()
            peak = max(peak, held)
    return peak
