"""A process that trains one run for another process: `python -m seq2attn.runs.worker`.

Its task is one line of JSON on standard input, its result one line of JSON on standard output; what it says to people goes
to standard error as it comes. Standard input stays open as long as the other process lives: when it ends, so does training,
after a checkpoint.
"""

import os
import signal
import sys
from pathlib import Path
from threading import Thread

from pydantic import BaseModel, ConfigDict

from seq2attn.ending import end_on_signals
from seq2attn.errors import Seq2attnError, make_printable


class Task(BaseModel):
    """What to train: a config as `to_yaml` writes it, the run directory, the device's name, and the CPU threads."""

    model_config = ConfigDict(frozen=True)

    config: str
    out: Path
    device: str
    threads: int


class Result(BaseModel):
    """How it ended: 0 and nothing, or the error's exit code, message and hint."""

    model_config = ConfigDict(frozen=True)

    exit_code: int = 0
    message: str = ""
    hint: str = ""


def main() -> None:
    """Read the task, train, write the result."""
    end_on_signals()  # outside of the updates, which have a gentler way
    task = Task.model_validate_json(sys.stdin.buffer.readline())
    Thread(target=_end_with_input, daemon=True).start()
    result = _train(task)
    print(result.model_dump_json(), flush=True)
    os._exit(result.exit_code)  # the thread still waits for the input's end


def _train(task: Task) -> Result:
    from seq2attn.config.load import parse_config
    from seq2attn.runs.train import train

    try:
        train(parse_config(task.config), task.out, device=task.device, threads=task.threads)
    except Seq2attnError as error:
        return Result(exit_code=error.exit_code, message=error.message, hint=error.hint)
    except Exception as error:
        return Result(
            exit_code=1,
            message=make_printable(f"{type(error).__name__}: {error}"),
            hint="`--jobs 1 --debug` shows where",
        )
    return Result()


def _end_with_input() -> None:
    """Ask this process to end when standard input ends, which is when whoever holds its other end is gone."""
    while sys.stdin.buffer.read(1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
