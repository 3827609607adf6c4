"""Greedy search: the likeliest token at every step."""

from dataclasses import dataclass

from jaxtyping import Int
from torch import Tensor

from seq2attn.models.seq2seq import Seq2Seq
from seq2attn.search.hypothesis import Hypothesis, Sentences
from seq2attn.search.stepwise import write_stepwise
from seq2attn.tensors import find_largest


@dataclass(frozen=True)
class Greedy:
    """y_t = argmax p(y_t | y_<t, x). The score is log p(y | x)."""

    def __call__(self, model: Seq2Seq, sentences: Sentences, banned: Int[Tensor, " N"]) -> list[list[Hypothesis]]:
        """One hypothesis for each sentence."""
        return write_stepwise(model, sentences, banned, lambda log_p, _: find_largest(log_p, 1)[1][:, 0])
