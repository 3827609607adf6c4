"""The residual block that Transformer layers are made of."""

from jaxtyping import Float
from torch import Tensor, nn

from seq2attn.models.dropout import Dropout
from seq2attn.models.projection import make_projection
from seq2attn.tensors import compute_dtype


class Residual(nn.Module):
    """A residual connection around a block f, with its norm before or after it.

    pre: x + dropout(f(norm(x))) (Wang et al. 2019); else, post: norm(x + dropout(f(x))) (Vaswani et al. 2017, §3.1). The layer
    computes f itself: y = residual.add(x, f(residual.prepare(x))).
    """

    def __init__(self, width: int, *, pre: bool, dropout: float) -> None:
        super().__init__()
        self.pre = pre
        self.norm = nn.LayerNorm(width)
        self.dropout = Dropout(dropout)

    def prepare(self, states: Float[Tensor, "B T D"]) -> Float[Tensor, "B T D"]:
        """What the block reads, in the precision of its products: converted here once, and not for each of them."""
        inputs = self.norm(states) if self.pre else states
        return inputs.to(compute_dtype(inputs))

    def add(self, states: Float[Tensor, "B T D"], update: Float[Tensor, "B T D"]) -> Float[Tensor, "B T D"]:
        """Add the block's output to the states that came in."""
        states = states + self.dropout(update)
        return states if self.pre else self.norm(states)


def make_feed_forward(width: int, hidden: int, dropout: float) -> nn.Sequential:
    """max(0, x W_1 + b_1) W_2 + b_2 (Vaswani et al. 2017, eq. 2)."""
    return nn.Sequential(make_projection(width, hidden), nn.ReLU(), Dropout(dropout), make_projection(hidden, width))
