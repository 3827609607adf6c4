"""Luong's decoder: it attends after its step, with the state it has just reached."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seq2attn.attention import AttentionModule, Request, Sentinel
from seq2attn.attention.aggregation import Choice, Mixture
from seq2attn.attention.marginal import Marginal
from seq2attn.models.attending_decoder import AttendingDecoder
from seq2attn.models.dropout import Dropout
from seq2attn.models.embedding import Embedding
from seq2attn.models.lstm import Bridge, LstmState, make_lstm, make_stepper, run_lstm
from seq2attn.models.projection import make_projection
from seq2attn.models.seq2seq import Drawn, Encoded, attach_choices
from seq2attn.tensors import Tree, fold, unfold

Drop: TypeAlias = Callable[[Tensor], Tensor]


class LuongState(NamedTuple):
    """What Luong's decoder carries from step to step.

    features: those of the last step, which input feeding feeds back.
    position: the next target step, from 0.
    history: what the attention has to know of earlier steps.
    """

    lstm: LstmState
    features: Float[Tensor, "*N D"]
    position: Int[Tensor, "*N"]
    history: Tree


class LuongDecoder(AttendingDecoder):
    """s_t = LSTM(E y_{t-1}, s_{t-1}); c_t = attention(s_t); features_t = tanh(W_c [c_t; s_t]) (Luong et al. 2015, eq. 5).

    With `input_feeding` the step reads [E y_{t-1}; features_{t-1}] (§3.3). Without it all steps run in one fused call and one
    batched attention. A `sentinel` offers adaptive attention the decoder's own memory; its cells are known only step by step.
    A mixture of contexts gives a mixture of features, one for each. The features have the size of the embeddings, so the two
    can be tied. Raises ValueError if a mixture would have to be fed back.
    """

    def __init__(
        self,
        embedding: Embedding,
        *,
        attention: AttentionModule,
        final_width: int,
        width: int,
        layers: int,
        input_feeding: bool,
        dropout: float,
        sentinel: bool = False,
        layer_norm: bool = False,
    ) -> None:
        if isinstance(attention, Marginal) and (input_feeding or sentinel):
            raise ValueError("a mixture needs a state that does not depend on what was attended to")
        super().__init__(embedding, attention)
        self.input_feeding = input_feeding
        self.bridge = Bridge(final_width, width=width, layers=layers)
        self.lstm = make_lstm(
            embedding.width * (2 if input_feeding else 1), width, layers, dropout, layer_norm=layer_norm
        )
        self.combine = make_projection(attention.context_width + width, embedding.width)
        self.dropout = Dropout(dropout)
        self.sentinel = Sentinel(input_width=self.lstm.input_size, width=width) if sentinel else None

    def start(self, encoded: Encoded, width: int) -> LuongState:
        """The bridge's state and zero features, once for each hypothesis; leaves "B W …"."""
        state = self.bridge.start_hypotheses(encoded.final, width)
        return LuongState(
            state,
            state.hidden.new_zeros(len(encoded.final), width, self.embedding.width),
            torch.zeros(len(encoded.final), width, dtype=torch.long, device=encoded.final.device),
            self.attention.start(encoded.mask, width),
        )

    def step(
        self, token: Int[Tensor, "B W"], state: LuongState, memory: Any
    ) -> tuple[Float[Tensor, "B W D"] | Mixture, LuongState]:
        """One step of every hypothesis."""
        width = token.shape[1]
        inputs = self.embedding(token)
        if self.input_feeding:
            inputs = torch.cat([inputs, state.features.to(inputs.dtype)], 2)
        _, after = run_lstm(self.lstm, inputs.reshape(-1, 1, self.lstm.input_size), LstmState(*fold(state.lstm)))
        after = LstmState(*unfold(after, width))
        sentinel = None
        if self.sentinel is not None:
            sentinel = self.sentinel(inputs, state.lstm.hidden[:, :, -1], after.cell[:, :, -1])
        features, history, _ = self._attend(after.hidden[:, :, -1], memory, state.position[0], state.history, sentinel)
        fed = features if isinstance(features, Tensor) else state.features
        return features, LuongState(after, fed, state.position + 1, history)

    def forward(self, previous: Int[Tensor, "B T"], encoded: Encoded) -> Float[Tensor, "B T D"] | Mixture | Drawn:
        """Teacher forcing: steps only with input feeding or a sentinel."""
        memory = self.remember(encoded)
        embedded = self.embedding(previous)
        state = self.bridge(encoded.final)
        positions = torch.arange(previous.shape[1], device=previous.device)
        if not self.input_feeding and self.sentinel is None:
            hidden, _ = run_lstm(self.lstm, embedded, state)
            features, _, choice = self._attend(hidden, memory, positions)
            if isinstance(features, Mixture):
                return features
            draws = features.shape[1] // previous.shape[1]
            return attach_choices(features, [choice], recurrent=False, draws=draws)
        stepper = make_stepper(self.lstm, embedded)
        history = self.attention.start(encoded.mask, 1)
        fed = state.hidden.new_zeros(len(previous), 1, self.embedding.width if self.input_feeding else 0)
        drops = self.dropout.hold(), self.dropout.hold()
        steps, choices = [], []
        for position in positions.unsqueeze(1):
            before, sentinel = state.hidden[:, -1:], None
            state = stepper.step(fed.squeeze(1), state)
            if self.sentinel is not None:
                inputs = torch.cat([embedded[:, position], fed.to(embedded.dtype)], 2)
                sentinel = self.sentinel(inputs, before, state.cell[:, -1:])
            features, history, choice = self._attend(state.hidden[:, -1:], memory, position, history, sentinel, drops)
            assert isinstance(features, Tensor)
            fed = features if self.input_feeding else fed
            steps.append(features)
            choices.append(choice)
        return attach_choices(torch.cat(steps, 1), choices, recurrent=self.input_feeding)

    def _attend(
        self,
        hidden: Float[Tensor, "B Q H"],
        memory: Any,
        positions: Int[Tensor, " Q"],
        past: Tree | None = None,
        sentinel: Float[Tensor, "B Q H"] | None = None,
        drops: tuple[Drop, Drop] | None = None,
    ) -> tuple[Float[Tensor, "B N D"] | Mixture, Tree, Choice | None]:
        """The features of each state, the attention's history after it, and what it drew.

        `drops` drop from the states and from the features; by default both are `dropout`. N is Q; where an attention draws
        several positions for each query, there is a block of Q features for each of them.
        """
        drop_states, drop_features = drops or (self.dropout, self.dropout)
        hidden = drop_states(hidden)
        attended = self.attention(Request(hidden, positions, past, sentinel), memory)
        query = hidden if attended.query is None else attended.query.to(hidden.dtype)
        context = attended.context
        if isinstance(context, Mixture):
            queries = query[:, :, None].expand(-1, -1, context.values.shape[2], -1)
            return (
                context._replace(values=drop_features(self._features(context.values, queries))),
                attended.history,
                None,
            )
        query = query.repeat(1, context.shape[1] // query.shape[1], 1)  # once for each draw
        return drop_features(self._features(context, query)), attended.history, attended.choice

    def _features(self, context: Float[Tensor, "*N V"], query: Float[Tensor, "*N H"]) -> Float[Tensor, "*N D"]:
        return torch.tanh(self.combine(torch.cat([context.to(query.dtype), query], -1)))
