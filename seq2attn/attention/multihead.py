"""Multi-head attention: any one-head attention, run in parallel on H projections of its inputs."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from seq2attn.attention.attention import Attention, AttentionOutput, History, Memory, Request
from seq2attn.attention.rotary import rotate
from seq2attn.tensors import widen


class MultiHead(nn.Module):
    """head_h = attention(q W_h^Q, K W_h^K, V W_h^V); output = [head_1; …; head_H] W^O (Vaswani et al. 2017, §3.2.2).

    `attention` works on rows of width / heads. With fewer `key_value_heads` than heads, heads / key_value_heads heads share each
    key and value (Ainslie et al. 2023; a single one: Shazeer 2019), which divides the memory. `rotary` turns queries and keys by
    their positions in one sequence (Su et al. 2021). Raises ValueError if the heads do not divide the width, or the key-value
    heads the heads, or if temporal heads share keys.
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
        key_value_heads: int | None = None,
        rotary: bool = False,
    ) -> None:
        super().__init__()
        key_value_heads = key_value_heads or heads
        if width % heads:
            raise ValueError(f"{heads} heads do not divide a width of {width}")
        if heads % key_value_heads:
            raise ValueError(f"{key_value_heads} key-value heads do not divide {heads} heads")
        if attention.temporal and key_value_heads < heads:
            raise ValueError("temporal heads cannot share keys: every head has a history of its own")
        self.attention = attention
        self.heads = heads
        self.key_value_heads = key_value_heads
        self.rotary = rotary
        self.context_width = query_width
        self.query = nn.Linear(query_width, width)
        self.key = nn.Linear(key_width, width // heads * key_value_heads)
        self.value = nn.Linear(value_width, width // heads * key_value_heads)
        self.output = nn.Linear(width, query_width)
        for projection in (self.query, self.key, self.value, self.output):
            nn.init.xavier_uniform_(projection.weight)
            nn.init.zeros_(projection.bias)

    def remember(
        self,
        states: Float[Tensor, "B S D"],
        mask: Bool[Tensor, "B S"],
        values: Float[Tensor, "B S V"] | None = None,
        start: int = 0,
    ) -> Memory:
        """The prepared keys and the values of every key-value head; rotary keys are turned by their positions."""
        keys = widen(self.attention.score.keys(self._split(self.key(states), self.key_value_heads)))
        split = self._split(self.value(states if values is None else values), self.key_value_heads)
        if self.rotary:
            end = start + keys.shape[2]
            keys = rotate(keys, torch.arange(start, end, device=keys.device), end)
        return Memory(keys, widen(split), mask)

    @property
    def sees_all(self) -> bool:
        """Whether a query sees every earlier position."""
        return self.attention.sees_all

    def start(self, mask: Bool[Tensor, "B S"], width: int) -> History:
        """The history of every head."""
        return self.attention.start(mask, width, self.key_value_heads)

    def forward(self, request: Request, memory: Memory) -> AttentionOutput:
        """Attend with every head; `weights` are by head.

        Heads that share keys are further queries against them. Rotary heads need `positions`, below the memory's length.
        """
        request.refuse_sentinel("multi-head attention")
        queries = self._split(self.query(request.query), self.heads)
        if self.rotary:
            if request.positions is None:
                raise ValueError("rotary positions need the queries' positions")
            queries = rotate(queries, request.positions, memory.mask.shape[1])
        sharing = self.heads // self.key_value_heads
        if sharing > 1:
            queries = queries.unflatten(1, (self.key_value_heads, sharing)).flatten(2, 3)
            request = request.repeat(sharing)
        attended = self.attention.attend(queries, request, memory)
        context, weights = self._split_heads(attended.context), attended.weights
        weights = None if weights is None else self._split_heads(weights)
        output = self.output(context.transpose(1, 2).flatten(2))
        return AttentionOutput(output, weights, attended.history, choice=attended.choice)

    def _split(self, states: Float[Tensor, "B Q D"], parts: int) -> Float[Tensor, "B P Q K"]:
        return states.unflatten(-1, (parts, -1)).transpose(1, 2)

    def _split_heads(self, shared: Float[Tensor, "B G RQ V"]) -> Float[Tensor, "B H Q V"]:
        """From the R·Q queries of each key-value head to the Q queries of each of its R heads."""
        return shared.unflatten(2, (self.heads // self.key_value_heads, -1)).flatten(1, 2)
