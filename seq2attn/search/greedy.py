"""Greedy search: the likeliest token at every step."""

from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor

from seq2attn.attention.aggregation import Mixture
from seq2attn.models.seq2seq import Seq2Seq
from seq2attn.search.hypothesis import Hypothesis, Sentences, find_likeliest
from seq2attn.search.stepwise import Chosen, write_stepwise


@dataclass(frozen=True)
class Greedy:
    """y_t = argmax p(y_t | y_<t, x). The score is log p(y | x)."""

    def __call__(self, model: Seq2Seq, sentences: Sentences, banned: Int[Tensor, " N"]) -> list[list[Hypothesis]]:
        """One hypothesis for each sentence."""

        def choose(features: Float[Tensor, "B 1 D"] | Mixture, _: list[int]) -> Chosen:
            likeliest = find_likeliest(model, features, banned, 1)
            return Chosen(likeliest.token[:, :, 0], likeliest.log_p[:, :, 0])

        return write_stepwise(model, sentences, choose)
