import unicodedata

import numpy as np
import pytest

from seq2attn.data.overlap import count_repeated, count_shared, hash_pair, to_array


def hash_pairs(*pairs: tuple[str, str]) -> np.ndarray:
    return to_array(b"".join(hash_pair(*pair) for pair in pairs))


def test_pairs_that_occur_twice_are_counted() -> None:
    hashes = hash_pairs(("a", "x"), ("b", "y"), (" a", "x "), ("a", "x"), ("a", "y"), ("ax", ""))
    assert count_repeated(hashes) == 2
    assert count_shared(hashes, hash_pairs(("a", "x"), ("", "ax"), ("x", "a"))) == 3
    assert count_shared(hashes, hash_pairs()) == 0


@pytest.mark.parametrize(
    "copy",
    [
        unicodedata.normalize("NFD", "der müde Hund"),
        "der  müde\u00a0Hund",
        "der müde Hund\u200b",
        "\ufeffder mü\u00adde\tHund ",
    ],
    ids=ascii,
)
def test_what_looks_the_same_is_the_same(copy: str) -> None:
    pair = hash_pair("der müde Hund", "the tired dog")
    assert hash_pair(copy, "the tired dog") == pair
    assert hash_pair("der müde Hund", "the tired  dog\x07") == pair
    assert hash_pair(copy.replace("de", "d e"), "the tired dog") != pair
