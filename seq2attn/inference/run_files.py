"""The names of what lies in a run directory, and what a path is that should name one."""

import difflib
from pathlib import Path

from seq2attn.errors import UsageError
from seq2attn.inference.files import CONFIG

MANIFEST, TOKENIZER, CHECKPOINTS = "manifest.json", "tokenizer", "checkpoints"
METRICS, MODEL, MAPS = "metrics.jsonl", "model", "attention_maps"


def is_run(path: Path) -> bool:
    """Whether a run began in the folder `path`."""
    return (path / CONFIG).is_file() and (path / MANIFEST).is_file()


def check_there(path: Path) -> None:
    """Raises UsageError if there is nothing at `path`, where a run or a model should be."""
    if path.exists():
        return
    folders = sorted(other.name for other in path.parent.iterdir() if other.is_dir()) if path.parent.is_dir() else []
    close = difflib.get_close_matches(path.name, folders, n=1)
    hint = (
        f"did you mean {path.parent / close[0]}?" if close else "a run directory is what `seq2attn train --out` wrote"
    )
    raise UsageError(f"{path}: no such folder", hint)


def check_no_checkpoint(path: Path) -> None:
    """Raises UsageError if `path` is the folder of one checkpoint, where a run should be named."""
    run, update = path.parent.parent, path.name.removeprefix("update-")
    if path.parent.name == CHECKPOINTS and update.isdecimal() and is_run(run):
        raise UsageError(f"{path}: a checkpoint of the run {run}", f"write: {run} --checkpoint {int(update)}")
