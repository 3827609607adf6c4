"""A stack of causal self-attention, cross-attention and feed-forward layers."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from seq2attn.attention import AttentionModule, Memory, Request, SelfAttention
from seq2attn.compiling import compiled
from seq2attn.models.embedding import Embedding
from seq2attn.models.past import Past, Slots
from seq2attn.models.seq2seq import Encoded
from seq2attn.models.transformer_layer import Residual, make_feed_forward
from seq2attn.tensors import compute_dtype, map_tree


class Steps(NamedTuple):
    """Which of a sentence's N slots are whose, at a step of search.

    places: the slots of a hypothesis, this step's last. own: the same, as True among all slots. position: that of this step.
    """

    places: Int[Tensor, "B W T"]
    own: Bool[Tensor, "B W N"]
    position: int


class TransformerDecoderLayer(nn.Module):
    """Self-attention over the target so far, attention to the source, a feed-forward block."""

    self_attention: SelfAttention
    attention: AttentionModule

    def __init__(
        self,
        self_attention: SelfAttention,
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
    def forward(self, states: Float[Tensor, "B T D"], source: Memory) -> Float[Tensor, "B T D"]:
        """All T steps of a target at once."""
        inputs = self.around_self_attention.prepare(states)
        positions = torch.arange(states.shape[1], device=states.device)
        target = self.self_attention.remember(inputs, inputs.new_ones(inputs.shape[:2], dtype=torch.bool))
        context = self.self_attention(Request(inputs, positions), target).context
        return self._finish(states, context, positions, source)

    def step(
        self, states: Float[Tensor, "B W D"], source: Memory, before: Slots, steps: Steps
    ) -> tuple[Float[Tensor, "B W D"], Slots]:
        """The next step of W hypotheses, and the slots with those of this step."""
        inputs = self.around_self_attention.prepare(states)
        rows = inputs.reshape(-1, 1, inputs.shape[2])
        new = self.self_attention.remember(rows, rows.new_ones(rows.shape[:2], dtype=torch.bool), start=steps.position)
        keys, values = (
            part.unflatten(0, inputs.shape[:2])[:, :, :, 0].transpose(1, 2) for part in (new.keys, new.values)
        )
        slots = before.append(keys, values)
        positions = torch.full((inputs.shape[1],), steps.position, device=states.device)
        if self.self_attention.sees_all:  # all hypotheses ask the sentence's keys together
            request = Request(inputs, positions, own=steps.own)
            mask = torch.ones(steps.own[:, 0].shape, dtype=torch.bool, device=states.device)
            context = self.self_attention(request, Memory(slots.keys, slots.values, mask)).context
        else:  # each asks a sequence of its own, as its span must know the distances
            context = self.self_attention(Request(rows, positions[:1]), slots.gather(steps.places)).context
        return self._finish(states, context.view(inputs.shape), positions, source), slots

    def _finish(
        self,
        states: Float[Tensor, "B T D"],
        context: Float[Tensor, "B T D"],
        positions: Int[Tensor, " T"],
        source: Memory,
    ) -> Float[Tensor, "B T D"]:
        """What follows self-attention."""
        states = self.around_self_attention.add(states, context)
        inputs = self.around_attention.prepare(states)
        states = self.around_attention.add(states, self.attention(Request(inputs, positions), source).context)
        return self.around_feedforward.add(states, self.feedforward(self.around_feedforward.prepare(states)))


class TransformerDecoder(nn.Module):
    """Vaswani et al. 2017, §3.1, pre- or post-norm. Features have the size of the embeddings."""

    def __init__(
        self,
        embedding: Embedding,
        *,
        self_attentions: Sequence[SelfAttention],
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

    def start(self, encoded: Encoded, width: int) -> Past:
        """No steps yet."""
        tokens = torch.zeros(len(encoded.mask), 0, dtype=torch.long, device=encoded.mask.device)
        empty, mask = self.embedding(tokens), tokens.bool()
        memories = [layer.self_attention.remember(empty, mask) for layer in self._layers()]
        places = tokens[:, None].expand(-1, width, -1)
        return Past(places, tuple(Slots(memory.keys, memory.values, 0) for memory in memories))

    def step(
        self, token: Int[Tensor, "B W"], state: Past, memory: tuple[Memory, ...]
    ) -> tuple[Float[Tensor, "B W D"], Past]:
        """One step of every hypothesis."""
        width, position = token.shape[1], state.places.shape[2]
        number = state.layers[0].number
        new = torch.arange(number, number + width, device=token.device)
        places = torch.cat([state.places, new[None, :, None].expand(len(token), -1, -1)], 2)
        own = torch.zeros(*token.shape, number + width, dtype=torch.bool, device=token.device).scatter_(2, places, True)
        steps = Steps(places, own, position)
        states = self.embedding(token.reshape(-1, 1), start=position).reshape(*token.shape, -1)
        layers = []
        for layer, source, before in zip(self._layers(), memory, state.layers, strict=True):
            states, slots = layer.step(states, source, before, steps)
            layers.append(slots)
        return self.norm(states), Past(places, tuple(layers))

    def forward(self, previous: Int[Tensor, "B T"], encoded: Encoded) -> Float[Tensor, "B T D"]:
        """Teacher forcing, all steps in parallel. Padding comes last in `previous`, so the causal span already hides it."""
        states = self.embedding(previous)
        for layer, source in zip(self._layers(), self.remember(encoded), strict=True):
            states = layer(states, source)
        return self.norm(states)
