"""A beam's width says which search it is."""

from seq2attn.search import Beam, Greedy, choose_search


def test_a_beam_of_one_is_greedy() -> None:
    assert choose_search(1, 0.6) == Greedy()
    assert choose_search(4, 0.6) == Beam(4, 0.6)
