"""Adaptive attention: beside the source, the decoder's own memory competes for the weight."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from seq2attn.attention.attention import Attention, AttentionOutput, Memory, scattered
from seq2attn.tensors import Tree


class Adaptive(nn.Module):
    """α̂ = normalizer([e; e_ς]), β = α̂_{S+1}; context = Σ_s α̂_s · value_s + β · W ς (Lu et al. 2017, eqs. 11 to 13).

    ς is the sentinel, which the decoder gives; its score e_ς is that of a further key U ς. It is never masked.
    """

    def __init__(self, attention: Attention, *, sentinel_width: int, key_width: int) -> None:
        super().__init__()
        self.attention = attention
        self.context_width = attention.context_width
        self.key = nn.Linear(sentinel_width, key_width, bias=False)
        self.value = nn.Linear(sentinel_width, attention.context_width, bias=False)
        nn.init.xavier_uniform_(self.key.weight)
        nn.init.xavier_uniform_(self.value.weight)

    def remember(
        self, states: Float[Tensor, "B S D"], mask: Bool[Tensor, "B S"], values: Float[Tensor, "B S V"] | None = None
    ) -> Memory:
        """The keys and values of the attention inside."""
        return self.attention.remember(states, mask, values)

    def start(self, mask: Bool[Tensor, "B S"], width: int) -> Tree:
        """The history of the attention inside."""
        return self.attention.start(mask, width)

    def forward(
        self,
        query: Float[Tensor, "B Q D"],
        memory: Memory,
        positions: Int[Tensor, " Q"] | None = None,
        *,
        past: Tree | None = None,
        sentinel: Float[Tensor, "B Q X"] | None = None,
        trace: bool = False,
    ) -> AttentionOutput:
        """Attend to the source and to the sentinel of each query, which is required."""
        if sentinel is None:
            raise ValueError("adaptive attention needs a sentinel")
        attention, queries = self.attention, query[:, None]
        focus = attention.span(queries, memory.mask, positions)
        beside = attention.score(queries[..., None, :], self.key(sentinel)[:, None, :, None])[..., 0]
        weights, history = attention.weigh(queries, memory, focus, past, beside)
        source, beta = weights[..., :-1], weights[:, 0, :, -1]
        context = attention.average(source, memory, focus)[:, 0] + beta[..., None] * self.value(sentinel)
        if not trace:
            return AttentionOutput(context, history=history)
        return AttentionOutput(context, scattered(source, memory.mask, focus), history, sentinel=beta)


class Sentinel(nn.Module):
    """ς_t = σ(W_x x_t + W_h s_{t−1}) ⊙ tanh(m_t): what the LSTM's cell m_t knows by itself (Lu et al. 2017, eqs. 9 and 10)."""

    def __init__(self, *, input_width: int, width: int) -> None:
        super().__init__()
        self.gate = nn.Linear(input_width + width, width)
        nn.init.xavier_uniform_(self.gate.weight)
        nn.init.zeros_(self.gate.bias)

    def forward(
        self, inputs: Float[Tensor, "B T I"], before: Float[Tensor, "B T H"], cell: Float[Tensor, "B T H"]
    ) -> Float[Tensor, "B T H"]:
        """`inputs` of each step, the hidden state before it, and the cell after it."""
        return self.gate(torch.cat([inputs, before.to(inputs.dtype)], 2)).sigmoid() * cell.tanh()
