"""Pairs that occur twice, within a corpus or in two of them, found by 8-byte hashes of their text."""

import hashlib
import unicodedata

import numpy as np

from seq2attn.data.files import drop_invisible


def hash_pair(source: str, target: str) -> bytes:
    """Eight bytes, the same for pairs that look the same: see `_unify`."""
    text = f"{_unify(source)}\0{_unify(target)}"
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _unify(text: str) -> str:
    """What looks the same as one text: in the normalization form NFKC, without invisible characters, one space for several."""
    return " ".join(unicodedata.normalize("NFKC", drop_invisible(text)).split())


def to_array(digests: bytes | bytearray) -> np.ndarray:
    """Hashes written end to end as an array, one number a pair."""
    return np.frombuffer(bytes(digests), dtype="<u8")


def count_repeated(hashes: np.ndarray) -> int:
    """How many pairs repeat an earlier one."""
    ordered = np.sort(hashes)
    return int((ordered[1:] == ordered[:-1]).sum())


def count_shared(hashes: np.ndarray, others: np.ndarray) -> int:
    """How many of the pairs `hashes` are among the `others`."""
    ordered = np.sort(others)
    return int((np.searchsorted(ordered, hashes, "right") > np.searchsorted(ordered, hashes)).sum())
