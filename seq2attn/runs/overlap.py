"""Whether a test set lies in what a run was trained on."""

from collections.abc import Iterable
from pathlib import Path

from seq2attn.build.corpora import load_training_hashes
from seq2attn.data.overlap import count_shared, hash_pair, to_array
from seq2attn.inference.run_files import is_run
from seq2attn.runs.directory import Run


def count_known_pairs(run: Run, pairs: Iterable[tuple[str, str]]) -> int | None:
    """How many of the pairs (source, target) a run was trained on.

    None if that cannot be told: its training text is no longer in its place, and not in the cache either.
    """
    known = load_training_hashes(run.config, run.manifest.data.train.fingerprint)
    if known is None:
        return None
    return count_shared(to_array(b"".join(hash_pair(*pair) for pair in pairs)), known)


def describe_known_pairs(path: Path, pairs: list[tuple[str, str]]) -> str:
    """What is to be said of a test set and the training text of the run or model at `path`; empty if nothing is."""
    folder = next((folder for folder in (path, path.resolve().parent) if is_run(folder)), None)
    if folder is None:
        return "a model folder does not tell whether the test set lies in its training text; its run directory does"
    known = count_known_pairs(Run.open(folder), pairs)
    if known is None:
        return "the training text is not there any more: whether the test set lies in it cannot be told"
    if not known:
        return ""
    return f"warning: {known:,} of {len(pairs):,} test pairs are in the training text: the scores are too good by them"
