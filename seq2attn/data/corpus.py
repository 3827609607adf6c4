"""Parallel corpora as memory-mapped Arrow files, built once in the cache and found again by their content."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, overload

from seq2attn.data.cache import build_once, cache_folder
from seq2attn.data.sources import Pair, Source
from seq2attn.errors import DataError

_FORMAT = "corpus 1"  # part of every key: raise it when what is written changes
_ROWS = 10_000  # written at a time


def _row(index: int) -> str:
    return f"pair {index + 1}"


@dataclass(frozen=True)
class Corpus:
    """Sentence pairs of one split.

    `fingerprint`: of the content and its cleaning. `dropped`: reason → number of pairs left out; `first`: reason →
    where the first of them stood. `where`: 0-based index of a pair → how a message names its line.
    """

    name: str
    source: Sequence[str]
    target: Sequence[str]
    fingerprint: str
    dropped: Mapping[str, int]
    first: Mapping[str, str] = field(default_factory=dict)
    where: Callable[[int], str] = _row


def describe_dropped(dropped: Mapping[str, int], first: Mapping[str, str]) -> str:
    """One line for a log: "3 pairs dropped: 2 empty source (first: train.en:17), …"; empty if none were."""
    reasons = [f"{count:,} {reason} (first: {first[reason]})" for reason, count in dropped.items()]
    return f"{sum(dropped.values()):,} pairs dropped: {', '.join(reasons)}" if reasons else ""


def load_corpus(source: Source, *, clean: bool, fingerprint: str) -> Corpus:
    """Read a source into the cache, or find it there.

    `clean` (for training) drops pairs with an empty side and pairs whose sides are equal, and counts them; without it
    (validation, test) every pair stays in its place. Never uses the network unless the source itself is on the hub.
    Raises DataError as the source does, and if no pair is left.
    """
    fingerprint = hashlib.sha256(f"{_FORMAT} {clean} {fingerprint}".encode()).hexdigest()
    folder = build_once(cache_folder() / "corpora" / fingerprint, lambda aside: _write(aside, source, clean))
    table = _table(folder / "pairs.arrow")
    about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
    lines = table.column("line")
    return Corpus(
        name=source.name,
        source=_Column(table.column("source")),
        target=_Column(table.column("target")),
        fingerprint=fingerprint,
        dropped=about["dropped"],
        first={reason: source.where(line) for reason, line in about["first"].items()},
        where=lambda index: source.where(lines[index].as_py()),
    )


def _write(folder: Path, source: Source, clean: bool) -> None:
    from datasets import Features, Value
    from datasets.arrow_writer import ArrowWriter

    features = Features({"source": Value("string"), "target": Value("string"), "line": Value("int64")})
    dropped: dict[str, int] = {}
    first: dict[str, int] = {}
    with ArrowWriter(path=str(folder / "pairs.arrow"), features=features, writer_batch_size=_ROWS) as writer:
        for pair in source.pairs():
            reason = _flaw(pair) if clean else None
            if reason is None:
                writer.write(pair._asdict())
            else:
                dropped[reason] = dropped.get(reason, 0) + 1
                first.setdefault(reason, pair.line)
        kept, _ = writer.finalize()
    if not kept:
        places = {reason: source.where(line) for reason, line in first.items()}
        raise DataError(f"{source.name}: no pair is left to train on", describe_dropped(dropped, places))
    about = json.dumps({"dropped": dropped, "first": first})
    (folder / "about.json").write_text(about, encoding="utf-8")


def _flaw(pair: Pair) -> str | None:
    if not pair.source.strip():
        return "empty source"
    if not pair.target.strip():
        return "empty target"
    return "source = target" if pair.source.strip() == pair.target.strip() else None


def _table(path: Path) -> Any:
    from datasets import Dataset

    return Dataset.from_file(str(path)).data


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
