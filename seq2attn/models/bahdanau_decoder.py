"""Bahdanau's decoder: it attends before its step, with the state before it."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seq2attn.attention import AttentionModule, Request
from seq2attn.attention.marginal import Marginal
from seq2attn.models.attending_decoder import AttendingDecoder, AttendingState
from seq2attn.models.dropout import Dropout
from seq2attn.models.embedding import Embedding
from seq2attn.models.lstm import Bridge, LstmState, make_lstm, make_stepper, run_lstm
from seq2attn.models.projection import make_projection
from seq2attn.models.seq2seq import Drawn, Encoded, attach_choices
from seq2attn.tensors import fold, unfold


class BahdanauDecoder(AttendingDecoder):
    """c_t = attention(s_{t-1}); s_t = LSTM([E y_{t-1}; c_t], s_{t-1}); features_t = tanh(W_r [s_t; c_t; E y_{t-1}]).

    Bahdanau et al. 2015, §3.1 and A.2.2 (LSTM for GRU, tanh for maxout). The query is the top layer's state. Raises ValueError
    for a mixture of contexts, which no single state can read.
    """

    def __init__(
        self,
        embedding: Embedding,
        *,
        attention: AttentionModule,
        final_width: int,
        width: int,
        layers: int,
        dropout: float,
        layer_norm: bool = False,
    ) -> None:
        if isinstance(attention, Marginal):
            raise ValueError("a mixture needs a state that does not depend on what was attended to")
        super().__init__(embedding, attention)
        self.bridge = Bridge(final_width, width=width, layers=layers)
        self.lstm = make_lstm(embedding.width + attention.context_width, width, layers, dropout, layer_norm=layer_norm)
        self.readout = make_projection(width + attention.context_width + embedding.width, embedding.width)
        self.dropout = Dropout(dropout)

    def step(
        self, token: Int[Tensor, "B W"], state: AttendingState, memory: Any
    ) -> tuple[Float[Tensor, "B W D"], AttendingState]:
        """One step of every hypothesis."""
        width = token.shape[1]
        embedded = self.embedding(token)
        request = Request(state.lstm.hidden[:, :, -1], state.position[0], past=state.history)
        attended = self.attention(request, memory)
        inputs = torch.cat([embedded, attended.context.to(embedded.dtype)], 2).reshape(-1, 1, self.lstm.input_size)
        _, after = run_lstm(self.lstm, inputs, LstmState(*fold(state.lstm)))
        after = LstmState(*unfold(after, width))
        features = self._features(after.hidden[:, :, -1], attended.context, embedded)
        return features, AttendingState(after, state.position + 1, attended.history)

    def forward(self, previous: Int[Tensor, "B T"], encoded: Encoded) -> Float[Tensor, "B T D"] | Drawn:
        """Teacher forcing: only attention and recurrence step; embeddings and readout take all steps at once."""
        memory = self.remember(encoded)
        embedded = self.embedding(previous)
        stepper = make_stepper(self.lstm, embedded)
        state = self.bridge(encoded.final)
        history = self.attention.start(encoded.mask, 1)
        positions = torch.arange(previous.shape[1], device=previous.device)
        hidden, contexts, choices = [], [], []
        for position in positions.unsqueeze(1):
            attended = self.attention(Request(state.hidden[:, -1:], position, past=history), memory)
            history, context = attended.history, attended.context.squeeze(1)
            state = stepper.step(context, state)
            hidden.append(state.hidden[:, -1])
            contexts.append(context)
            choices.append(attended.choice)
        features = self._features(torch.stack(hidden, 1), torch.stack(contexts, 1), embedded)
        return attach_choices(features, choices, recurrent=True)

    def _features(
        self, hidden: Float[Tensor, "B T H"], context: Float[Tensor, "B T V"], embedded: Float[Tensor, "B T E"]
    ) -> Float[Tensor, "B T E"]:
        read = torch.cat([self.dropout(hidden), context.to(hidden.dtype), embedded.to(hidden.dtype)], 2)
        return self.dropout(torch.tanh(self.readout(read)))
