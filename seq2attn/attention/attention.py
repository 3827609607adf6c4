"""Attention = score → span → normalizer → weights → weighted sum of the values.

`Attention(Additive(…), Global(), softmax)` is Bahdanau's; `Attention(General(…), Global(), softmax)` is Luong's; inside
`MultiHead`, `Attention(Dot(scale=d**-0.5), Causal(), softmax)` is a Transformer decoder's self-attention.
"""

from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import dropout, scaled_dot_product_attention

from seq2attn.attention.normalizers import Normalizer, softmax
from seq2attn.attention.scores import Score
from seq2attn.attention.spans import Span
from seq2attn.tensors import compute_dtype


class Memory(NamedTuple):
    """What attention keeps of a source sequence, made once for each: G groups of keys and values (1, or one for each head)."""

    keys: Float[Tensor, "B G S K"]
    values: Float[Tensor, "B G S V"]
    mask: Bool[Tensor, "B S"]


class AttentionOutput(NamedTuple):
    """The context of each query, and the weights it was made with (only when a trace was asked for; before dropout)."""

    context: Float[Tensor, "B Q V"]
    weights: Float[Tensor, "B G Q S"] | None


@runtime_checkable
class AttentionModule(Protocol):
    """What decoders need of attention, with one head or many."""

    context_width: int

    def remember(
        self, states: Float[Tensor, "B S D"], mask: Bool[Tensor, "B S"], values: Float[Tensor, "B S V"] | None = None
    ) -> Memory:
        """Everything that depends on the source alone. Values default to the states."""

    def __call__(
        self,
        query: Float[Tensor, "B Q D"],
        memory: Memory,
        positions: Int[Tensor, " Q"] | None = None,
        trace: bool = False,
    ) -> AttentionOutput:
        """The context of each query; W hypotheses of one sentence are just W queries against one memory."""


class Attention(nn.Module):
    """context_q = Σ_s weight_qs · value_s, with weights = normalizer(score(query, keys)) inside the span.

    `context_width` is the size of the values. Dropout acts on the weights.
    """

    def __init__(
        self, *, score: Score, span: Span, normalizer: Normalizer, context_width: int, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.score = score
        self.span = span
        self.normalizer = normalizer
        self.context_width = context_width
        self.dropout = dropout

    def remember(
        self, states: Float[Tensor, "B S D"], mask: Bool[Tensor, "B S"], values: Float[Tensor, "B S V"] | None = None
    ) -> Memory:
        """One group of keys and values."""
        return Memory(self.score.keys(states[:, None]), (states if values is None else values)[:, None], mask)

    def forward(
        self,
        query: Float[Tensor, "B Q D"],
        memory: Memory,
        positions: Int[Tensor, " Q"] | None = None,
        trace: bool = False,
    ) -> AttentionOutput:
        """Attend with one head."""
        context, weights = self.attend(query[:, None], memory, positions, trace)
        return AttentionOutput(context.squeeze(1), weights)

    def attend(
        self, query: Float[Tensor, "B G Q D"], memory: Memory, positions: Int[Tensor, " Q"] | None, trace: bool
    ) -> tuple[Float[Tensor, "B G Q V"], Float[Tensor, "B G Q S"] | None]:
        """Attend in every group.

        The fused kernel computes scaled dot + softmax where nobody wants to see the weights; not in bf16 on a CPU, where its
        backward takes several times as long as the composed path's (scripts/bench_kernels.py).
        """
        legal = self.span.legal(memory.mask, positions)
        rate = self.dropout if self.training else 0.0
        fast = query.device.type != "cpu" or compute_dtype(query) != torch.bfloat16
        if self.score.dot_scale is not None and self.normalizer is softmax and fast and not trace:
            keys, values = memory.keys.to(query.dtype), memory.values.to(query.dtype)
            context = scaled_dot_product_attention(query, keys, values, legal, rate, scale=self.score.dot_scale)
            return context, None
        weights = self.normalizer(self.score(query, memory.keys), legal)
        dropped = dropout(weights, rate) if rate else weights
        return dropped.to(memory.values.dtype) @ memory.values, weights if trace else None
