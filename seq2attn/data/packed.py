"""Packed bytes where text is expected: files are unpacked before, so this is standard input, or an archive."""

import re

from seq2attn.errors import DataError

_UNPACK = {
    rb"\x1f\x8b": ("gzip", "gzip -dc < PACKED > TEXT"),
    rb"\xfd7zXZ\x00": ("xz", "xz -dc < PACKED > TEXT"),
    rb"\x28\xb5\x2f\xfd": ("zstd", "zstd -dc < PACKED > TEXT"),
    rb"BZh[1-9]1AY&SY": ("bzip2", "bzip2 -dc < PACKED > TEXT"),
    rb"PK\x03\x04": ("zip", "unzip -p PACKED > TEXT, or save the office document as text"),
}


def refuse_packed(line: bytes, name: str) -> None:
    """Raises DataError if the first line of `name` begins as a packed file does, which no text can."""
    for begin, (kind, command) in _UNPACK.items():
        if re.match(begin, line):
            raise DataError(f"{name}: packed with {kind}", f"unpack it first: {command}")
