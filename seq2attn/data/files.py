"""Reading text files line by line, with errors that name the file and the line."""

import bz2
import difflib
import gzip
import hashlib
import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from seq2attn.data.packed import refuse_packed
from seq2attn.errors import DataError

UNREADABLE = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)  # of damaged files
_BOM = "\ufeff"
_NAMED = 6  # names in a hint, at most
_LINE_BREAKS = re.compile(r"\r\n|\n|\r")
_HALF_PAIR = re.compile("[\ud800-\udfff]")
# Unicode's Default_Ignorable_Code_Point, other format characters without a shape, the Braille blank, and control characters
# that are no spaces
_INVISIBLE = (
    r"\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    r"\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    r"\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_DROPPED = re.compile(f"[{_INVISIBLE}]+")
_BLANK = re.compile(rf"[\s{_INVISIBLE}]*")


def find_file(path: str) -> Path:
    """The file at `path`. Raises DataError that names the most similar one if there is none."""
    file = Path(path).expanduser()
    if file.is_file():
        return file
    if file.is_dir():
        raise DataError(f"{file} is a folder, not a file", "name the file itself")
    raise DataError(f"no file {file}", _suggest_file(file))


def _suggest_file(file: Path) -> str:
    if not file.parent.is_dir():
        return suggest_folder(file.parent)
    names = sorted(other.name for other in file.parent.iterdir() if other.is_file())
    if similar := find_similar(file.name, names):
        return f"did you mean {file.parent / similar}?"
    known = list_some(names) if names else "no files"
    return f"check the path: in {file.parent} there are {known}"


def suggest_folder(folder: Path) -> str:
    """What to do where `folder` is not there: a relative path means something in one folder only."""
    start = "" if folder.is_absolute() else f", taken from {Path.cwd()}"
    return f"check the path{start}: there is no folder {folder}"


def find_similar(name: str, others: list[str]) -> str:
    """The one of `others` most like `name`; empty if none is."""
    return next(iter(difflib.get_close_matches(name, others, n=1)), "")


def list_some(names: list[str]) -> str:
    """The first few names for a hint: "a, b, c, …"."""
    return ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")


def read_lines(path: Path) -> Iterator[str]:
    """The lines of a UTF-8 file, plain or packed, without their ends (see `decode_lines`).

    Raises DataError with file and line.
    """
    try:
        file = open_unpacked(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error}", "check the file") from error
    with file:
        yield from decode_lines(file, str(path))


def decode_lines(file: Iterable[bytes], place: str, encoding: str = "utf-8") -> Iterator[str]:
    """The lines of a binary file, without their ends.

    Only a line feed ends a line: U+2028, U+0085 and the like stay in it. One carriage return before the line feed is
    dropped, and so is a byte order mark at the start of the file. Raises DataError with `place` and line,
    also for what is packed.
    """
    number = 0
    try:
        for number, line in enumerate(file, start=1):
            if number == 1:
                refuse_packed(line, place)
            text = line.removesuffix(b"\n").removesuffix(b"\r").decode(encoding)
            yield text.removeprefix(_BOM) if number == 1 else text
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        message = f"not valid {encoding.upper()} (byte 0x{byte:02x} at byte {error.start + 1} of the line)"
        raise DataError(f"{place}:{number}: {message}", "convert the file to UTF-8") from error
    except UNREADABLE as error:
        raise DataError(f"{place}:{number + 1}: cannot be read: {error}", "check the file") from error


def open_unpacked(path: Path) -> io.BufferedIOBase:
    """A file to read, unpacked if it begins as packed files do (gzip, bzip2, xz, zstd), whatever it is called."""
    with path.open("rb") as file:
        head = file.read(10)
    if head.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(path, "rb")
    if re.match(rb"BZh[1-9]1AY&SY", head):
        return bz2.BZ2File(path)
    if head.startswith(b"\xfd7zXZ\0"):
        return lzma.LZMAFile(path)
    if head.startswith(b"\x28\xb5\x2f\xfd"):
        import pyarrow

        return io.BufferedReader(pyarrow.input_stream(str(path), compression="zstd"))
    return path.open("rb")


def hash_files(words: Iterable[str], paths: Iterable[Path]) -> str:
    """SHA-256 of `words` and of the content of files (unpacked), whatever they are called."""
    digest = hashlib.sha256("\n".join(words).encode())
    for path in paths:
        content = hashlib.sha256()
        try:
            with open_unpacked(path) as file:
                while block := file.read(1 << 20):
                    content.update(block)
        except UNREADABLE as error:
            raise DataError(f"{path}: cannot be read: {error}", "check the file") from error
        digest.update(content.digest())
    return digest.hexdigest()


def read_sentence(row: object, field: str, place: str) -> str:
    """The text at `field` of a parsed row ("translation.en" looks into nested objects); null is an empty sentence.

    Line breaks inside become spaces: a sentence is one line. Raises DataError naming the fields that exist.
    """
    value = row
    for key in [field] if isinstance(row, dict) and field in row else field.split("."):
        if not isinstance(value, dict) or key not in value:
            raise DataError(f"{place}: no field {field!r}", suggest_fields("jsonl", _list_fields(row)))
        value = value[key]
    if value is None:
        return ""
    if not isinstance(value, str):
        known = f"the fields are {', '.join(_list_fields(row)) or 'none'}"
        hint = known if isinstance(value, dict) else "write the sentence within quotes, or name another field"
        raise DataError(f"{place}: field {field!r} is of type {type(value).__name__}, not text", hint)
    if _HALF_PAIR.search(value):
        raise DataError(f"{place}: field {field!r} holds half a surrogate pair", "repair the escape \\ud800…\\udfff")
    return join_lines(value)


def suggest_fields(kind: str, names: list[str]) -> str:
    """What to do where a field is not among the `names` of a table, in a config and for --test."""
    section = f"{{type: {kind}, path: …, source_field: …, target_field: …}}"
    return f"the fields are {', '.join(names) or 'none'}; a section names two of them: {section}"


def find_column(names: Sequence[str], name: str, place: str) -> int:
    """The index of a column in a header; spaces around its name there count only if nothing else tells it apart.

    Raises DataError that names the columns.
    """
    for known in (names, [other.strip() for other in names]):
        if name in known:
            return known.index(name)
    raise DataError(f"{place}: no column {name!r}", f"the columns are {', '.join(map(repr, names))}")


def refuse_repeated_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """A JSON object of its pairs, for `json`. Raises ValueError for a key that is there twice: one text would be lost."""
    row = dict(pairs)
    if len(row) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)!r} is there twice")
    return row


def is_blank(text: str) -> bool:
    """Whether a reader sees nothing: spaces and invisible characters only (U+200B, U+00AD, U+FE0F, U+3164, NUL, …)."""
    return _BLANK.fullmatch(text) is not None


def drop_invisible(text: str) -> str:
    """The text without characters that nobody sees; spaces stay."""
    return text if text.isascii() and text.isprintable() else _DROPPED.sub("", text)


def join_lines(text: str) -> str:
    """The text on one line: a line break (LF, CR or both) becomes a space."""
    return _LINE_BREAKS.sub(" ", text)


def _list_fields(row: object, prefix: str = "") -> list[str]:
    """The dotted names of all fields below `row`."""
    if not isinstance(row, dict):
        return [prefix.removesuffix(".")]
    return [name for key, value in row.items() for name in _list_fields(value, f"{prefix}{key}.")]
