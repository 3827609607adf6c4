"""Multi-head attention: any one-head attention, run in parallel on H projections of its inputs."""

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from seq2attn.attention.attention import Attention, AttentionOutput, Memory


class MultiHead(nn.Module):
    """head_h = attention(q W_h^Q, K W_h^K, V W_h^V); output = [head_1; …; head_H] W^O (Vaswani et al. 2017, §3.2.2).

    `attention` works on rows of width / heads. Raises ValueError if the heads do not divide the width.
    """

    def __init__(
        self, attention: Attention, *, heads: int, query_width: int, key_width: int, value_width: int, width: int
    ) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"{heads} heads do not divide a width of {width}")
        self.attention = attention
        self.heads = heads
        self.context_width = query_width
        self.query = nn.Linear(query_width, width)
        self.key = nn.Linear(key_width, width)
        self.value = nn.Linear(value_width, width)
        self.output = nn.Linear(width, query_width)
        for projection in (self.query, self.key, self.value, self.output):
            nn.init.xavier_uniform_(projection.weight)
            nn.init.zeros_(projection.bias)

    def remember(
        self, states: Float[Tensor, "B S D"], mask: Bool[Tensor, "B S"], values: Float[Tensor, "B S V"] | None = None
    ) -> Memory:
        """Keys and values of every head."""
        keys = self.attention.score.keys(self._split(self.key(states)))
        return Memory(keys, self._split(self.value(states if values is None else values)), mask)

    def forward(
        self,
        query: Float[Tensor, "B Q D"],
        memory: Memory,
        positions: Int[Tensor, " Q"] | None = None,
        trace: bool = False,
    ) -> AttentionOutput:
        """Attend with every head; `weights` are by head."""
        context, weights = self.attention.attend(self._split(self.query(query)), memory, positions, trace)
        return AttentionOutput(self.output(context.transpose(1, 2).flatten(2)), weights)

    def _split(self, states: Float[Tensor, "B Q D"]) -> Float[Tensor, "B H Q K"]:
        return states.unflatten(-1, (self.heads, -1)).transpose(1, 2)
