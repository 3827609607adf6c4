"""Reading text files line by line, with errors that name the file and the line."""

import difflib
import gzip
import hashlib
import re
import unicodedata
import zlib
from collections.abc import Iterable, Iterator
from io import BufferedIOBase
from pathlib import Path

from seq2attn.errors import DataError

_BOM = b"\xef\xbb\xbf"
_LINE_BREAKS = re.compile(r"\r\n|\n|\r")


def find_file(path: str) -> Path:
    """The file at `path`. Raises DataError that names the most similar one if there is none."""
    file = Path(path).expanduser()
    if file.is_file():
        return file
    if file.is_dir():
        raise DataError(f"{file} is a folder, not a file", "name the file itself")
    if not file.parent.is_dir():
        raise DataError(f"no file {file}", f"there is no folder {file.parent}")
    similar = find_similar(file.name, sorted(other.name for other in file.parent.iterdir()))
    raise DataError(f"no file {file}", f"did you mean {file.parent / similar}?" if similar else "the folder is empty")


def find_similar(name: str, others: list[str]) -> str:
    """The one of `others` most like `name`; empty if there are none."""
    return next(iter(difflib.get_close_matches(name, others, n=1, cutoff=0.0)), "")


def read_lines(path: Path) -> Iterator[str]:
    """The lines of a UTF-8 file, plain or gzipped (.gz), without their ends.

    Only a line feed ends a line: U+2028, U+0085 and the like stay in it. One carriage return before the line feed is
    dropped, and so is a byte order mark at the start of the file. Raises DataError with file and line.
    """
    number = 0
    try:
        with _open(path) as file:
            for number, line in enumerate(file, start=1):
                data = line.removeprefix(_BOM) if number == 1 else line
                yield data.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8")
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        message = f"{path}:{number}: not valid UTF-8 (byte 0x{byte:02x} at byte {error.start + 1} of the line)"
        raise DataError(message, "convert the file to UTF-8") from error
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}:{number + 1}: cannot be read: {error}", "check the file") from error


def _open(path: Path) -> BufferedIOBase:
    return gzip.GzipFile(path, "rb") if path.suffix == ".gz" else path.open("rb")


def hash_files(words: Iterable[str], paths: Iterable[Path]) -> str:
    """SHA-256 of `words` and of the content of files (unpacked), whatever they are called."""
    digest = hashlib.sha256("\n".join(words).encode())
    for path in paths:
        content = hashlib.sha256()
        try:
            with _open(path) as file:
                while block := file.read(1 << 20):
                    content.update(block)
        except (OSError, EOFError, zlib.error) as error:
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
            known = ", ".join(_list_fields(row)) or "none"
            raise DataError(f"{place}: no field {field!r}", f"the fields are {known}")
        value = value[key]
    if value is None:
        return ""
    if not isinstance(value, str):
        hint = f"the fields are {', '.join(_list_fields(row)) or 'none'}"
        raise DataError(f"{place}: field {field!r} is of type {type(value).__name__}, not text", hint)
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise DataError(f"{place}: field {field!r} holds half a surrogate pair", "repair the escape \\ud800…\\udfff")
    return join_lines(value)


def is_blank(text: str) -> bool:
    """Whether a reader sees nothing: spaces and invisible characters only (U+200B, U+00AD, U+200E, U+FEFF, …)."""
    return all(character.isspace() or unicodedata.category(character) == "Cf" for character in text)


def join_lines(text: str) -> str:
    """The text on one line: a line break (LF, CR or both) becomes a space."""
    return _LINE_BREAKS.sub(" ", text)


def _list_fields(row: object, prefix: str = "") -> list[str]:
    """The dotted names of all fields below `row`."""
    if not isinstance(row, dict):
        return [prefix.removesuffix(".")]
    return [name for key, value in row.items() for name in _list_fields(value, f"{prefix}{key}.")]
