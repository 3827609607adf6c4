"""What every search is given and returns, and the steps that all of them share."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seq2attn.attention.aggregation import Mixture
from seq2attn.errors import NotFiniteError
from seq2attn.models.seq2seq import Seq2Seq
from seq2attn.tensors import find_largest

LOGITS_IN_CACHE = 1 << 18  # numbers; 1 MiB in fp32
_FEW = 0.75  # of the sentences of a batch


@dataclass(frozen=True)
class Sentences:
    """A batch of sentences to translate.

    source: token ids, padded on the right.
    limits: the most tokens that the translation of each sentence may have.
    ids: a number for each sentence, the same in whatever batch it is translated; sampling draws by it.
    """

    source: Int[Tensor, "B S"]
    limits: Int[Tensor, " B"]
    ids: Sequence[int]


class Hypothesis(NamedTuple):
    """One translation: its tokens without end-of-sentence, and its score (higher is better)."""

    tokens: list[int]
    score: float


@runtime_checkable
class Search(Protocol):
    """A way to search, as a value."""

    def __call__(self, model: Seq2Seq, sentences: Sentences, banned: Int[Tensor, " N"]) -> list[list[Hypothesis]]:
        """The hypotheses of each sentence, best first, none longer than its limit and none with a `banned` token.

        Raises NotFiniteError if the model's scores are not numbers.
        """


def next_logits(
    model: Seq2Seq, features: Float[Tensor, "B W D"] | Mixture, banned: Int[Tensor, " N"]
) -> Float[Tensor, "B W V"]:
    """Logits of the next token, in the model's precision; those of `banned` tokens are −∞."""
    return model.logits(features).index_fill_(-1, banned, -torch.inf)


class Likeliest(NamedTuple):
    """The C likeliest next tokens of each hypothesis, best first, and log p of each; computed in fp32 or better."""

    log_p: Float[Tensor, "B W C"]
    token: Int[Tensor, "B W C"]


def find_likeliest(
    model: Seq2Seq, features: Float[Tensor, "B W D"] | Mixture, banned: Int[Tensor, " N"], count: int
) -> Likeliest:
    """The `count` likeliest; all tokens, if they are fewer.

    log p of all the others is never written: on a CPU a few rows of logits at a time are searched and summed up in its cache.
    """
    logits = next_logits(model, features, banned)
    rows = logits.flatten(0, 1)
    at_once = max(1, LOGITS_IN_CACHE // rows.shape[1]) if rows.device.type == "cpu" else len(rows)
    log_p, token = (
        torch.cat(parts) for parts in zip(*(_find(piece, count) for piece in rows.split(at_once)), strict=True)
    )
    return Likeliest(log_p.unflatten(0, logits.shape[:2]), token.unflatten(0, logits.shape[:2]))


def _find(logits: Float[Tensor, "N V"], count: int) -> tuple[Float[Tensor, "N C"], Int[Tensor, "N C"]]:
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    values, tokens = find_largest(logits, min(count, logits.shape[1]))
    largest = values[:, :1]
    return values - largest - logits.sub_(largest).exp_().sum(1, keepdim=True).log(), tokens


def are_few(unfinished: int, sentences: int) -> bool:
    """Whether so few sentences of a batch are unfinished that leaving the others out is worth a copy of the state.

    Until then those are written on for nothing, which costs less than a copy at every step at which one ends.
    """
    return unfinished <= _FEW * sentences


def length_penalty(length: int, alpha: float) -> float:
    """lp(Y) = ((5 + |Y|) / 6)^α, which divides log p(Y) (Wu et al. 2016, eq. 14); 1 for α = 0."""
    return ((5 + length) / 6) ** alpha


def refuse_nan(scores: Iterable[float]) -> None:
    """Raise NotFiniteError if a score is NaN, which one bad logit makes of a hypothesis' score and of all that extend it."""
    if any(math.isnan(score) for score in scores):
        raise NotFiniteError("the model's scores are not numbers", "its weights are damaged, or training diverged")
