"""Adaptive attention: beside the source, the decoder's own memory competes for the weight."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from seq2attn.attention.aggregation import expectation
from seq2attn.attention.attention import Attention, AttentionOutput, History, Memory, Request, scatter_weights


class Adaptive(nn.Module):
    """α̂ = normalizer([e; e_ς]), β = α̂_{S+1}; context = Σ_s α̂_s · value_s + β · W ς (Lu et al. 2017, eqs. 11 to 13).

    ς is the sentinel, which the decoder gives; its score e_ς is that of a further key U ς. It is never masked.
    sentinel_width: the size of ς. key_width: the size of a key as the score of `attention` prepares it.
    Raises ValueError if `attention` chooses a position: the sentinel and the source are averaged.
    """

    def __init__(self, attention: Attention, *, sentinel_width: int, key_width: int) -> None:
        super().__init__()
        if attention.aggregation is not expectation:
            raise ValueError("adaptive attention averages, so its attention cannot choose a position")
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

    def start(self, mask: Bool[Tensor, "B S"], width: int) -> History:
        """The history of the attention inside."""
        return self.attention.start(mask, width)

    def forward(self, request: Request, memory: Memory) -> AttentionOutput:
        """Attend to the source and to the sentinel of each query. Raises ValueError without a sentinel."""
        sentinel = request.sentinel
        if sentinel is None:
            raise ValueError("adaptive attention needs a sentinel")
        attention, queries = self.attention, request.query[:, None]
        focus = attention.span(queries, memory.mask, request.positions)
        beside = attention.score(queries[..., None, :], self.key(sentinel)[:, None, :, None])[..., 0]
        weights, sums = attention.weigh(queries, memory, focus, request, beside)
        source, beta = weights[..., :-1], weights[:, 0, :, -1]
        context = attention.average(source, memory, focus)[:, 0] + beta[..., None] * self.value(sentinel)
        if not request.trace:
            return AttentionOutput(context, history=History(sums))
        return AttentionOutput(context, scatter_weights(source, memory.mask, focus), History(sums), sentinel=beta)


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
        """The sentinel of each step, from its `inputs`, the hidden state before it and the cell after it."""
        return self.gate(torch.cat([inputs, before.to(inputs.dtype)], 2)).sigmoid() * cell.tanh()
