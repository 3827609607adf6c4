"""Where parallel text comes from: a frozen dataclass for each kind of source, all with the interface `Source`."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from seq2attn.data.files import (
    find_column,
    find_file,
    find_similar,
    hash_files,
    list_some,
    read_lines,
    read_sentence,
    refuse_repeated_keys,
    suggest_folder,
)
from seq2attn.errors import DataError


class Pair(NamedTuple):
    """A source sentence, its translation, and the 1-based number of their line (or row)."""

    source: str
    target: str
    line: int


@runtime_checkable
class Source(Protocol):
    """Sentence pairs in a fixed order, which can be read any number of times."""

    @property
    def name(self) -> str:
        """The name in messages and reports."""

    def pairs(self) -> Iterator[Pair]:
        """Yield every pair in order. Raises DataError, with file and line, for a bad line, and if there is no pair at all."""

    def fingerprint(self) -> str:
        """SHA-256 of what `pairs` reads: equal fingerprints give equal pairs."""

    def locate(self, line: int) -> str:
        """The place of a 1-based line or row as messages name it: "train.en:17"."""


@dataclass(frozen=True)
class TextFiles:
    """Line-aligned text: PREFIX.SOURCE and PREFIX.TARGET ("train.en", "train.de"), plain or packed (.gz)."""

    prefix: str
    source: str
    target: str

    @property
    def name(self) -> str:
        return self.prefix

    def pairs(self) -> Iterator[Pair]:
        return _read_aligned(self._paths())

    def fingerprint(self) -> str:
        return _hash_aligned((self.source, self.target), self._paths())

    def locate(self, line: int) -> str:
        return f"{self._paths()[0]}:{line}"

    def _paths(self) -> tuple[Path, Path]:
        return self._path(self.source), self._path(self.target)

    def _path(self, language: str) -> Path:
        plain = Path(f"{self.prefix}.{language}").expanduser()
        zipped = plain.with_name(plain.name + ".gz")
        if plain.is_file():
            return plain
        if zipped.is_file():
            return zipped
        raise DataError(f"no file {plain} (nor {zipped.name})", self._suggest_file(plain))

    def _suggest_file(self, plain: Path) -> str:
        prefix = Path(self.prefix).expanduser()
        folder = prefix if prefix.is_dir() else prefix.parent
        if not folder.is_dir():
            return suggest_folder(folder)
        names = {path.name.removesuffix(".gz") for path in folder.iterdir() if path.is_file()}
        prefixes = {name.removesuffix(f".{self.source}") for name in names if name.endswith(f".{self.source}")}
        complete = sorted(prefix for prefix in prefixes if f"{prefix}.{self.target}" in names)
        ends = f".{self.source} and .{self.target}"
        meant = prefix.name.removesuffix(f".{self.source}").removesuffix(f".{self.target}")
        if similar := find_similar(meant, complete):
            return f"did you mean the prefix {folder / similar}? A prefix is the path without {ends}"
        if complete:
            known = list_some([str(folder / name) for name in complete])
            return f"a prefix is the path without {ends}; here are {known}"
        if beside := sorted(str(folder / name) for name in names if name.startswith(f"{meant}.")):
            section = "{type: text, source: FILE, target: FILE}"
            return f"data.source and data.target must be their ends, or name both files: {section}; here are {list_some(beside)}"
        return f"a prefix is the path without {ends}, but no two files in {folder} have these ends"


@dataclass(frozen=True)
class TwoFiles:
    """Line-aligned text in two files of any names and folders, each plain or gzipped (.gz).

    With the same text in the same languages it has the fingerprint of `TextFiles`.
    """

    source: str
    target: str
    source_language: str
    target_language: str

    @property
    def name(self) -> str:
        return f"{self.source} and {self.target}"

    def pairs(self) -> Iterator[Pair]:
        return _read_aligned(self._paths())

    def fingerprint(self) -> str:
        return _hash_aligned((self.source_language, self.target_language), self._paths())

    def locate(self, line: int) -> str:
        return f"{self.source}:{line}"

    def _paths(self) -> tuple[Path, Path]:
        return find_file(self.source), find_file(self.target)


def _hash_aligned(languages: tuple[str, str], paths: tuple[Path, Path]) -> str:
    return hash_files([f"text {' '.join(languages)}"], paths)


def _read_aligned(paths: tuple[Path, Path]) -> Iterator[Pair]:
    """Pair the lines of two files by their numbers."""
    lengths: tuple[list[int], list[int]] = ([], [])
    for line, sentences in enumerate(zip_longest(*map(read_lines, paths)), start=1):
        for side, sentence in zip(lengths, sentences, strict=True):
            if sentence is not None:
                side.append(len(sentence))
        source, target = sentences
        if source is not None and target is not None:
            yield Pair(source, target, line)
    if len(lengths[0]) != len(lengths[1]):
        raise _explain_misalignment(paths, lengths)
    if not lengths[0]:
        raise DataError(f"{paths[0]} and {paths[1]} are empty", "each line must hold one sentence")


def _explain_misalignment(paths: tuple[Path, Path], lengths: tuple[list[int], list[int]]) -> DataError:
    counts = [len(side) for side in lengths]
    message = f"{paths[0]} has {counts[0]} lines but {paths[1]} has {counts[1]}"
    line = _find_first_shift(*lengths)
    return DataError(message, f"line n of one must translate line n of the other; they seem to part near line {line}")


def _find_first_shift(source: list[int], target: list[int]) -> int:
    """The likeliest line (1-based) where lines were lost, if all at one place.

    Before it sentences pair up as they stand, from there on shifted by the difference of the counts; the total of
    |log(length ratio)| over all pairs is least for the true place.
    """
    logs = [np.log1p(np.array(side, dtype=np.float64)) for side in (source, target)]
    shorter = min(len(source), len(target))
    standing = np.abs(logs[0][:shorter] - logs[1][:shorter])
    shifted = np.abs(logs[0][len(source) - shorter :] - logs[1][len(target) - shorter :])
    before = np.concatenate([[0.0], np.cumsum(standing)])
    after = np.concatenate([np.cumsum(shifted[::-1])[::-1], [0.0]])
    return int(np.argmin(before + after)) + 1


@dataclass(frozen=True)
class Tsv:
    """Tab-separated columns without quoting, plain or gzipped.

    A column is a 0-based index or, if the first line is a header, a name in it.
    """

    path: str
    source_column: int | str
    target_column: int | str

    @property
    def name(self) -> str:
        return self.path

    def pairs(self) -> Iterator[Pair]:
        path = find_file(self.path)
        columns = (self.source_column, self.target_column)
        header = any(isinstance(column, str) for column in columns)
        indices: list[int] | None = None if header else [int(column) for column in columns]
        pairs = blank = 0
        for line, text in enumerate(read_lines(path), start=1):
            cells = text.split("\t")
            if indices is None:
                indices = [
                    column if isinstance(column, int) else find_column(cells, column, f"{path}:1") for column in columns
                ]
                continue
            if max(indices) >= len(cells) and not text.strip():
                blank = blank or line  # an error only if a pair follows
                continue
            if max(indices) >= len(cells) or blank:
                place, count = (blank, 1) if blank else (line, len(cells))
                raise DataError(
                    f"{path}:{place}: no column {max(indices)}: the line has {_list_columns(count)}",
                    "columns are separated by single tabs; see source_column and target_column",
                )
            pairs += 1
            yield Pair(cells[indices[0]], cells[indices[1]], line)
        if not pairs:
            raise DataError(f"{path} holds no pairs", "each line must hold a sentence and its translation")

    def fingerprint(self) -> str:
        return hash_files([f"tsv {self.source_column!r} {self.target_column!r}"], [find_file(self.path)])

    def locate(self, line: int) -> str:
        return f"{self.path}:{line}"


def _list_columns(count: int) -> str:
    if count == 1:
        return "column 0 alone"
    return f"columns 0 {'and' if count == 2 else 'to'} {count - 1}"


@dataclass(frozen=True)
class JsonLines:
    """One JSON object a line, plain or gzipped; a dotted field looks into nested objects ("translation.en")."""

    path: str
    source_field: str
    target_field: str

    @property
    def name(self) -> str:
        return self.path

    def pairs(self) -> Iterator[Pair]:
        path = find_file(self.path)
        empty = True
        for line, text in enumerate(read_lines(path), start=1):
            if text.strip():
                empty = False
                place = f"{path}:{line}"
                row = _parse_row(text, place)
                source = read_sentence(row, self.source_field, place)
                yield Pair(source, read_sentence(row, self.target_field, place), line)
        if empty:
            raise DataError(f"{path} holds no pairs", "each line must hold one JSON object")

    def fingerprint(self) -> str:
        return hash_files([f"jsonl {self.source_field!r} {self.target_field!r}"], [find_file(self.path)])

    def locate(self, line: int) -> str:
        return f"{self.path}:{line}"


def _parse_row(text: str, place: str) -> dict[str, object]:
    whole = "a file that is one JSON array is read by {type: huggingface, path: FILE}"
    try:
        row = json.loads(text, object_pairs_hook=refuse_repeated_keys)
    except ValueError as error:
        hint = whole if text.lstrip().startswith("[") else "each line must be one whole JSON object, with each key once"
        raise DataError(f"{place}: not valid JSON: {error}", hint) from error
    if not isinstance(row, dict):
        raise DataError(f"{place}: not a JSON object but a {type(row).__name__}", whole)
    return row


def hash_pairs(pairs: Iterator[Pair]) -> str:
    """SHA-256 of the sentences themselves, for sources that are not plain files."""
    digest = hashlib.sha256()
    for pair in pairs:
        digest.update(json.dumps([pair.source, pair.target]).encode())
    return digest.hexdigest()
