"""Search: from a model's step to whole translations. Knows the decoder protocol, no concrete model."""

from seq2attn.search.beam import Beam
from seq2attn.search.greedy import Greedy
from seq2attn.search.hypothesis import Hypothesis, Search
from seq2attn.search.sampling import Sampling
from seq2attn.search.translator import Translator

__all__ = ["Beam", "Greedy", "Hypothesis", "Sampling", "Search", "Translator", "choose_search"]


def choose_search(beam: int, length_penalty: float) -> Search:
    """Greedy search for a beam of 1, else beam search of that width."""
    return Greedy() if beam == 1 else Beam(beam, length_penalty)
