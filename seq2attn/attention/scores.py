"""Scores: how well does a query fit a key? `keys` is computed once for each source, the score for each query.

Every score maps query "… Q D" and keys "… S K" to "… Q S", whatever stands before. One whose value is a scaled dot product
of query and key says so by `dot_scale`, and a fused kernel may then compute it.
"""

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn


@runtime_checkable
class Score(Protocol):
    """What `Attention` needs of a score."""

    @property
    def dot_scale(self) -> float | None:
        """The factor, if score = factor · queryᵀ key; None for any other form."""

    def keys(self, states: Float[Tensor, "*R S D"]) -> Float[Tensor, "*R S K"]:
        """What to keep of the source, computed once."""

    def __call__(self, query: Float[Tensor, "*R Q D"], keys: Float[Tensor, "*#R S K"]) -> Float[Tensor, "*R Q S"]:
        """The score of every query with every key."""


class Dot(nn.Module):
    """Dot product: score = scale · qᵀ k (Luong et al. 2015, eq. 8, with scale 1; Vaswani et al. 2017, eq. 1, with scale 1/√d).

    Query and key have the same size.
    """

    def __init__(self, *, scale: float = 1.0) -> None:
        super().__init__()
        self.dot_scale = scale

    def keys(self, states: Float[Tensor, "*R S D"]) -> Float[Tensor, "*R S D"]:
        """The states themselves."""
        return states

    def forward(self, query: Float[Tensor, "*R Q D"], keys: Float[Tensor, "*#R S D"]) -> Float[Tensor, "*R Q S"]:
        """Score every query with every key."""
        return (query @ keys.mT) * self.dot_scale


class General(nn.Module):
    """Bilinear: score = qᵀ W k (Luong et al. 2015, eq. 8). W k is computed once for each source."""

    dot_scale: float | None = 1.0

    def __init__(self, *, query_width: int, key_width: int) -> None:
        super().__init__()
        self.weight = nn.Linear(key_width, query_width, bias=False)
        nn.init.xavier_uniform_(self.weight.weight)

    def keys(self, states: Float[Tensor, "*R S D"]) -> Float[Tensor, "*R S K"]:
        """W k."""
        return self.weight(states)

    def forward(self, query: Float[Tensor, "*R Q K"], keys: Float[Tensor, "*#R S K"]) -> Float[Tensor, "*R Q S"]:
        """Score every query with every key."""
        return query @ keys.mT


class Additive(nn.Module):
    """One hidden layer: score = vᵀ tanh(W q + U k + b) (Bahdanau et al. 2015, A.1.2; "concat" in Luong et al. 2015, eq. 8).

    U k + b is computed once for each source. Memory is O(B·G·Q·S·width): the sum of every query with every key.
    """

    dot_scale: float | None = None

    def __init__(self, *, query_width: int, key_width: int, width: int) -> None:
        super().__init__()
        self.query = nn.Linear(query_width, width, bias=False)
        self.key = nn.Linear(key_width, width)
        self.vector = nn.Parameter(torch.empty(1, width))
        for matrix in (self.query.weight, self.key.weight, self.vector):
            nn.init.xavier_uniform_(matrix)
        nn.init.zeros_(self.key.bias)

    def keys(self, states: Float[Tensor, "*R S D"]) -> Float[Tensor, "*R S K"]:
        """U k + b."""
        return self.key(states)

    def forward(self, query: Float[Tensor, "*R Q D"], keys: Float[Tensor, "*#R S K"]) -> Float[Tensor, "*R Q S"]:
        """Score every query with every key."""
        hidden = torch.tanh(self.query(query).unsqueeze(-2) + keys.unsqueeze(-3))
        return nn.functional.linear(hidden, self.vector).squeeze(-1)
