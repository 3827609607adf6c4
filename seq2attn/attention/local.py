"""Local attention: a window of the source around a position that moves with the target (Luong et al. 2015, §3.2)."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from seq2attn.attention.spans import Focus, focus_on


class LocalMonotonic(nn.Module):
    """local-m: |i − p_t| ≤ window around p_t = min(t, S_b − 1), where S_b is the sentence's own length.

    Past the end of the source the window stays at its last word, so it is never empty. `gaussian`, `gathered`: as in
    LocalPredictive.
    """

    def __init__(self, *, window: int, gaussian: bool = False, gathered: bool = False) -> None:
        super().__init__()
        self.window, self.gaussian, self.gathered = window, gaussian, gathered

    def forward(
        self, query: Float[Tensor, "B G Q D"], mask: Bool[Tensor, "B S"], positions: Int[Tensor, " Q"] | None
    ) -> Focus:
        """The window of each query; `positions` (target steps, from 0) are required."""
        if positions is None:
            raise ValueError("local-m needs the queries' positions")
        center = torch.minimum(positions[None, :], mask.sum(1, keepdim=True) - 1)
        # bf16 cannot tell positions above 256 apart.
        center = center.to(torch.promote_types(query.dtype, torch.float32))
        return _focus_around(center, mask, self.window, gaussian=self.gaussian, gathered=self.gathered)


class LocalPredictive(nn.Module):
    """local-p: p_t = (S_b − 1) · σ(v · tanh(W q_t)), weights times exp(−(i − p_t)² / 2σ²), σ = window / 2 (eqs. 9 and 10).

    Positions count from 0, so the last is S_b − 1. The weights are not normalized again: they sum to at most 1. Only the
    Gaussian gives p_t a gradient. `gathered` computes the 2·window + 1 keys around p_t alone.
    """

    def __init__(self, *, query_width: int, window: int, gaussian: bool = True, gathered: bool = False) -> None:
        super().__init__()
        self.window, self.gaussian, self.gathered = window, gaussian, gathered
        self.hidden = nn.Linear(query_width, query_width, bias=False)
        self.vector = nn.Linear(query_width, 1, bias=False)
        nn.init.xavier_uniform_(self.hidden.weight)
        nn.init.xavier_uniform_(self.vector.weight)

    def forward(
        self, query: Float[Tensor, "B 1 Q D"], mask: Bool[Tensor, "B S"], positions: Int[Tensor, " Q"] | None
    ) -> Focus:
        """The window of each query around the position predicted from it."""
        return _focus_around(
            self.center(query, mask), mask, self.window, gaussian=self.gaussian, gathered=self.gathered
        )

    def center(self, query: Float[Tensor, "B 1 Q D"], mask: Bool[Tensor, "B S"]) -> Float[Tensor, "B Q"]:
        """p_t."""
        share = self.vector(torch.tanh(self.hidden(query[:, 0])))[..., 0]
        return (mask.sum(1, keepdim=True) - 1) * share.to(torch.promote_types(share.dtype, torch.float32)).sigmoid()


def _focus_around(
    center: Float[Tensor, "B Q"], mask: Bool[Tensor, "B S"], window: int, *, gaussian: bool, gathered: bool
) -> Focus:
    if gathered:
        reach = min(window, mask.shape[1] - 1)
        first = (center.detach() - reach).ceil().long()
        focus = focus_on(mask, first[:, :, None] + torch.arange(2 * reach + 1, device=mask.device))
        places = focus.places
        assert places is not None
    else:
        places = torch.arange(mask.shape[1], device=mask.device).expand(*center.shape, -1)
        focus = Focus(mask[:, None, None, :])
    distance = places - center[:, :, None]
    legal = focus.legal & (distance.detach().abs() <= window)[:, None]
    gain = torch.exp(-distance.square() / (2 * (window / 2) ** 2))[:, None] if gaussian else None
    return Focus(legal, gain, focus.places)
