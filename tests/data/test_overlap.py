import numpy as np

from seq2attn.data.overlap import count_repeated, count_shared, hash_pair, to_array


def hash_pairs(*pairs: tuple[str, str]) -> np.ndarray:
    return to_array(b"".join(hash_pair(*pair) for pair in pairs))


def test_pairs_that_occur_twice_are_counted() -> None:
    hashes = hash_pairs(("a", "x"), ("b", "y"), (" a", "x "), ("a", "x"), ("a", "y"), ("ax", ""))
    assert count_repeated(hashes) == 2
    assert count_shared(hashes, hash_pairs(("a", "x"), ("", "ax"), ("x", "a"))) == 3
    assert count_shared(hashes, hash_pairs()) == 0
