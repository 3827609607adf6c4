"""Whether a test set lies in what a run was trained on."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from seq2attn.build.corpora import load_training_hashes
from seq2attn.data.overlap import count_shared, hash_pair, to_array
from seq2attn.errors import UsageError
from seq2attn.inference.run_files import is_run
from seq2attn.runs.directory import Run
from seq2attn.runs.origin import Origin


def count_known_pairs(run: Run, pairs: Iterable[tuple[str, str]]) -> int | None:
    """How many of the pairs (source, target) a run was trained on, or what it began with.

    None if none is known and some training text is no longer in its place, and not in the cache either.
    """
    texts = list(_list_hashes(run))
    known = [text for text in texts if text is not None]
    hashes = to_array(b"".join(hash_pair(*pair) for pair in pairs))
    count = count_shared(hashes, np.concatenate([to_array(b""), *known]))
    return count if count or len(known) == len(texts) else None


def _list_hashes(run: Run) -> Iterator[np.ndarray | None]:
    """The hashes of the training pairs of `run` and of all the runs before it; None for each that is not there."""
    known: list[Path] = []
    here: Run | None = run
    while here is not None and here.path.resolve() not in known:
        known.append(here.path.resolve())
        yield load_training_hashes(here.config, here.manifest.data.train.fingerprint)
        if here.manifest.forked_from is None:
            return
        here = _find_origin(here, Path(here.manifest.forked_from.run))
    yield None


def _find_origin(run: Run, path: Path) -> Run | None:
    """The run whose weights at `path` (its own folder, model/ or one of its checkpoints) `run` began with, if it is there."""
    try:
        if Origin.open(path).is_that_of(run):
            folders = (path, *path.resolve().parents[:2])
            return next((Run.open(folder) for folder in folders if is_run(folder)), None)
    except UsageError:
        pass
    return None


def describe_known_pairs(known: int | None, pairs: int) -> str:
    """What is to be said of a test set of so many `pairs`, of which `known` are training pairs; empty if nothing is."""
    if known is None:
        return "not all of the training text is there any more: whether the test set lies in it cannot be told"
    if not known:
        return ""
    are = "test pair is" if pairs == 1 else f"test pairs {'is' if known == 1 else 'are'}"
    return f"warning: {known:,} of {pairs:,} {are} in the training text, which makes the scores too high"


def check_test_pairs(path: Path, pairs: list[tuple[str, str]]) -> str:
    """What is to be said of a test set and the training text of the run or model at `path`; empty if nothing is."""
    folder = next((folder for folder in (path, path.resolve().parent) if is_run(folder)), None)
    if folder is None:
        return "a model folder does not tell whether the test set lies in its training text; its run directory does"
    return describe_known_pairs(count_known_pairs(Run.open(folder), pairs), len(pairs))
