"""Search: from a model's step to whole translations. Knows the decoder protocol, no concrete model."""

from seq2attn.search.beam import Beam
from seq2attn.search.choose import choose_search
from seq2attn.search.engine import Engine
from seq2attn.search.greedy import Greedy
from seq2attn.search.hypothesis import Hypothesis, Search, Sentences
from seq2attn.search.limits import OutputLimit, learn_limit
from seq2attn.search.sampling import Sampling
from seq2attn.search.translator import Translator

__all__ = [
    "Beam",
    "Engine",
    "Greedy",
    "Hypothesis",
    "OutputLimit",
    "Sampling",
    "Search",
    "Sentences",
    "Translator",
    "choose_search",
    "learn_limit",
]
