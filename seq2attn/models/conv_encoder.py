"""A stack of gated convolutions over the source."""

import math

from jaxtyping import Int
from torch import Tensor, nn
from torch.nn.functional import glu

from seq2attn.models.dropout import Dropout
from seq2attn.models.embedding import Embedding
from seq2attn.models.seq2seq import Encoded
from seq2attn.tensors import mean
from seq2attn.tokens import PAD

_SQRT_HALF = math.sqrt(0.5)  # keeps the variance of a sum of two (Gehring et al. 2017, §3.4)


class ConvEncoder(nn.Module):
    """[a | b] = conv(x), y = (a ⊙ σ(b) + x) · √½ in every layer (Gehring et al. 2017, §3.2); as wide as the embedding.

    Keys are the last layer's z, values (z + e) · √½ with the embedded source e (§3.3). A state sees 1 + layers · (kernel − 1)
    tokens. `final` is the mean of the real states. Dropout acts on the input of each convolution. Padding is zero before each
    of them, so it looks like the end of the sentence. An even `kernel` raises ValueError.
    """

    def __init__(self, embedding: Embedding, *, layers: int, kernel: int, dropout: float) -> None:
        super().__init__()
        if kernel % 2 == 0:
            raise ValueError(f"a convolution that keeps the length needs an odd kernel, not {kernel}")
        self.embedding = embedding
        self.width = self.final_width = width = embedding.width
        self.layers = nn.ModuleList(_convolution(width, kernel, dropout) for _ in range(layers))
        self.dropout = Dropout(dropout)

    def forward(self, source: Int[Tensor, "B S"]) -> Encoded:
        """Encode padded sentences."""
        mask = source != PAD
        embedded = self.embedding(source).transpose(1, 2)
        padding = ~mask[:, None]
        states = embedded
        for layer in self.layers:
            gated = glu(layer(self.dropout(states.masked_fill(padding, 0))), dim=1)
            states = (gated + states) * _SQRT_HALF
        values = (states + embedded) * _SQRT_HALF
        states = states.transpose(1, 2)
        return Encoded(states, mask, mean(states, mask), values.transpose(1, 2))


def _convolution(width: int, kernel: int, dropout: float) -> nn.Conv1d:
    """Weights N(0, 4 (1 − dropout) / (kernel · width)), which keep the variance through the gate (§3.5), and zero bias."""
    layer = nn.Conv1d(width, 2 * width, kernel, padding=kernel // 2)
    nn.init.normal_(layer.weight, std=math.sqrt(4 * (1 - dropout) / (kernel * width)))
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer
