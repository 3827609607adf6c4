"""The decoder of Google's translation system: its first layer alone asks the attention, so no layer waits for another's steps."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seq2attn.attention import AttentionModule, Request
from seq2attn.attention.marginal import Marginal
from seq2attn.models.attending_decoder import AttendingDecoder, AttendingState
from seq2attn.models.dropout import Dropout
from seq2attn.models.embedding import Embedding
from seq2attn.models.lstm import Bridge, LstmState, make_lstm, run_lstm
from seq2attn.models.projection import make_projection
from seq2attn.models.seq2seq import Drawn, Encoded, attach_choices
from seq2attn.tensors import fold, unfold


class GnmtDecoder(AttendingDecoder):
    """h¹_t = LSTM¹(E y_{t-1}); c_t = attention(h¹_t); hˡ_t = LSTMˡ([hˡ⁻¹_t; c_t]); features_t = tanh(W_r [hᴸ_t; c_t]).

    Wu et al. 2016, §3, where the attention asks with the state of the step before, and answers the first layer too. Here it
    asks with the new one and answers the layers above: every layer runs all its steps in one fused call, and all queries are
    one product. With `residual` a layer above the first adds hˡ⁻¹_t to its states (§3.1). Raises ValueError for fewer than two
    layers, and for a mixture of contexts, which no single state can read.
    """

    def __init__(
        self,
        embedding: Embedding,
        *,
        attention: AttentionModule,
        final_width: int,
        width: int,
        layers: int,
        residual: bool,
        dropout: float,
        layer_norm: bool = False,
    ) -> None:
        if layers < 2:
            raise ValueError("what the first layer asks for needs a layer above it to go to")
        if isinstance(attention, Marginal):
            raise ValueError("a mixture needs a state that does not depend on what was attended to")
        super().__init__(embedding, attention)
        self.residual = residual
        self.bridge = Bridge(final_width, width=width, layers=layers)
        sizes = [embedding.width] + [width + attention.context_width] * (layers - 1)
        self.layers = nn.ModuleList(make_lstm(size, width, layer_norm=layer_norm) for size in sizes)
        self.readout = make_projection(width + attention.context_width, embedding.width)
        self.dropout = Dropout(dropout)

    def step(
        self, token: Int[Tensor, "B W"], state: AttendingState, memory: Any
    ) -> tuple[Float[Tensor, "B W D"], AttendingState]:
        """One step of every hypothesis."""
        width = token.shape[1]
        before = LstmState(*fold(state.lstm))
        asking, first = self._run(0, self.embedding(token.reshape(-1, 1)), before)
        request = Request(asking.reshape(len(token), width, -1), state.position[0], past=state.history)
        attended = self.attention(request, memory)
        top, after = self._climb(asking, attended.context.reshape(len(asking), 1, -1), before, first)
        features = top.reshape(len(token), width, -1)
        return features, AttendingState(LstmState(*unfold(after, width)), state.position + 1, attended.history)

    def forward(self, previous: Int[Tensor, "B T"], encoded: Encoded) -> Float[Tensor, "B T D"] | Drawn:
        """Teacher forcing, layer by layer."""
        before = self.bridge(encoded.final)
        positions = torch.arange(previous.shape[1], device=previous.device)
        asking, first = self._run(0, self.embedding(previous), before)
        attended = self.attention(Request(asking, positions), self.remember(encoded))
        features, _ = self._climb(asking, attended.context, before, first)
        return attach_choices(features, [attended.choice], recurrent=True)

    def _run(
        self, layer: int, inputs: Float[Tensor, "N T I"], before: LstmState
    ) -> tuple[Float[Tensor, "N T H"], LstmState]:
        """All steps of one layer, and its state after them."""
        own = LstmState(before.hidden[:, layer : layer + 1], before.cell[:, layer : layer + 1])
        states, after = run_lstm(self.layers[layer], inputs, own)  # type: ignore[arg-type]
        return self.dropout(states), after

    def _climb(
        self, below: Float[Tensor, "N T H"], context: Float[Tensor, "N T V"], before: LstmState, first: LstmState
    ) -> tuple[Float[Tensor, "N T D"], LstmState]:
        """The features that the layers above the first make of its states, and the state of all layers after them."""
        context, ends = context.to(below.dtype), [first]
        for layer in range(1, len(self.layers)):
            states, after = self._run(layer, torch.cat([below, context], 2), before)
            below = states + below if self.residual else states
            ends.append(after)
        features = self.dropout(torch.tanh(self.readout(torch.cat([below, context], 2))))
        return features, LstmState(torch.cat([end.hidden for end in ends], 1), torch.cat([end.cell for end in ends], 1))
