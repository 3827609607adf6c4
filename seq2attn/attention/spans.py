"""Spans: which positions may a query attend to? Small values that compare by equality."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Int
from torch import Tensor


@runtime_checkable
class Span(Protocol):
    """What `Attention` needs of a span."""

    def legal(self, mask: Bool[Tensor, "B S"], positions: Int[Tensor, " Q"] | None) -> Bool[Tensor, "B 1 #Q S"]:
        """True where the query at each of `positions` may look; `mask` is True at real keys."""


@dataclass(frozen=True)
class Global:
    """Every real position (Luong et al. 2015, §3.1)."""

    def legal(self, mask: Bool[Tensor, "B S"], positions: Int[Tensor, " Q"] | None) -> Bool[Tensor, "B 1 1 S"]:
        """The mask itself, whatever the query's position."""
        return mask[:, None, None, :]


@dataclass(frozen=True)
class Causal:
    """Every real position up to the query's own (Vaswani et al. 2017, §3.2.3): keys and queries are one sequence."""

    def legal(self, mask: Bool[Tensor, "B S"], positions: Int[Tensor, " Q"] | None) -> Bool[Tensor, "B 1 Q S"]:
        """The lower triangle of the mask; `positions` are required."""
        if positions is None:
            raise ValueError("a causal span needs the queries' positions")
        past = torch.arange(mask.shape[1], device=mask.device)[None, :] <= positions[:, None]
        return mask[:, None, None, :] & past
