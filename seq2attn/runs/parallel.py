"""Several trainings at a time, each in a process of its own with its share of the CPU threads.

Small models use few threads well: two of them side by side on two cores are done sooner than one after the other.
"""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from seq2attn.errors import Seq2attnError
from seq2attn.config.config import Config, to_yaml
from seq2attn.runs.progress import say

_ERROR, _HINT = "seq2attn: error: ", "hint: "


class TrainingFailedError(Seq2attnError):
    """A training process ended with an error, which is told here with its exit code."""

    def __init__(self, message: str, hint: str, exit_code: int) -> None:
        super().__init__(message, hint)
        self.exit_code = exit_code


@contextmanager
def trainings(configs: Mapping[Path, Config], *, jobs: int, device: str, threads: int) -> Iterator[Callable[[Path], None]]:
    """Starts training the configs, each into its folder, in their order, `jobs` at a time with `threads` threads each.

    Gives a function that returns when the run in a folder is trained and raises TrainingFailedError if it cannot be. On leaving, what
    still trains is asked to save a checkpoint and to end.
    """
    team = _Team(device, threads)
    with ThreadPoolExecutor(jobs) as pool:
        futures = {path: pool.submit(team.train, path, config) for path, config in configs.items()}
        try:
            yield lambda path: futures[path].result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            team.dismiss()


class _Team:
    """The processes that train, so that all of them can be stopped."""

    def __init__(self, device: str, threads: int) -> None:
        self._options = ["--device", device, "--threads", str(threads), "--until-input-ends"]
        self._lock = Lock()
        self._working: set[subprocess.Popen[str]] = set()
        self._dismissed = False

    def train(self, path: Path, config: Config) -> None:
        """Run `seq2attn train` to its end; what it says on stderr is passed on, but for its error, which is raised."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "config.yaml"
            file.write_text(to_yaml(config), encoding="utf-8")
            command = [sys.executable, "-m", "seq2attn", "train", str(file), "--out", str(path), *self._options]
            with self._lock:
                if self._dismissed:
                    return
                # A session of its own: Ctrl-C reaches this process alone, which then asks each of them once to end.
                # If this process is killed, their input ends, and they do too.
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    text=True,
                    start_new_session=True,
                )
                self._working.add(process)
            message, hint = f"{path}: training ended without a word", "see the lines above"
            with process:
                for line in process.stderr or ():
                    text = line.rstrip("\n")
                    if text.startswith(_ERROR):
                        message = text.removeprefix(_ERROR)
                    elif text.startswith(_HINT):
                        hint = text.removeprefix(_HINT)
                    else:
                        say(text)
            with self._lock:
                self._working.remove(process)
        if process.returncode and self._dismissed:
            say(message)  # nobody asks for the result any more
        elif process.returncode:
            raise TrainingFailedError(message, hint, max(1, process.returncode))

    def dismiss(self) -> None:
        """Ask all to end, once."""
        with self._lock:
            self._dismissed = True
            for process in self._working:
                process.terminate()
