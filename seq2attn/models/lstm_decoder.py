"""The bottleneck: an LSTM decoder that sees the source only through one fixed vector."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seq2attn.models.dropout import Dropout
from seq2attn.models.embedding import Embedding
from seq2attn.models.lstm import Bridge, LstmState, make_lstm, run_lstm
from seq2attn.models.projection import make_projection
from seq2attn.models.seq2seq import Encoded
from seq2attn.tensors import fold, unfold


class LstmDecoder(nn.Module):
    """z = tanh(W_z final); s_t = LSTM(E y_{t-1}, s_{t-1}), s_0 = bridge(z); features_t = tanh(W_r s_t).

    z, of size `bottleneck`, is all that the decoder knows of the source: as initial state only (Sutskever et al. 2014), or
    with `every_step` also as a part of every input (Cho et al. 2014).
    """

    def __init__(
        self,
        embedding: Embedding,
        *,
        final_width: int,
        bottleneck: int,
        width: int,
        layers: int,
        every_step: bool,
        dropout: float = 0.0,
        layer_norm: bool = False,
    ) -> None:
        super().__init__()
        self.embedding = embedding
        self.every_step = every_step
        self.bottleneck = make_projection(final_width, bottleneck)
        self.bridge = Bridge(bottleneck, width=width, layers=layers)
        inputs = embedding.width + (bottleneck if every_step else 0)
        self.lstm = make_lstm(inputs, width, layers, dropout, layer_norm=layer_norm)
        self.readout = make_projection(width, embedding.width)
        self.dropout = Dropout(dropout)

    def vector(self, encoded: Encoded) -> Float[Tensor, "B Z"]:
        """z, the fixed vector."""
        return torch.tanh(self.bottleneck(encoded.final))

    @property
    def longest(self) -> int | None:
        """The most tokens that it can write; None: any number."""
        return self.embedding.longest

    def remember(self, encoded: Encoded) -> Float[Tensor, "B Z"]:
        """The fixed vector."""
        return self.vector(encoded)

    def start(self, encoded: Encoded, width: int) -> LstmState:
        """The bridge's state, once for each hypothesis; leaves "B W L H"."""
        return self.bridge.start_hypotheses(self.vector(encoded), width)

    def step(
        self, token: Int[Tensor, "B W"], state: LstmState, memory: Float[Tensor, "B Z"]
    ) -> tuple[Float[Tensor, "B W D"], LstmState]:
        """One step of every hypothesis."""
        width = token.shape[1]
        inputs = self._inputs(token.reshape(-1, 1), memory.repeat_interleave(width, 0))
        outputs, after = run_lstm(self.lstm, inputs, LstmState(*fold(state)))
        return self._features(outputs).reshape(-1, width, self.embedding.width), LstmState(*unfold(after, width))

    def forward(self, previous: Int[Tensor, "B T"], encoded: Encoded) -> Float[Tensor, "B T D"]:
        """All steps, in one fused call without layer norm."""
        vector = self.vector(encoded)
        outputs, _ = run_lstm(self.lstm, self._inputs(previous, vector), self.bridge(vector))
        return self._features(outputs)

    def _inputs(self, tokens: Int[Tensor, "N T"], vector: Float[Tensor, "N Z"]) -> Float[Tensor, "N T I"]:
        embedded = self.embedding(tokens)
        if not self.every_step:
            return embedded
        return torch.cat([embedded, vector[:, None].expand(-1, tokens.shape[1], -1).to(embedded.dtype)], 2)

    def _features(self, outputs: Float[Tensor, "N T H"]) -> Float[Tensor, "N T D"]:
        return self.dropout(torch.tanh(self.readout(self.dropout(outputs))))
