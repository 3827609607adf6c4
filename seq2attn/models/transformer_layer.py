"""The residual block that Transformer layers are made of."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn

from seq2attn.models.dropout import Dropout
from seq2attn.models.projection import projection


class Residual(nn.Module):
    """pre: x + dropout(f(norm(x))) (Wang et al. 2019); post: norm(x + dropout(f(x))) (Vaswani et al. 2017, §3.1)."""

    def __init__(self, width: int, *, pre: bool, dropout: float) -> None:
        super().__init__()
        self.pre = pre
        self.norm = nn.LayerNorm(width)
        self.dropout = Dropout(dropout)

    def forward(self, states: Float[Tensor, "B T D"], function: Callable[[Tensor], Tensor]) -> Float[Tensor, "B T D"]:
        """Apply `function` beside the identity."""
        if self.pre:
            return states + self.dropout(function(self.norm(states)))
        return self.norm(states + self.dropout(function(states)))


def feed_forward(width: int, hidden: int, dropout: float) -> nn.Sequential:
    """max(0, x W_1 + b_1) W_2 + b_2 (Vaswani et al. 2017, eq. 2)."""
    return nn.Sequential(projection(width, hidden), nn.ReLU(), Dropout(dropout), projection(hidden, width))
