"""Multi-head attention: any one-head attention, run in parallel on H projections of its inputs."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from seq2attn.attention.attention import Attention, AttentionOutput, Memory
from seq2attn.attention.rotary import rotated
from seq2attn.tensors import Tree


class MultiHead(nn.Module):
    """head_h = attention(q W_h^Q, K W_h^K, V W_h^V); output = [head_1; …; head_H] W^O (Vaswani et al. 2017, §3.2.2).

    `attention` works on rows of width / heads. With `groups` < heads, heads / groups heads share each key and value
    (Ainslie et al. 2023; one group: Shazeer 2019), which divides the memory. `rotary` turns queries and keys by their positions
    (Su et al. 2021). Raises ValueError if the heads do not divide the width, or the groups the heads, or if temporal heads share
    keys.
    """

    def __init__(
        self,
        attention: Attention,
        *,
        heads: int,
        query_width: int,
        key_width: int,
        value_width: int,
        width: int,
        groups: int | None = None,
        rotary: bool = False,
    ) -> None:
        super().__init__()
        groups = groups or heads
        if width % heads:
            raise ValueError(f"{heads} heads do not divide a width of {width}")
        if heads % groups:
            raise ValueError(f"{groups} groups do not divide {heads} heads")
        if attention.temporal and groups < heads:
            raise ValueError("temporal attention needs a group for each head: every head has a history of its own")
        self.attention = attention
        self.heads = heads
        self.groups = groups
        self.rotary = rotary
        self.context_width = query_width
        self.query = nn.Linear(query_width, width)
        self.key = nn.Linear(key_width, width // heads * groups)
        self.value = nn.Linear(value_width, width // heads * groups)
        self.output = nn.Linear(width, query_width)
        for projection in (self.query, self.key, self.value, self.output):
            nn.init.xavier_uniform_(projection.weight)
            nn.init.zeros_(projection.bias)

    def remember(
        self,
        states: Float[Tensor, "B S D"],
        mask: Bool[Tensor, "B S"],
        values: Float[Tensor, "B S V"] | None = None,
    ) -> Memory:
        """Keys and values of every group."""
        keys = self.attention.score.keys(self._split(self.key(states), self.groups))
        return Memory(keys, self._split(self.value(states if values is None else values), self.groups), mask)

    def start(self, mask: Bool[Tensor, "B S"], width: int) -> Tree:
        """The history of the attention inside."""
        return self.attention.start(mask, width, self.groups)

    def forward(
        self,
        query: Float[Tensor, "B Q D"],
        memory: Memory,
        positions: Int[Tensor, " Q"] | None = None,
        *,
        past: Tree | None = None,
        sentinel: Float[Tensor, "B Q X"] | None = None,
        trace: bool = False,
    ) -> AttentionOutput:
        """Attend with every head; `weights` are by head. The heads of one group are further queries against its keys."""
        queries = self._split(self.query(query), self.heads)
        if self.rotary:
            if positions is None:
                raise ValueError("rotary positions need the queries' positions")
            queries = rotated(queries, positions)
            places = torch.arange(memory.mask.shape[1], device=queries.device)
            memory = memory._replace(keys=rotated(memory.keys, places))
        shared = self.heads // self.groups
        if shared > 1:
            queries = queries.unflatten(1, (self.groups, shared)).flatten(2, 3)
            positions = None if positions is None else positions.repeat(shared)
        found = self.attention.attend(queries, memory, positions, past=past, trace=trace)
        context, weights = self._by_head(found.context), found.weights
        weights = None if weights is None else self._by_head(weights)
        return AttentionOutput(self.output(context.transpose(1, 2).flatten(2)), weights, found.history)

    def _split(self, states: Float[Tensor, "B Q D"], parts: int) -> Float[Tensor, "B P Q K"]:
        return states.unflatten(-1, (parts, -1)).transpose(1, 2)

    def _by_head(self, grouped: Float[Tensor, "B G RQ V"]) -> Float[Tensor, "B H Q V"]:
        return grouped.unflatten(2, (self.heads // self.groups, -1)).flatten(1, 2)
