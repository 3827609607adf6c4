"""Spans: which keys may a query attend to? Small values that compare by equality; local attention has its own file.

A span may score all S keys and hide some (masked), or gather the few that it allows and score only those (gathered). Both give
the same weights; only a gathered span costs no more than what it allows.
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


class Focus(NamedTuple):
    """The M keys that a span lets each query look at, and which of them are legal.

    places: where those M keys stand in the sequence; None: they are all S keys.
    gain: a factor on the weights of legal keys; None: 1.
    """

    legal: Bool[Tensor, "B #G #Q M"]
    gain: Float[Tensor, "B #G Q M"] | None = None
    places: Int[Tensor, "B Q M"] | None = None


@runtime_checkable
class Span(Protocol):
    """What `Attention` needs of a span."""

    def __call__(
        self, query: Float[Tensor, "B G Q D"], mask: Bool[Tensor, "B S"], positions: Int[Tensor, " Q"] | None
    ) -> Focus:
        """Where each query may look.

        mask: True at real keys. positions: the step of each query in its own sequence; spans that do not move need none.
        """


@dataclass(frozen=True)
class Global:
    """Every real position (Luong et al. 2015, §3.1)."""

    def __call__(
        self, query: Float[Tensor, "B G Q D"], mask: Bool[Tensor, "B S"], positions: Int[Tensor, " Q"] | None
    ) -> Focus:
        """The mask itself, whatever the query's position."""
        return Focus(mask[:, None, None, :])


@dataclass(frozen=True)
class Causal:
    """Every real position up to the query's own (Vaswani et al. 2017, §3.2.3): keys and queries are one sequence."""

    def __call__(
        self, query: Float[Tensor, "B G Q D"], mask: Bool[Tensor, "B S"], positions: Int[Tensor, " Q"] | None
    ) -> Focus:
        """The lower triangle of the mask; `positions` are required."""
        return Focus(mask[:, None, None, :] & (_distance(mask, positions) >= 0))


@dataclass(frozen=True)
class Window:
    """|i − t| ≤ radius, in a decoder (`causal`) also i ≤ t: the queries t and the keys i are one sequence."""

    radius: int
    causal: bool = False
    gathered: bool = False

    def __call__(
        self, query: Float[Tensor, "B G Q D"], mask: Bool[Tensor, "B S"], positions: Int[Tensor, " Q"] | None
    ) -> Focus:
        """2·radius + 1 keys around each query, or radius + 1 up to it; `positions` are required."""
        if self.gathered:
            reach = min(self.radius, mask.shape[1] - 1)
            offsets = torch.arange(-reach, 1 if self.causal else reach + 1, device=mask.device)
            return focus_on(mask, _require(positions)[None, :, None] + offsets)
        distance = _distance(mask, positions)
        near = (distance <= self.radius) & (distance >= (0 if self.causal else -self.radius))
        return Focus(mask[:, None, None, :] & near)


@dataclass(frozen=True)
class Strided:
    """|t − i| < stride, or (t − i) a multiple of `stride` (Child et al. 2019, §4.2); in a decoder (`causal`) also i ≤ t.

    With a stride near √n a row has at most 2√n keys (3√n without `causal`) where a full row has n.
    """

    stride: int
    causal: bool = False
    gathered: bool = False

    def __call__(
        self, query: Float[Tensor, "B G Q D"], mask: Bool[Tensor, "B S"], positions: Int[Tensor, " Q"] | None
    ) -> Focus:
        """The keys near each query, and every `stride`-th; `positions` are required."""
        if not self.gathered:
            distance = _distance(mask, positions)
            seen = (distance.abs() < self.stride) | (distance % self.stride == 0)
            return Focus(mask[:, None, None, :] & (seen & (distance >= 0) if self.causal else seen))
        jumps = torch.arange(self.stride, mask.shape[1] + self.stride, self.stride, device=mask.device)
        near = torch.arange(min(self.stride, mask.shape[1]), device=mask.device)
        back = torch.cat([near, jumps])
        offsets = -back if self.causal else torch.cat([-back, near[1:], jumps])
        return focus_on(mask, _require(positions)[None, :, None] + offsets)


def focus_on(mask: Bool[Tensor, "B S"], places: Int[Tensor, "#B Q M"]) -> Focus:
    """Let each query see the keys at `places` alone; places outside the sequence, and padding, are illegal."""
    places = places.expand(len(mask), -1, -1)
    inside = places.clamp(0, mask.shape[1] - 1)
    real = mask[:, None, :].expand(-1, places.shape[1], -1).gather(2, inside)
    return Focus((real & (inside == places))[:, None], None, inside)


def _distance(mask: Bool[Tensor, "B S"], positions: Int[Tensor, " Q"] | None) -> Int[Tensor, "Q S"]:
    """Position of the query minus position of the key."""
    return _require(positions)[:, None] - torch.arange(mask.shape[1], device=mask.device)


def _require(positions: Int[Tensor, " Q"] | None) -> Int[Tensor, " Q"]:
    if positions is None:
        raise ValueError("this span needs the queries' positions")
    return positions
