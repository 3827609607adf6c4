"""What a comparison needs done to runs: checked, sized, trained, translated with. Tests hand in another runner."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch

from seq2attn.build.corpora import hash_sources, load_corpora
from seq2attn.build.model import build_network
from seq2attn.compare.systems import SystemRun
from seq2attn.machine import choose_device
from seq2attn.runs.directory import Run
from seq2attn.runs.hypotheses import translate_once
from seq2attn.runs.opening import check_run
from seq2attn.runs.parallel import start_trainings
from seq2attn.runs.train import train

Train = Callable[[SystemRun], None]


@runtime_checkable
class Runner(Protocol):
    """What a comparison asks for. Only runs that are not `finished` are checked and trained."""

    def check(self, run: SystemRun) -> None:
        """Raises UsageError if anything but that run lies in its folder."""

    def count_parameters(self, run: SystemRun) -> int:
        """The number of its model's weights, before it is trained."""

    def start_training(self, runs: Sequence[SystemRun]) -> AbstractContextManager[Train]:
        """A context in which the runs are trained, and a function that returns when one of them is."""

    def translate(
        self, run: SystemRun, lines: Sequence[str], *, fingerprint: str, file: Path
    ) -> tuple[list[str], list[str]]:
        """One translation for each line, and remarks on them, kept in `file`; `fingerprint` is that of the test set."""


@dataclass(frozen=True)
class LocalRunner:
    """Trains on this machine: `jobs` runs at a time, which share the CPU threads. `device` as in `choose_device`."""

    device: str
    jobs: int

    def check(self, run: SystemRun) -> None:
        check_run(run.config, run.path, choose_device(self.device))

    def count_parameters(self, run: SystemRun) -> int:
        """Takes no memory for the weights, but trains the subwords if they are not in the cache yet."""
        if run.finished:
            return Run.open(run.path).manifest.parameters
        tokenizer = load_corpora(run.config, hash_sources(run.config)).tokenizer
        with torch.device("meta"):
            return build_network(run.config, tokenizer).parameter_count

    @contextmanager
    def start_training(self, runs: Sequence[SystemRun]) -> Iterator[Train]:
        """With one job, a run is trained in this process when it is asked for; with more, all start in processes."""
        threads = torch.get_num_threads()
        if self.jobs == 1:
            yield lambda run: train(run.config, run.path, device=self.device, threads=threads)
            return
        share = max(1, threads // self.jobs)
        torch.set_num_threads(share)  # translating the test set takes its share too
        configs = {run.path: run.config for run in runs}
        with start_trainings(configs, jobs=self.jobs, device=self.device, threads=share) as wait:
            yield lambda run: wait(run.path)

    def translate(
        self, run: SystemRun, lines: Sequence[str], *, fingerprint: str, file: Path
    ) -> tuple[list[str], list[str]]:
        return translate_once(run.path, run.config, lines, fingerprint=fingerprint, file=file, device=self.device)
