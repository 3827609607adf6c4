"""A memory read several times: what one reading finds asks the next question."""

from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from seq2attn.attention.attention import Attention, AttentionOutput, Memory
from seq2attn.tensors import Tree


class Hops(nn.Module):
    """u¹ = q; rᵏ = Σ_s attention(uᵏ, m)_s · o_s; uᵏ⁺¹ = W_u uᵏ + rᵏ, k = 1 … K (Sukhbaatar et al. 2015, §2.2).

    `layerwise`: m = A h and o = C h in every hop, with a learned W_u that starts as the identity. `adjacent`: hop k reads
    m = M_k h and o = M_{k+1} h, and W_u is the identity. The context is r^K, and the last query u^{K+1} stands for the
    decoder's state from there on. The weights are by hop.
    """

    def __init__(
        self,
        attention: Attention,
        *,
        hops: int,
        tying: Literal["layerwise", "adjacent"],
        query_width: int,
        key_width: int,
        value_width: int,
    ) -> None:
        super().__init__()
        self.attention = attention
        self.hops = hops
        self.context_width = query_width
        widths = [key_width, value_width] if tying == "layerwise" else [key_width] + [value_width] * hops
        self.maps = nn.ModuleList(nn.Linear(width, query_width, bias=False) for width in widths)
        for each in self.maps:
            nn.init.xavier_uniform_(each.weight)  # type: ignore[arg-type]
        self.update = nn.Linear(query_width, query_width, bias=False) if tying == "layerwise" else None
        if self.update is not None:
            nn.init.eye_(self.update.weight)

    def remember(
        self, states: Float[Tensor, "B S D"], mask: Bool[Tensor, "B S"], values: Float[Tensor, "B S V"] | None = None
    ) -> tuple[Memory, ...]:
        """One memory, or with `adjacent` tying one for each hop."""
        given = states if values is None else values
        mapped = [each(given if place else states) for place, each in enumerate(self.maps)]
        return tuple(self.attention.remember(keys, mask, found) for keys, found in pairwise(mapped))

    def start(self, mask: Bool[Tensor, "B S"], width: int) -> Tree:
        """No history."""
        return ()

    def forward(
        self,
        query: Float[Tensor, "B Q D"],
        memory: tuple[Memory, ...],
        positions: Int[Tensor, " Q"] | None = None,
        *,
        past: Tree | None = None,
        sentinel: Float[Tensor, "B Q X"] | None = None,
        trace: bool = False,
    ) -> AttentionOutput:
        """Read K times."""
        context, weights = query, []
        for hop in range(self.hops):
            found = self.attention(query, memory[hop % len(memory)], positions, trace=trace)
            context = found.context
            query = (query if self.update is None else self.update(query)) + context
            weights.append(found.weights)
        return AttentionOutput(context, torch.cat(weights, 1) if trace else None, query=query)
