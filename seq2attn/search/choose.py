"""Which search a beam's width asks for."""

from seq2attn.search.beam import Beam
from seq2attn.search.greedy import Greedy
from seq2attn.search.hypothesis import Search


def choose_search(beam: int, length_penalty: float) -> Search:
    """Greedy search for a beam of 1, which finds the same in less time; else beam search."""
    return Greedy() if beam == 1 else Beam(beam, length_penalty)
