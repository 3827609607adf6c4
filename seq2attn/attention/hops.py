"""A memory read several times: the result of one reading becomes part of the next query."""

from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from seq2attn.attention.aggregation import expectation
from seq2attn.attention.attention import Attention, AttentionOutput, Memory, Request


class Hops(nn.Module):
    """u¹ = q; rᵏ = Σ_s attention(uᵏ, m)_s · o_s; uᵏ⁺¹ = W_u uᵏ + rᵏ, k = 1 … K (Sukhbaatar et al. 2015, §2.2).

    `layerwise`: m = A h and o = C h in every hop, with a learned W_u that starts as the identity. `adjacent`: hop k reads
    m = M_k h and o = M_{k+1} h, and W_u is the identity. The context is r^K, and the last query u^{K+1} stands for the
    decoder's state from there on. Traced weights are by hop. Raises ValueError if `attention` is temporal or chooses a position.
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
        if attention.temporal or attention.aggregation is not expectation:
            raise ValueError("a memory with hops averages in every hop and keeps no history")
        self.attention = attention
        self.hops = hops
        self.context_width = query_width
        widths = [key_width, value_width] if tying == "layerwise" else [key_width] + [value_width] * hops
        self.maps = nn.ModuleList(nn.Linear(width, query_width, bias=False) for width in widths)
        for linear in self.maps:
            nn.init.xavier_uniform_(linear.weight)  # type: ignore[arg-type]
        self.update = nn.Linear(query_width, query_width, bias=False) if tying == "layerwise" else None
        if self.update is not None:
            nn.init.eye_(self.update.weight)

    def remember(
        self, states: Float[Tensor, "B S D"], mask: Bool[Tensor, "B S"], values: Float[Tensor, "B S V"] | None = None
    ) -> tuple[Memory, ...]:
        """One memory, or with `adjacent` tying one for each hop."""
        given = states if values is None else values
        mapped = [linear(given if place else states) for place, linear in enumerate(self.maps)]
        return tuple(self.attention.remember(keys, mask, outputs) for keys, outputs in pairwise(mapped))

    def start(self, mask: Bool[Tensor, "B S"], width: int) -> tuple[()]:
        """An empty history: no hop knows of earlier steps."""
        return ()

    def forward(self, request: Request, memory: tuple[Memory, ...]) -> AttentionOutput:
        """Read K times."""
        request.refuse_past("a memory with hops")
        request.refuse_sentinel("a memory with hops")
        query = context = request.query
        weights = []
        for hop in range(self.hops):
            output = self.attention(request._replace(query=query, past=None), memory[hop % len(memory)])
            context = output.context
            query = (query if self.update is None else self.update(query)) + context
            weights.append(output.weights)
        return AttentionOutput(context, torch.cat(weights, 1) if request.trace else None, query=query)
