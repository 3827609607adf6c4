"""Parallel corpora as memory-mapped Arrow files, built once in the cache and known by their content."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, overload
from unicodedata import is_normalized

import numpy as np

from seq2attn.data.cache import build_once, cache_folder
from seq2attn.data.files import is_blank
from seq2attn.data.overlap import hash_pair, to_array
from seq2attn.data.sources import Pair, Source
from seq2attn.errors import DataError

_FORMAT = "corpus 1"  # part of every fingerprint, which orders the batches: raise it when cleaning changes
_FILES = "arrow file 4"  # part of the folder's name only: raise it when the same pairs are written in another way
_HASHES = "hashes.npy"
_ROWS = 10_000  # written or read at a time
EQUAL = "source = target"  # the reason why a pair with equal sides is dropped
_KEEP_EQUAL = (
    "if data.train names the same text for both sides, name the translations for one; "
    "else data.keep_equal: true keeps pairs with equal sides"
)


def _name_row(index: int) -> str:
    return f"pair {index + 1}"


@dataclass(frozen=True)
class Corpus:
    """Sentence pairs of one split.

    `fingerprint`: SHA-256 of the source's content and of how it was cleaned. `dropped`: reason → number of pairs left
    out; `first`: reason → the place of the first of them. `locate`: 0-based index of a pair → its place, as messages
    name it ("train.en:17"). `hashes`: of each pair, see data/overlap.py. `not_nfc`: how many sources and how many targets
    are not in Unicode's normalization form C.
    """

    name: str
    source: Sequence[str]
    target: Sequence[str]
    fingerprint: str
    dropped: Mapping[str, int]
    first: Mapping[str, str] = field(default_factory=dict)
    locate: Callable[[int], str] = _name_row
    hashes: np.ndarray = field(default_factory=lambda: to_array(b""))
    not_nfc: tuple[int, int] = (0, 0)

    def is_changed_by(self, normalization: str) -> bool:
        """Whether the normalization none, nfc or nfkc may write any sentence in another way."""
        return normalization == "nfkc" or (normalization == "nfc" and any(self.not_nfc))


def describe_dropped(dropped: Mapping[str, int], first: Mapping[str, str]) -> str:
    """One line for a log, "3 pairs dropped: 2 empty source (first: train.en:17), …"; empty if nothing was dropped."""
    reasons = [f"{count:,} {reason} (first: {first[reason]})" for reason, count in dropped.items()]
    count = sum(dropped.values())
    return f"{count:,} pair{'' if count == 1 else 's'} dropped: {', '.join(reasons)}" if reasons else ""


def load_corpus(source: Source, *, clean: bool, fingerprint: str, keep_equal: bool = False) -> Corpus:
    """Read a source into the cache, or find it there.

    `clean` (for training) drops pairs with an empty side and, unless `keep_equal`, pairs whose sides are equal, and counts
    them; without it (validation, test) every pair stays in its place. `fingerprint` is the source's: what it reads is known
    by it, and nothing is hashed here. Never uses the network unless the source itself is on the hub.
    Raises DataError as the source does, and if no pair is left.
    """
    fingerprint = _hash_cleaned(fingerprint, clean, keep_equal)
    folder = build_once(_cached(fingerprint), lambda aside: _write(aside, source, clean, keep_equal))
    table = _open_table(folder / "pairs.arrow")
    drops = json.loads((folder / "dropped.json").read_text(encoding="utf-8"))
    if drops["invisible"]:  # version 0.1.0 kept these pairs: what follows from them must not be taken for the same
        fingerprint = hashlib.sha256(f"{fingerprint} without invisible".encode()).hexdigest()
    lines = table.column("line")
    return Corpus(
        name=source.name,
        source=_Column(table.column("source")),
        target=_Column(table.column("target")),
        fingerprint=fingerprint,
        dropped=drops["dropped"],
        first={reason: source.locate(line) for reason, line in drops["first"].items()},
        locate=lambda index: source.locate(lines[index].as_py()),
        hashes=np.load(folder / _HASHES),
        not_nfc=(drops["not_nfc"][0], drops["not_nfc"][1]),
    )


def read_cached_hashes(*, clean: bool, fingerprint: str, keep_equal: bool = False) -> np.ndarray | None:
    """The hashes of a corpus that `load_corpus` has read, with these arguments, into the cache; None if it is not there."""
    file = _cached(_hash_cleaned(fingerprint, clean, keep_equal)) / _HASHES
    return np.load(file) if file.exists() else None


def _hash_cleaned(fingerprint: str, clean: bool, keep_equal: bool) -> str:
    """The fingerprint of a corpus, of that of its source and of how it is cleaned."""
    cleaning = f"{clean} equal" if clean and keep_equal else f"{clean}"
    return hashlib.sha256(f"{_FORMAT} {cleaning} {fingerprint}".encode()).hexdigest()


def _cached(fingerprint: str) -> Path:
    key = hashlib.sha256(f"{_FILES} {fingerprint}".encode()).hexdigest()
    return cache_folder() / "corpora" / key


def _write(folder: Path, source: Source, clean: bool, keep_equal: bool) -> None:
    import pyarrow

    schema = pyarrow.schema([("source", pyarrow.string()), ("target", pyarrow.string()), ("line", pyarrow.int64())])
    kept = invisible = 0
    not_nfc = [0, 0]
    digests = bytearray()
    dropped: dict[str, int] = {}
    first: dict[str, int] = {}

    def clean_pairs() -> Iterator[Pair]:
        nonlocal invisible
        for pair in source.pairs():
            reason = _find_flaw(pair, keep_equal) if clean else None
            if reason is None:
                yield pair
            else:
                dropped[reason] = dropped.get(reason, 0) + 1
                first.setdefault(reason, pair.line)
                invisible += bool(pair.source.strip() and pair.target.strip()) and reason != EQUAL

    with pyarrow.ipc.new_file(str(folder / "pairs.arrow"), schema) as writer:
        pairs = clean_pairs()
        while rows := list(islice(pairs, _ROWS)):
            writer.write(pyarrow.record_batch([list(column) for column in zip(*rows, strict=True)], schema=schema))
            kept += len(rows)
            for pair in rows:
                digests += hash_pair(pair.source, pair.target)
                not_nfc[0] += not is_normalized("NFC", pair.source)
                not_nfc[1] += not is_normalized("NFC", pair.target)
    if not kept:
        places = {reason: source.locate(line) for reason, line in first.items()}
        message = f"{source.name}: no pair is left to train on: {describe_dropped(dropped, places)}"
        raise DataError(message, _KEEP_EQUAL if EQUAL in dropped else "each pair needs text on both sides")
    np.save(folder / _HASHES, to_array(digests))
    text = json.dumps({"dropped": dropped, "first": first, "invisible": invisible, "not_nfc": not_nfc})
    (folder / "dropped.json").write_text(text, encoding="utf-8")


def _open_table(path: Path) -> Any:
    """The pyarrow table in a file, memory-mapped."""
    import pyarrow

    return pyarrow.ipc.open_file(pyarrow.memory_map(str(path))).read_all()


def _find_flaw(pair: Pair, keep_equal: bool) -> str | None:
    if is_blank(pair.source):
        return "empty source"
    if is_blank(pair.target):
        return "empty target"
    return EQUAL if not keep_equal and pair.source.strip() == pair.target.strip() else None


class _Column(Sequence[str]):
    """One memory-mapped text column, read row by row or by slices."""

    def __init__(self, column: Any) -> None:
        """`column`: a pyarrow ChunkedArray of strings."""
        self._column = column

    def __len__(self) -> int:
        return len(self._column)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return self._column[index].to_pylist()
        return self._column[index].as_py()

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self), _ROWS):
            yield from self[start : start + _ROWS]
