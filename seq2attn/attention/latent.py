"""Multi-head latent attention: every head's keys and values come from one short vector, and only that is kept."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from seq2attn.attention.aggregation import expectation
from seq2attn.attention.attention import Attended, Attention, AttentionOutput, Memory, Request
from seq2attn.attention.rotary import rotate
from seq2attn.attention.scores import Dot


class Latent(nn.Module):
    """c = norm(W^DKV x); k_h = [W_h^UK c; RoPE(W^KR x)], v_h = W_h^UV c (DeepSeek-AI 2024, §2.1, eqs. 9 to 19).

    Widths: `latent_width` c of the latent vector, `head_width` n of W_h^UK c, `rotary_width` r of the rotary key that all heads
    share (0, for attention to another sequence: none), and v of v_h, the `context_width` of `attention`. With `query_latent`,
    queries pass through a latent vector of that width. `norm` puts RMSNorm on latent vectors. The compression is linear and
    deterministic.

    There are two ways to compute one result, with these products for each head of Q queries and S keys:

    - expanded, from k_h and v_h: S·c·(n + v) + Q·S·(n + r + v);
    - absorbed, W_h^UK into the query and W_h^UV behind the sum over c: Q·c·(n + v) + Q·S·(2c + r).

    So the few queries of a search are absorbed, and the many of teacher forcing are not. `attention` scores rows of n + r, by
    Dot(scale=(n + r) ** -0.5), without history; its span may depend on positions but not on queries, and the heads share its
    parameters. Raises ValueError for another score, for history, for
    attention that chooses a position, and if r is odd.
    """

    def __init__(
        self,
        attention: Attention,
        *,
        heads: int,
        query_width: int,
        key_width: int,
        latent_width: int,
        head_width: int,
        rotary_width: int = 0,
        query_latent: int | None = None,
        norm: bool = True,
    ) -> None:
        super().__init__()
        if rotary_width % 2:
            raise ValueError(f"rotary positions turn pairs, and {rotary_width} is odd")
        if not isinstance(attention.score, Dot) or attention.temporal or attention.aggregation is not expectation:
            raise ValueError("only a dot product that is averaged, without history, can be absorbed")
        self.attention = attention
        self.heads = heads
        self.latent_width = latent_width
        self.head_width = head_width
        self.rotary_width = rotary_width
        self.context_width = query_width
        down = [] if query_latent is None else [_linear(query_width, query_latent), _norm(query_latent, norm)]
        self.query = nn.Sequential(*down, _linear(query_latent or query_width, heads * (head_width + rotary_width)))
        self.down = _linear(key_width, latent_width + rotary_width)
        self.norm = _norm(latent_width, norm)
        self.key = _linear(latent_width, heads * head_width)
        self.value = _linear(latent_width, heads * attention.context_width)
        self.output = _linear(heads * attention.context_width, query_width)

    @property
    def sees_all(self) -> bool:
        """Whether a query sees every earlier position."""
        return self.attention.sees_all

    def remember(
        self,
        states: Float[Tensor, "B S D"],
        mask: Bool[Tensor, "B S"],
        values: Float[Tensor, "B S V"] | None = None,
        start: int = 0,
    ) -> Memory:
        """[c; RoPE(W^KR x)] as the keys of one group, and values of width 0: c is stored once.

        Raises ValueError if there are `values`: keys and values come from the same c.
        """
        if values is not None:
            raise ValueError("latent attention makes keys and values of the same states")
        latent, shared = self.down(states).split([self.latent_width, self.rotary_width], -1)
        if self.rotary_width:
            end = start + shared.shape[1]
            shared = rotate(shared[:, None], torch.arange(start, end, device=shared.device), end)[:, 0]
        keys = torch.cat([self.norm(latent), shared], -1)[:, None]
        return Memory(keys, keys[..., :0], mask)

    def start(self, mask: Bool[Tensor, "B S"], width: int) -> tuple[()]:
        """An empty history: latent attention knows nothing of earlier steps but its memory."""
        return ()

    def forward(self, request: Request, memory: Memory) -> AttentionOutput:
        """Attend with every head; `weights` are by head. Rotary keys and queries need `positions`."""
        request.refuse_past("latent attention")
        request.refuse_sentinel("latent attention")
        queries = self._split(self.query(request.query))
        if self.rotary_width:
            if request.positions is None:
                raise ValueError("rotary positions need the queries' positions")
            content, turning = queries.split([self.head_width, self.rotary_width], -1)
            queries = torch.cat([content, rotate(turning, request.positions, memory.mask.shape[1])], -1)
        absorbs = self._absorbs(queries.shape[2], memory.keys.shape[2])
        attend = self._attend_absorbed if absorbs else self._attend_expanded
        attended = attend(queries, request._replace(past=None), memory)
        return AttentionOutput(self.output(attended.context.transpose(1, 2).flatten(2)), attended.weights)

    def _attend_expanded(self, queries: Float[Tensor, "B H Q K"], request: Request, memory: Memory) -> Attended:
        """Make every head's keys and values."""
        latent, shared = memory.keys.split([self.latent_width, self.rotary_width], -1)
        keys, values = self._split(self.key(latent[:, 0])), self._split(self.value(latent[:, 0]))
        keys = torch.cat([keys, shared.expand(-1, self.heads, -1, -1)], -1)
        return self.attention.attend(queries, request, Memory(keys, values, memory.mask))

    def _attend_absorbed(self, queries: Float[Tensor, "B H Q K"], request: Request, memory: Memory) -> Attended:
        """qᵀ W c = (Wᵀ q)ᵀ c, and Σ α W c = W Σ α c: the heads are further queries against the one c."""
        content, rotary = queries.split([self.head_width, self.rotary_width], -1)
        key_up, value_up = (up.weight.unflatten(0, (self.heads, -1)) for up in (self.key, self.value))
        content = torch.einsum("bhqn,hnc->bhqc", content, key_up)
        folded = torch.cat([content, rotary], -1).flatten(1, 2)[:, None]
        memory = memory._replace(values=memory.keys[..., : self.latent_width])
        attended = self.attention.attend(folded, request.repeat(self.heads), memory)
        context, weights = self._split_heads(attended.context), attended.weights
        weights = None if weights is None else self._split_heads(weights)
        return attended._replace(context=torch.einsum("bhqc,hvc->bhqv", context, value_up), weights=weights)

    def _absorbs(self, queries: int, keys: int) -> bool:
        """Does absorbing take fewer products? r counts for both alike."""
        both = self.head_width + self.attention.context_width
        latent = self.latent_width
        return queries * latent * both + queries * keys * 2 * latent < keys * latent * both + queries * keys * both

    def _split(self, states: Float[Tensor, "B Q D"]) -> Float[Tensor, "B H Q K"]:
        return states.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def _split_heads(self, folded: Float[Tensor, "B 1 HQ K"]) -> Float[Tensor, "B H Q K"]:
        return folded[:, 0].unflatten(1, (self.heads, -1))


def _linear(inputs: int, outputs: int) -> nn.Linear:
    layer = nn.Linear(inputs, outputs, bias=False)
    nn.init.xavier_uniform_(layer.weight)
    return layer


def _norm(width: int, norm: bool) -> nn.Module:
    return _RMSNorm(width) if norm else nn.Identity()


class _RMSNorm(nn.Module):
    """RMSNorm computed in the precision of its gain: under autocast, a linear layer's output has a narrower type."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(width, eps=1e-6)

    def forward(self, states: Float[Tensor, "*R D"]) -> Float[Tensor, "*R D"]:
        return self.norm(states.to(self.norm.weight.dtype)).to(states.dtype)
