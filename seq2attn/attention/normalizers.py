"""Normalizers: from scores to weights that are non-negative, zero at illegal positions, and sum to 1 over legal ones.

A row without any legal position has weights 0: the guard stands here, once, for every mechanism.
"""

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor


@runtime_checkable
class Normalizer(Protocol):
    """What `Attention` needs of a normalizer."""

    def __call__(self, scores: Float[Tensor, "*R S"], legal: Bool[Tensor, "*#R S"]) -> Float[Tensor, "*R S"]:
        """Weights over the last axis, in the precision of the scores but never below fp32."""


def softmax(scores: Float[Tensor, "*R S"], legal: Bool[Tensor, "*#R S"]) -> Float[Tensor, "*R S"]:
    """weight_i = exp(score_i) / Σ_j exp(score_j), over legal positions; the maximum is subtracted first, so nothing overflows."""
    scores = scores.float() if scores.dtype in (torch.bfloat16, torch.float16) else scores
    lowest = torch.finfo(scores.dtype).min
    return scores.masked_fill(~legal, lowest).softmax(-1) * legal
