"""A stack of causal self-attention, cross-attention and feed-forward layers."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seq2attn.attention import AttentionModule, Memory, Request
from seq2attn.compiling import compiled
from seq2attn.models.embedding import Embedding
from seq2attn.models.seq2seq import Encoded
from seq2attn.models.transformer_layer import Residual, make_feed_forward
from seq2attn.tensors import compute_dtype, fold, map_tree, unfold

State = tuple[Memory, ...]  # for each layer, the target's keys and values so far; leaves "B W …"


class TransformerDecoderLayer(nn.Module):
    """Self-attention over the target so far, attention to the source, a feed-forward block."""

    self_attention: AttentionModule
    attention: AttentionModule

    def __init__(
        self,
        self_attention: AttentionModule,
        attention: AttentionModule,
        *,
        width: int,
        feedforward: int,
        pre: bool,
        dropout: float,
    ) -> None:
        super().__init__()
        self.self_attention = self_attention
        self.attention = attention
        self.feedforward = make_feed_forward(width, feedforward, dropout)
        self.around_self_attention = Residual(width, pre=pre, dropout=dropout)
        self.around_attention = Residual(width, pre=pre, dropout=dropout)
        self.around_feedforward = Residual(width, pre=pre, dropout=dropout)

    @compiled
    def forward(
        self, states: Float[Tensor, "B T D"], source: Memory, past: Memory | None = None
    ) -> tuple[Float[Tensor, "B T D"], Memory]:
        """All T steps at once, or with `past` (leaves "B W …") the next step of W = T hypotheses.

        Returns the states and the target's keys and values, with those of this step.
        """
        inputs = self.around_self_attention.prepare(states)
        positions = torch.arange(states.shape[1], device=states.device)
        if past is None:
            target = self.self_attention.remember(inputs, inputs.new_ones(inputs.shape[:2], dtype=torch.bool))
            context = self.self_attention(Request(inputs, positions), target).context
        else:
            positions = torch.full_like(positions, past.mask.shape[2])
            rows = inputs.reshape(-1, 1, inputs.shape[2])  # every hypothesis attends to a target of its own
            step = self.self_attention.remember(rows, rows.new_ones(rows.shape[:2], dtype=torch.bool))
            extended = _append(Memory(*fold(past)), step)
            context = self.self_attention(Request(rows, positions[:1]), extended).context.reshape(inputs.shape)
            target = Memory(*unfold(extended, inputs.shape[1]))
        states = self.around_self_attention.add(states, context)
        inputs = self.around_attention.prepare(states)
        states = self.around_attention.add(states, self.attention(Request(inputs, positions), source).context)
        return self.around_feedforward.add(states, self.feedforward(self.around_feedforward.prepare(states))), target


class TransformerDecoder(nn.Module):
    """Vaswani et al. 2017, §3.1, pre- or post-norm. Features have the size of the embeddings."""

    def __init__(
        self,
        embedding: Embedding,
        *,
        self_attentions: Sequence[AttentionModule],
        attentions: Sequence[AttentionModule],
        feedforward: int,
        pre: bool,
        dropout: float,
    ) -> None:
        super().__init__()
        self.embedding = embedding
        width = embedding.width
        self.layers = nn.ModuleList(
            TransformerDecoderLayer(
                over_target, over_source, width=width, feedforward=feedforward, pre=pre, dropout=dropout
            )
            for over_target, over_source in zip(self_attentions, attentions, strict=True)
        )
        self.norm = nn.LayerNorm(width) if pre else nn.Identity()

    def _layers(self) -> list[TransformerDecoderLayer]:
        return list(self.layers)  # type: ignore[arg-type]

    @property
    def longest(self) -> int | None:
        """The most tokens that it can write; None: any number."""
        return self.embedding.longest

    def remember(self, encoded: Encoded) -> tuple[Memory, ...]:
        """Each layer's keys and values of the source."""
        states = encoded.states.to(compute_dtype(encoded.states))  # once, and not for each product
        memories = (layer.attention.remember(states, encoded.mask, encoded.values) for layer in self._layers())
        return tuple(Memory(*map_tree(Tensor.contiguous, memory)) for memory in memories)

    def start(self, encoded: Encoded, width: int) -> State:
        """An empty past for each layer."""
        tokens = torch.zeros(len(encoded.mask) * width, 0, dtype=torch.long, device=encoded.mask.device)
        empty, mask = self.embedding(tokens), tokens.bool()
        return tuple(Memory(*unfold(layer.self_attention.remember(empty, mask), width)) for layer in self._layers())

    def step(
        self, token: Int[Tensor, "B W"], state: State, memory: tuple[Memory, ...]
    ) -> tuple[Float[Tensor, "B W D"], State]:
        """One step of every hypothesis."""
        length = state[0].mask.shape[2]
        states = self.embedding(token.reshape(-1, 1), start=length).reshape(*token.shape, -1)
        pasts = []
        for layer, past, source in zip(self._layers(), state, memory, strict=True):
            states, past = layer(states, source, past)
            pasts.append(past)
        return self.norm(states), tuple(pasts)

    def forward(self, previous: Int[Tensor, "B T"], encoded: Encoded) -> Float[Tensor, "B T D"]:
        """Teacher forcing, all steps in parallel. Padding comes last in `previous`, so the causal span already hides it."""
        states = self.embedding(previous)
        for layer, source in zip(self._layers(), self.remember(encoded), strict=True):
            states, _ = layer(states, source)
        return self.norm(states)


def _append(past: Memory, step: Memory) -> Memory:
    """The past with the keys and values of one more step."""
    return Memory(
        torch.cat([past.keys, step.keys], 2),
        torch.cat([past.values, step.values], 2),
        torch.cat([past.mask, step.mask], 1),
    )
