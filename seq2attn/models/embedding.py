"""Token embeddings and position encodings."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seq2attn.errors import DataError
from seq2attn.models.dropout import Dropout, WordDropout
from seq2attn.tokens import PAD


def token_embedding(size: int, width: int) -> nn.Embedding:
    """An embedding table, entries N(0, 1/width), the padding row zero."""
    table = nn.Embedding(size, width, padding_idx=PAD)
    nn.init.normal_(table.weight, std=width**-0.5)
    with torch.no_grad():
        table.weight[PAD] = 0
    return table


class Sinusoidal(nn.Module):
    """P[p, 2i] = sin(p / 10000^(2i/d)), P[p, 2i+1] = cos(p / 10000^(2i/d)) (Vaswani et al. 2017, §3.5). Any length."""

    frequencies: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        if width % 2:
            raise ValueError(f"sinusoidal positions need an even width, not {width}")
        exponents = torch.arange(0, width, 2, dtype=torch.float64) / width
        # fp32, which every device has, so that a loaded model computes what the trained one did
        self.register_buffer("frequencies", (10000.0**-exponents).float(), persistent=False)

    def forward(self, positions: Int[Tensor, " T"]) -> Float[Tensor, "T D"]:
        """The encodings of `positions`, counted from 0."""
        angles = positions[:, None].to(self.frequencies.dtype) * self.frequencies
        return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)


class Learned(nn.Module):
    """One trained vector for each position below `length`."""

    def __init__(self, width: int, length: int) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.empty(length, width))
        nn.init.normal_(self.table, std=width**-0.5)

    def forward(self, positions: Int[Tensor, " T"]) -> Float[Tensor, "T D"]:
        """The rows of `positions`."""
        return self.table[positions]


class Embedding(nn.Module):
    """x = √width · E[token] + P[position], then dropout (Vaswani et al. 2017, §3.4). `positions` None: no position encoding.

    The factor serves recurrent models as much: the rows of E have length 1, right for an output projection that is tied to
    them, but too short to move an LSTM's gates.
    """

    def __init__(
        self, table: nn.Embedding, *, dropout: float, positions: nn.Module | None = None, word_dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.table = table
        self.width = table.embedding_dim
        self.positions = positions
        self.dropout = Dropout(dropout)
        self.word_dropout = WordDropout(word_dropout)

    @property
    def longest(self) -> int | None:
        """The most tokens that it can embed; None: any number."""
        return len(self.positions.table) if isinstance(self.positions, Learned) else None

    def forward(self, tokens: Int[Tensor, "B T"], start: int = 0) -> Float[Tensor, "B T D"]:
        """Embed tokens whose first stands at position `start`. Raises DataError beyond the learned positions."""
        end = start + tokens.shape[1]
        if self.longest is not None and end > self.longest:
            raise DataError(
                f"a sentence of more than {self.longest} subwords, but this model learned positions only up to there",
                "train with `positions: sinusoidal`, or raise data.max_length",
            )
        embedded = self.word_dropout(self.table(tokens)) * math.sqrt(self.width)
        if self.positions is not None:
            places = torch.arange(start, end, device=tokens.device)
            embedded = embedded + self.positions(places).to(embedded.dtype)
        return self.dropout(embedded)
