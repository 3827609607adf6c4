"""The rows of CSV, TSV and JSON files, their text as it stands, with errors that name file and line."""

import csv
import itertools
import json
import re
import zipfile
from collections.abc import Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from seq2attn.data.files import (
    UNREADABLE,
    decode_lines,
    find_column,
    open_unpacked,
    read_sentence,
    refuse_repeated_keys,
)
from seq2attn.errors import DataError

_LARGEST_CELL = 1 << 30  # characters; the csv module's own limit is 131,072
_DECODER = json.JSONDecoder(object_pairs_hook=refuse_repeated_keys)
_WHITE = re.compile(r"[ \t\r\n]*")
_UNKNOWN = (
    "skiprows",
    "comment",
    "nrows",
    "skipfooter",
    "lineterminator",
    "dialect",
    "encoding_errors",
    "on_bad_lines",
)


def open_files(path: Path, place: str) -> Generator[tuple[str, Iterable[bytes]], None, None]:
    """A file, unpacked, with its name in messages; of a zip archive, every file in it. Raises DataError."""
    try:
        if not zipfile.is_zipfile(path):
            with open_unpacked(path) as file:
                yield place, file
            return
        with zipfile.ZipFile(path) as archive:
            for name in sorted(archive.namelist()):
                if not name.endswith("/") and not any(part.startswith((".", "__")) for part in name.split("/")):
                    with archive.open(name) as member:
                        yield f"{place}/{name}", member
    except UNREADABLE as error:
        raise DataError(f"{place}: cannot be read: {error}", "check the file") from error


def read_csv(file: Iterable[bytes], place: str, fields: Sequence[str], settings: Any) -> Iterator[list[str]]:
    """The texts of `fields` in each row of a CSV file or, without quoting, of one with tabs.

    `settings`: the CsvConfig of `datasets`, which a dataset card may have changed. Blank lines are no rows. Raises
    DataError with `place` and line, among others for a row with more or fewer cells than the header.
    """
    names, indices = _find_names(place, settings), None
    rows = _split_rows(file, place, settings)
    if settings.header == 0 or (settings.header == "infer" and names is None):
        line, header = next(rows, (1, []))
        names = names or header
        if not header:
            raise DataError(f"{place}: no header", "the first line names the columns")
    for line, row in rows:
        names = names or [str(index) for index in range(len(row))]
        indices = indices or [find_column(names, field, f"{place}:1") for field in fields]
        if len(row) != len(names):
            raise _explain_cells(f"{place}:{line}", len(row), len(names), settings.sep)
        yield [row[index] for index in indices]


def _explain_cells(place: str, cells: int, columns: int, separator: str) -> DataError:
    counted = "1 cell" if cells == 1 else f"{cells} cells"
    hint = "every row needs a cell for each column, be it empty"
    if separator == "\t":
        return DataError(f"{place}: {counted} for {columns} columns", f"{hint}, separated by single tabs")
    return DataError(
        f"{place}: {counted} for {columns} columns", f'{hint}; quote one that holds {separator}: "a{separator} b"'
    )


def _find_names(place: str, settings: Any) -> list[str] | None:
    """The names of columns that a dataset card gives, if it does."""
    default = type(settings)()
    unknown = [key for key in _UNKNOWN if getattr(settings, key, None) != getattr(default, key, None)]
    unknown += ["header"] if settings.header not in ("infer", 0, None) else []
    unknown += ["sep"] if len(settings.sep) != 1 else []
    if unknown:
        message = f"{place}: its dataset card (README.md) sets {', '.join(unknown)} in a way that is not supported"
        raise DataError(message, "write the table as plain CSV in UTF-8, and delete the setting")
    return settings.names and [str(name) for name in settings.names]


def _split_rows(file: Iterable[bytes], place: str, settings: Any) -> Iterator[tuple[int, list[str]]]:
    """Each row that is not blank, with the number of its first line."""
    csv.field_size_limit(_LARGEST_CELL)
    ended = False

    def feed_lines() -> Iterator[str]:
        nonlocal ended
        yield from _end_lines(decode_lines(file, place, settings.encoding or "utf-8"))
        ended = True
        yield "\n"  # a blank row of its own, unless a quote is still open

    reader = csv.reader(
        feed_lines(),
        delimiter=settings.sep,
        quotechar=settings.quotechar,
        quoting=csv.QUOTE_NONE if settings.sep == "\t" else settings.quoting,
        escapechar=settings.escapechar,
        doublequote=settings.doublequote,
        skipinitialspace=settings.skipinitialspace,
    )
    line = 1
    for row in reader:
        if row and ended:
            message = f"{place}:{line}: a quote is opened and never closed"
            raise DataError(message, 'write a quote that is text twice, within quotes: "a "" b"')
        if len(row) > 1 or "".join(row).strip():
            yield line, row
        line = reader.line_num + 1


def _end_lines(lines: Iterator[str]) -> Iterator[str]:
    """Lines as the csv module needs them: a carriage return within is a space, or ends a line where nothing else does."""
    first = list(itertools.islice(lines, 2))
    if len(first) == 1:
        first = first[0].split("\r")
    for line in itertools.chain(first, lines):
        yield line.replace("\r", " ") + "\n"


def read_json(file: Iterable[bytes], place: str, fields: Sequence[str], settings: Any) -> Iterator[list[str]]:
    """The texts of `fields` in each row of a JSON file: an object a line, an array of objects, or one object after another.

    `settings`: the JsonConfig of `datasets`; its `field` is where the array is. Raises DataError with `place` and line,
    or row of an array.
    """
    for where, row in _find_objects(decode_lines(file, place, settings.encoding or "utf-8"), place, settings.field):
        if not isinstance(row, dict):
            message = f"{where}: not a JSON object but a {type(row).__name__}"
            raise DataError(message, f"every row needs the fields {', '.join(fields)}")
        yield [read_sentence(row, field, where) for field in fields]


def _find_objects(lines: Iterator[str], place: str, field: str | None) -> Iterator[tuple[str, object]]:
    """Each row with its place."""
    numbered: Iterator[tuple[int, str]] = enumerate(lines, start=1)
    first = next(((number, line) for number, line in numbered if line.strip()), None)
    if first is None:
        return
    if field is None and _is_whole(first[1]):
        numbered = itertools.chain([first], numbered)
    else:
        numbered = iter([(first[0], "\n".join([first[1], *lines]))])
    for number, text in numbered:
        for at, value in _parse(text, place, number):
            rows = value if field is None else value.get(field) if isinstance(value, dict) else None
            if isinstance(rows, list):
                yield from ((f"{place}:{at}, row {row}", found) for row, found in enumerate(rows, start=1))
            else:
                yield f"{place}:{at}", rows


def _is_whole(line: str) -> bool:
    try:
        return bool(list(_parse(line, "", 1)))
    except DataError:
        return False


def _parse(text: str, place: str, line: int) -> Iterator[tuple[int, object]]:
    """The JSON values in a text that begins at `line`, each with the line where it begins."""
    end = 0
    while (start := _skip_white(text, end)) < len(text):
        line += text.count("\n", end, start)
        try:
            value, end = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError) as error:
            at = line + text.count("\n", start, getattr(error, "pos", start))
            reason = getattr(error, "msg", str(error))
            hint = "each line must be one whole JSON object, or the file one array of objects, with each key once"
            raise DataError(f"{place}:{at}: not valid JSON: {reason}", hint) from error
        yield line, value
        line += text.count("\n", start, end)


def _skip_white(text: str, start: int) -> int:
    found = _WHITE.match(text, start)
    assert found is not None  # it may be empty
    return found.end()
