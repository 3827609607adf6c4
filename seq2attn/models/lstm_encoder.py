"""A stack of LSTM layers over the source, one- or bidirectional."""

import torch
from jaxtyping import Int
from torch import Tensor, nn

from seq2attn.models.dropout import Dropout
from seq2attn.models.embedding import Embedding
from seq2attn.models.lstm import apply_lstm, make_lstm
from seq2attn.models.seq2seq import Encoded
from seq2attn.tensors import pick_rows, reorder, reversal
from seq2attn.tokens import PAD


class LstmEncoder(nn.Module):
    """states_s = [→h_s; ←h_s]; final = [→h_S; ←h_1] (Bahdanau et al. 2015, §3.2; one direction: Sutskever et al. 2014).

    `width` is that of each direction. `reverse_source` reads the sentence backwards, its end-of-sentence still last
    (Sutskever et al. 2014, §3.3). With `residual` each layer above the first adds what it has read to its states (Wu et al. 2016,
    §3.1). The left-reading layer reads each sentence reversed within its own length, so padding
    stays at the end of both directions and is invisible.
    """

    def __init__(
        self,
        embedding: Embedding,
        *,
        width: int,
        layers: int,
        bidirectional: bool,
        reverse_source: bool = False,
        dropout: float = 0.0,
        residual: bool = False,
        layer_norm: bool = False,
    ) -> None:
        super().__init__()
        self.embedding = embedding
        self.reverse_source = reverse_source
        self.residual = residual
        self.width = self.final_width = width * (2 if bidirectional else 1)
        sizes = [embedding.width] + [self.width] * (layers - 1)
        self.forwards = nn.ModuleList(make_lstm(size, width, layer_norm=layer_norm) for size in sizes)
        self.backwards = (
            nn.ModuleList(make_lstm(size, width, layer_norm=layer_norm) for size in sizes) if bidirectional else None
        )
        self.dropout = Dropout(dropout)

    def forward(self, source: Int[Tensor, "B S"]) -> Encoded:
        """Encode padded sentences."""
        mask = source != PAD
        last = torch.arange(0, mask.numel(), mask.shape[1], device=mask.device) + mask.sum(1) - 1
        order = reversal(mask, keep_last=1) if self.reverse_source else None
        states = self.embedding(source if order is None else source.gather(1, order))
        final = states
        for layer, right in enumerate(self.forwards):
            if layer:
                states = self.dropout(states)
            read = [apply_lstm(right, states)[0]]
            ends = [read[0]]
            if self.backwards is not None:
                flipped = reversal(mask)
                ends.append(apply_lstm(self.backwards[layer], reorder(states, flipped))[0])
                read.append(reorder(ends[1], flipped))
            below, states = states, torch.cat(read, 2)
            final = torch.cat([pick_rows(end, last) for end in ends], 1)
            if self.residual and layer:
                states = states + below
        if order is not None:
            states = reorder(states, order)
        return Encoded(self.dropout(states), mask, self.dropout(final))
