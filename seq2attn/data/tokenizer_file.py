"""A check of SentencePiece files before the library reads them: some damaged files crash the process in its C++ code."""

import math
import struct
from collections.abc import Iterator

_PIECE, _TRAINER, _NORMALIZER = 1, 2, 3  # fields of a model
_TEXT, _SCORE, _TYPE = 1, 2, 3  # fields of a piece
_NORMAL, _UNKNOWN, _CONTROL, _BYTE = 1, 2, 3, 6  # types of pieces
_SPECIAL = [_CONTROL, _UNKNOWN, _CONTROL, _CONTROL]  # padding, unknown, begin and end of sentence
_MODEL_TYPE, _UNIGRAM, _BPE = 3, 1, 2  # of the trainer's specification
_CHARACTER_MAP = 2  # of the normalizer's specification


def check(model: bytes) -> None:
    """Raises ValueError unless `model` is of the kind that `Tokenizer.train` writes: well-formed, no normalization,
    different pieces of text with finite scores, the special ones first."""
    texts: list[bytes] = []
    types: list[int] = []
    for field, value in _fields(model):
        if field == _PIECE:
            text, kind = _piece(_bytes(value))
            texts.append(text)
            types.append(kind)
        elif field == _TRAINER:
            if dict(_fields(_bytes(value))).get(_MODEL_TYPE, _UNIGRAM) not in (_UNIGRAM, _BPE):
                raise ValueError("neither a unigram nor a BPE model")
        elif field != _NORMALIZER or dict(_fields(_bytes(value))).get(_CHARACTER_MAP, b"") != b"":
            raise ValueError(f"field {field} does not occur in the models of this tool")
    if types[:4] != _SPECIAL or not {*types[4:]} <= {_NORMAL, _BYTE}:
        raise ValueError("its special pieces are not padding, unknown, begin and end of sentence")
    if len(set(texts)) < len(texts):
        raise ValueError("it holds a piece twice")


def _piece(data: bytes) -> tuple[bytes, int]:
    fields = dict(_fields(data))
    text, score, kind = _bytes(fields.get(_TEXT, b"")), fields.get(_SCORE, 0.0), fields.get(_TYPE, _NORMAL)
    if not text or b"\0" in text:
        raise ValueError("a piece without text")
    text.decode()
    if not isinstance(score, float) or not math.isfinite(score) or not isinstance(kind, int):
        raise ValueError("a piece without a score or a type")
    return text, kind


def _bytes(value: int | float | bytes) -> bytes:
    if not isinstance(value, bytes):
        raise ValueError("a number where text is expected")
    return value


def _fields(data: bytes) -> Iterator[tuple[int, int | float | bytes]]:
    """The numbers and values of a protocol buffer's fields."""
    place = 0
    while place < len(data):
        key, place = _varint(data, place)
        value: int | float | bytes
        match key & 7:
            case 0:
                value, place = _varint(data, place)
            case 2:
                size, place = _varint(data, place)
                value, place = _slice(data, place, size)
            case 5:
                four, place = _slice(data, place, 4)
                value = struct.unpack("<f", four)[0]
            case other:
                raise ValueError(f"not a SentencePiece model (wire type {other})")
        yield key >> 3, value


def _slice(data: bytes, place: int, size: int) -> tuple[bytes, int]:
    if place + size > len(data):
        raise ValueError("cut short")
    return data[place : place + size], place + size


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte, place = _slice(data, place, 1)
        value |= (byte[0] & 127) << shift
        if byte[0] < 128:
            return value, place
    raise ValueError("a number of more than ten bytes")
