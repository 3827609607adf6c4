"""What every search returns, and the steps that all of them share."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seq2attn.attention.aggregation import Mixture
from seq2attn.models.seq2seq import Seq2Seq


class Hypothesis(NamedTuple):
    """One translation: its tokens without end-of-sentence, and its score (higher is better)."""

    tokens: list[int]
    score: float


@runtime_checkable
class Search(Protocol):
    """A way to search, as a value."""

    def __call__(
        self,
        model: Seq2Seq,
        source: Int[Tensor, "B S"],
        limits: Int[Tensor, " B"],
        never: Int[Tensor, " N"],
        lines: Sequence[int],
    ) -> list[list[Hypothesis]]:
        """The hypotheses of each sentence, best first, none longer than its limit and none with a token of `never`.

        `lines` numbers the sentences.
        """


def next_logits(
    model: Seq2Seq, features: Float[Tensor, "B W D"] | Mixture, never: Int[Tensor, " N"]
) -> Float[Tensor, "B W V"]:
    """Logits of the next token; those of `never` are impossible."""
    return model.logits(features).index_fill_(-1, never, -torch.inf)


def length_penalty(length: int, alpha: float) -> float:
    """lp(Y) = ((5 + |Y|) / 6)^α, which divides log p(Y) (Wu et al. 2016, eq. 14); 1 for α = 0."""
    return ((5 + length) / 6) ** alpha
