"""Luong's decoder: it attends after its step, with the state it has just reached."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seq2attn.attention import AttentionModule, Memory
from seq2attn.models.dropout import Dropout
from seq2attn.models.embedding import Embedding
from seq2attn.models.lstm import Bridge, LstmState, Stepper, lstm, run
from seq2attn.models.projection import projection
from seq2attn.models.seq2seq import Encoded
from seq2attn.tensors import fold, unfold


class LuongState(NamedTuple):
    """The recurrent state, and the features of the last step (fed back with input feeding)."""

    lstm: LstmState
    features: Float[Tensor, "*N D"]


class LuongDecoder(nn.Module):
    """s_t = LSTM(E y_{t-1}, s_{t-1}); c_t = attention(s_t); features_t = tanh(W_c [c_t; s_t]) (Luong et al. 2015, eq. 5).

    With `input_feeding` the step reads [E y_{t-1}; features_{t-1}] (§3.3). Without it all steps run in one fused call and one
    batched attention. The features have the size of the embeddings, so the two can be tied.
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
    ) -> None:
        super().__init__()
        self.embedding = embedding
        self.attention = attention
        self.input_feeding = input_feeding
        self.bridge = Bridge(final_width, width=width, layers=layers)
        self.lstm = lstm(embedding.width * (2 if input_feeding else 1), width, layers, dropout)
        self.combine = projection(attention.context_width + width, embedding.width)
        self.dropout = Dropout(dropout)

    def remember(self, encoded: Encoded) -> Memory:
        """The attention's keys and values."""
        return self.attention.remember(encoded.states, encoded.mask, encoded.values)

    def start(self, encoded: Encoded, width: int) -> LuongState:
        """The bridge's state and zero features, once for each hypothesis; leaves "B W …"."""
        state = self.bridge.hypotheses(encoded.final, width)
        return LuongState(state, state.hidden.new_zeros(len(encoded.final), width, self.embedding.width))

    def step(
        self, token: Int[Tensor, "B W"], state: LuongState, memory: Memory
    ) -> tuple[Float[Tensor, "B W D"], LuongState]:
        """One step of every hypothesis."""
        width = token.shape[1]
        inputs = self.embedding(token)
        if self.input_feeding:
            inputs = torch.cat([inputs, state.features.to(inputs.dtype)], 2)
        _, after = run(self.lstm, inputs.reshape(-1, 1, self.lstm.input_size), LstmState(*fold(state.lstm)))
        after = LstmState(*unfold(after, width))
        features = self._features(after.hidden[:, :, -1], memory)
        return features, LuongState(after, features)

    def forward(self, previous: Int[Tensor, "B T"], encoded: Encoded) -> Float[Tensor, "B T D"]:
        """Teacher forcing: steps only with input feeding."""
        memory = self.remember(encoded)
        embedded = self.embedding(previous)
        state = self.bridge(encoded.final)
        if not self.input_feeding:
            hidden, _ = run(self.lstm, embedded, state)
            return self._features(hidden, memory)
        stepper = Stepper(self.lstm, embedded)
        features = state.hidden.new_zeros(len(previous), 1, self.embedding.width)
        steps = []
        for _ in range(previous.shape[1]):
            state = stepper.step(features.squeeze(1), state)
            features = self._features(state.hidden[:, -1:], memory)
            steps.append(features)
        return torch.cat(steps, 1)

    def _features(self, hidden: Float[Tensor, "B Q H"], memory: Memory) -> Float[Tensor, "B Q D"]:
        hidden = self.dropout(hidden)
        context = self.attention(hidden, memory).context
        return self.dropout(torch.tanh(self.combine(torch.cat([context.to(hidden.dtype), hidden], 2))))
