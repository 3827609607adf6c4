"""Several trainings at a time, each in a process of its own with its share of the CPU threads.

Small models use few threads well: two of them side by side on two cores are done sooner than one after the other.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from contextlib import contextmanager
from pathlib import Path
from threading import RLock, Thread

from pydantic import ValidationError

from seq2attn.config.config import Config, to_yaml
from seq2attn.ending import EXIT_CODES, before_end, name_signal
from seq2attn.errors import Seq2attnError
from seq2attn.runs.progress import say
from seq2attn.runs.worker import Result, Task


class TrainingFailedError(Seq2attnError):
    """A training process ended with an error, which is told here with its exit code."""

    def __init__(self, message: str, hint: str, exit_code: int) -> None:
        super().__init__(message, hint)
        self.exit_code = exit_code


@contextmanager
def start_trainings(
    configs: Mapping[Path, Config], *, jobs: int, device: str, threads: int
) -> Iterator[Callable[[Path], None]]:
    """Start training the configs, each into its folder, in their order: `jobs` at a time with `threads` threads each.

    Gives a function that returns when the run in a folder is trained and raises TrainingFailedError if it cannot be. On
    leaving, and when a signal ends this process, what still trains is asked to save a checkpoint and to end.
    """
    team = _Team(device, threads)
    with ThreadPoolExecutor(jobs) as pool:
        futures = {path: pool.submit(team.train, path, config) for path, config in configs.items()}

        def disband() -> None:
            team.disband()
            wait_for(
                futures.values(), timeout=2
            )  # for what they have to say, unless the signal came while this one says

        with before_end(disband, "run the same command again to go on"):
            try:
                yield lambda path: futures[path].result()
            finally:
                pool.shutdown(wait=False, cancel_futures=True)
                team.dismiss()


class _Team:
    """The processes that train, so that all of them can be stopped."""

    def __init__(self, device: str, threads: int) -> None:
        self._device = device
        self._threads = threads
        self._lock = RLock()  # a signal may come while the main thread holds it
        self._working: set[subprocess.Popen[str]] = set()
        self._dismissed = False

    def train(self, path: Path, config: Config) -> None:
        """Train in a worker to its end, passing on what it says. Raises TrainingFailedError."""
        with self._lock:
            if self._dismissed:
                return
            # A session of its own: Ctrl-C reaches this process alone, which then asks each worker once to end.
            # If this process is killed, their input ends, and they do too.
            process = subprocess.Popen(
                [sys.executable, "-m", "seq2attn.runs.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
            self._working.add(process)
        task = Task(config=to_yaml(config), out=path, device=self._device, threads=self._threads)
        result = _talk(process, task)
        with self._lock:
            self._working.remove(process)
        if result.exit_code and self._dismissed:
            say(result.message)  # nobody asks for the result any more
        elif result.exit_code:
            raise TrainingFailedError(result.message, result.hint, result.exit_code)

    def dismiss(self) -> None:
        """Ask all to end, once."""
        with self._lock:
            self._dismissed = True
            for process in self._working:
                process.terminate()

    def disband(self) -> None:
        """Ask all to end, and wait until they have."""
        self.dismiss()
        for process in tuple(self._working):
            process.wait()


def _talk(process: "subprocess.Popen[str]", task: Task) -> Result:
    """Give a worker its task, pass on what it says, and read its result."""
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    listener = Thread(target=_pass_on, args=(process.stderr,))
    listener.start()
    with process:
        try:
            process.stdin.write(task.model_dump_json() + "\n")
            process.stdin.flush()
        except BrokenPipeError:
            pass  # it died already; its exit code says how
        answer = process.stdout.read()
        listener.join()
    try:
        return Result.model_validate_json(answer)
    except ValidationError:
        return _explain_death(task.out, process.returncode)


def _pass_on(lines: Iterator[str]) -> None:
    for line in lines:
        say(line.rstrip("\n"))


def _explain_death(out: Path, code: int) -> Result:
    """The result of a worker that could not write one."""
    if code < 0 or code in EXIT_CODES:
        number = -code if code < 0 else code - 128
        message = f"{out}: its training process was ended by {name_signal(number)}"
        return Result(exit_code=128 + number, message=message, hint="run the same command again to go on")
    return Result(
        exit_code=max(1, code), message=f"{out}: its training process ended early", hint="see the lines above"
    )
