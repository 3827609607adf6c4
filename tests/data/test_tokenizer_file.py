"""SentencePiece files that this tool did not write: refused before C++ reads them."""

import struct

import pytest

from seq2attn.data.tokenizer_file import check


def field(number: int, value: bytes | int | float) -> bytes:
    """One field of a protocol buffer: text, a small number, or a 32-bit float."""
    if isinstance(value, float):
        return bytes([number << 3 | 5]) + struct.pack("<f", value)
    if isinstance(value, int):
        return bytes([number << 3, value])
    return bytes([number << 3 | 2, len(value)]) + value


def piece(text: bytes, kind: int, score: float = 0.0) -> bytes:
    return field(1, field(1, text) + field(2, score) + field(3, kind))


SPECIAL = piece(b"<pad>", 3) + piece(b"<unk>", 2) + piece(b"<s>", 3) + piece(b"</s>", 3)


def test_a_small_model_is_fine() -> None:
    check(SPECIAL + piece(b"a", 1, -1.5) + field(2, field(3, 2)) + field(3, field(1, b"identity")))


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (SPECIAL + field(2, field(3, 3)), "neither a unigram nor a BPE model"),  # words
        (SPECIAL + field(4, b""), "field 4 does not occur in the models of this tool"),  # a self-test
        (SPECIAL + field(3, field(2, b"map")), "field 3 does not occur in the models of this tool"),  # a normalization
        (SPECIAL + piece(b"a", 1, float("nan")), "without a score or a type"),
        (SPECIAL + piece(b"", 1), "without text"),
        (SPECIAL + piece(b"a\0", 1), "without text"),
        (SPECIAL + piece(b"a", 4), "special pieces are not"),  # one of the user's
        (piece(b"<unk>", 2) + SPECIAL, "special pieces are not"),
        (SPECIAL + piece(b"a", 1) * 2, "holds a piece twice"),
        (SPECIAL + field(1, 7), "a number where text is expected"),
        (SPECIAL + piece(b"a", 1)[:-1], "cut short"),
        (b"\x0b", "wire type 3"),
        (b"\x80" * 11, "more than ten bytes"),
        (b"", "special pieces are not"),
    ],
)
def test_any_other_model_is_refused_with_the_reason(model: bytes, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        check(model)
