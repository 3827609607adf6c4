"""The time of a piece of work, and the memory that it needs."""

import os
import statistics
import time
from collections.abc import Callable, Sequence

import torch
from torch.autograd.profiler import profile

Work = Callable[[], None]
RUNS = 5  # turns that count, at least
_MOST = 50  # turns that count, at most


def measure_seconds(works: Sequence[Work], device: torch.device, *, at_least: float = 0.0) -> list[float]:
    """The median seconds of each work. They take turns, so that a machine's ups and downs meet all alike.

    The first turn warms up and does not count. RUNS turns follow, and more until `at_least` seconds have passed.
    """
    times: list[list[float]] = [[] for _ in works]
    started = time.perf_counter()
    for turn in range(1 + _MOST):
        if turn > RUNS and time.perf_counter() - started > at_least:
            break
        for work, record in zip(works, times, strict=True):
            record.append(_time(work, device))
    return [statistics.median(record[1:]) for record in times]


def _time(work: Work, device: torch.device) -> float:
    _finish(device)
    started = time.perf_counter()
    work()
    _finish(device)
    return time.perf_counter() - started


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def measure_peak_memory(work: Work, device: torch.device) -> int:
    """The most bytes that tensors take at once during `work`, without those that existed before it."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        work()
        return torch.cuda.max_memory_allocated(device) - before
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
