"""A stack of self-attention and feed-forward layers over the source."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from seq2attn.attention import AttentionModule, Request
from seq2attn.compiling import compiled
from seq2attn.models.embedding import Embedding
from seq2attn.models.seq2seq import Encoded
from seq2attn.models.transformer_layer import Residual, make_feed_forward
from seq2attn.tensors import mean
from seq2attn.tokens import PAD


class TransformerEncoderLayer(nn.Module):
    """Self-attention, then a feed-forward block, each with a residual connection."""

    def __init__(self, attention: AttentionModule, *, width: int, feedforward: int, pre: bool, dropout: float) -> None:
        super().__init__()
        self.attention = attention
        self.feedforward = make_feed_forward(width, feedforward, dropout)
        self.around_attention = Residual(width, pre=pre, dropout=dropout)
        self.around_feedforward = Residual(width, pre=pre, dropout=dropout)

    @compiled
    def forward(self, states: Float[Tensor, "B S D"], mask: Bool[Tensor, "B S"]) -> Float[Tensor, "B S D"]:
        """One layer; `mask` is True at real positions."""
        positions = torch.arange(states.shape[1], device=states.device)
        inputs = self.around_attention.prepare(states)
        memory = self.attention.remember(inputs, mask)
        states = self.around_attention.add(states, self.attention(Request(inputs, positions), memory).context)
        return self.around_feedforward.add(states, self.feedforward(self.around_feedforward.prepare(states)))


class TransformerEncoder(nn.Module):
    """Vaswani et al. 2017, §3.1. `final` is the mean of the real states: a Transformer has no last one."""

    def __init__(
        self,
        embedding: Embedding,
        *,
        attentions: Sequence[AttentionModule],
        feedforward: int,
        pre: bool,
        dropout: float,
    ) -> None:
        super().__init__()
        self.embedding = embedding
        self.width = self.final_width = width = embedding.width
        self.layers = nn.ModuleList(
            TransformerEncoderLayer(attention, width=width, feedforward=feedforward, pre=pre, dropout=dropout)
            for attention in attentions
        )
        self.norm = nn.LayerNorm(width) if pre else nn.Identity()

    def forward(self, source: Int[Tensor, "B S"]) -> Encoded:
        """Encode padded sentences."""
        mask = source != PAD
        states = self.embedding(source)
        for layer in self.layers:
            states = layer(states, mask)
        states = self.norm(states)
        return Encoded(states, mask, mean(states, mask))
