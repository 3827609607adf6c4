"""The files of one checkpoint of a run, whether the run is finished or not, in place of a model folder."""

import shlex
from pathlib import Path

from seq2attn.config.load import load_complete_config
from seq2attn.errors import UsageError
from seq2attn.inference.files import CONFIG, ModelFiles
from seq2attn.inference.limits import LIMITS
from seq2attn.inference.run_files import CHECKPOINTS, TOKENIZER, check_no_checkpoint, check_there, is_run
from seq2attn.training.checkpoint import MODEL, Checkpoints
from seq2attn.training.ranking import sort_best_first


def find_checkpoint(run: Path, name: str | int) -> ModelFiles:
    """The files of a checkpoint of the run directory `run`.

    `name` is "last" for the newest whole one, "best" for the best validated one by training.select, or the number of an
    update. Raises UsageError if `run` is no run directory, or has no such checkpoint that is whole.
    """
    check_there(run)
    check_no_checkpoint(run)
    if not is_run(run):
        hint = "name the run directory that `seq2attn train --out` wrote, or leave --checkpoint out"
        raise UsageError(f"{run}: not a run directory, so it has no checkpoints", hint)
    update = choose_update(run, name)
    checkpoints = Checkpoints(run / CHECKPOINTS)
    if flaw := checkpoints.find_flaw(update):
        raise UsageError(flaw, "choose another --checkpoint")
    folder = checkpoints.path(update)
    return ModelFiles(folder, run / CONFIG, run / TOKENIZER, folder / MODEL, run / LIMITS)


def choose_update(run: Path, name: str | int) -> int:
    """The update of the checkpoint called `name`: "last", "best" or a number. Errors as in `find_checkpoint`."""
    checkpoints = Checkpoints(run / CHECKPOINTS)
    kept = checkpoints.updates()
    newest, _ = checkpoints.newest()
    if newest is None:
        raise UsageError(
            f"{run}: has no checkpoint yet", "wait for its first validation, or set training.validate_every lower"
        )
    if name == "last":
        return newest
    if name == "best":
        history = checkpoints.read_validations()
        if not history:
            raise UsageError(f"{run}: no checkpoint was validated yet", "choose --checkpoint last")
        return sort_best_first(load_complete_config(run / CONFIG).training.ranking_metric, history)[0]
    if not str(name).isdecimal() or int(name) not in kept:
        numbers = ", ".join(map(str, kept))
        raise UsageError(
            f"--checkpoint {shlex.quote(str(name))}: {run} keeps no such checkpoint",
            f"choose last, best, or one of {numbers}",
        )
    return int(name)
