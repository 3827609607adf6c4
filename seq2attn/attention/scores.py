"""Scores: how well does a query fit a key? `keys` is computed once for each source, the score for each query.

Every score maps Q queries of size D, "… Q D", and S prepared keys of size K, "… S K", to "… Q S", whatever axes stand before
them ("*R" in the annotations).
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seq2attn.errors import DataError

HIDDEN_AT_ONCE = 2**24  # numbers of an additive score's hidden layer at a time, in inference


class Score(nn.Module):
    """What `Attention` needs of a score; a class of its own has to define `forward`, and the rest only where it differs."""

    dot_scale: float | None = None
    """The factor, if the score is factor · queryᵀ key: a fused kernel may then compute it. None for any other form."""

    def keys(self, states: Float[Tensor, "*R S D"]) -> Float[Tensor, "*R S K"]:
        """Prepare the keys, once for each source; by default they are the states themselves."""
        return states

    def key_width(self, width: int) -> int:
        """The size K of a key that `keys` prepares from a state of size `width`; by default the same."""
        return width

    def forward(self, query: Float[Tensor, "*R Q D"], keys: Float[Tensor, "*#R S K"]) -> Float[Tensor, "*R Q S"]:
        """Score every query with every prepared key."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it scores a query with a key")


class Dot(Score):
    """Dot product: score = scale · qᵀ k (Luong et al. 2015, eq. 8, with scale 1; Vaswani et al. 2017, eq. 1, with scale 1/√d).

    Query and key must have the same size: the config refuses other widths before a model is built. With `learned`, `scale` is
    the first value of a parameter.
    """

    def __init__(self, *, scale: float = 1.0, learned: bool = False) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(scale)) if learned else scale
        self.dot_scale = None if learned else scale

    def forward(self, query: Float[Tensor, "*R Q D"], keys: Float[Tensor, "*#R S D"]) -> Float[Tensor, "*R Q S"]:
        """Score every query with every key."""
        return (query @ keys.mT) * self.scale


class General(Score):
    """Bilinear: score = scale · qᵀ W k (Luong et al. 2015, eq. 8, with scale 1). W k is computed once for each source."""

    def __init__(self, *, query_width: int, key_width: int, scale: float = 1.0) -> None:
        super().__init__()
        self.scale = self.dot_scale = scale
        self.weight = nn.Linear(key_width, query_width, bias=False)
        nn.init.xavier_uniform_(self.weight.weight)

    def keys(self, states: Float[Tensor, "*R S D"]) -> Float[Tensor, "*R S K"]:
        """W k."""
        return self.weight(states)

    def key_width(self, width: int) -> int:
        """The queries' size, for a product with them."""
        return self.weight.out_features

    def forward(self, query: Float[Tensor, "*R Q K"], keys: Float[Tensor, "*#R S K"]) -> Float[Tensor, "*R Q S"]:
        """Score every query with every key."""
        return (query @ keys.mT) * self.scale


class Additive(Score):
    """One hidden layer: score = vᵀ tanh(W q + U k + b) (Bahdanau et al. 2015, A.1.2; "concat" in Luong et al. 2015, eq. 8).

    U k + b is computed once for each source. Training takes memory O(B·G·Q·S·width), the hidden layer of every query with
    every key; inference a few queries at a time.
    """

    def __init__(self, *, query_width: int, key_width: int, width: int) -> None:
        super().__init__()
        self.query = nn.Linear(query_width, width, bias=False)
        self.key = nn.Linear(key_width, width)
        self.vector = nn.Parameter(torch.empty(1, width))
        for matrix in (self.query.weight, self.key.weight, self.vector):
            nn.init.xavier_uniform_(matrix)
        nn.init.zeros_(self.key.bias)

    def keys(self, states: Float[Tensor, "*R S D"]) -> Float[Tensor, "*R S K"]:
        """U k + b."""
        return self.key(states)

    def key_width(self, width: int) -> int:
        """The size of the hidden layer."""
        return self.key.out_features

    def forward(self, query: Float[Tensor, "*R Q D"], keys: Float[Tensor, "*#R S K"]) -> Float[Tensor, "*R Q S"]:
        """Score every query with every key."""
        projected = self.query(query)
        if torch.is_grad_enabled():
            return self._score(projected, keys)
        numbers = projected[..., :1, :].numel() * keys.shape[-2]  # in the hidden layer of one query of every row
        pieces = projected.split(max(1, HIDDEN_AT_ONCE // numbers), -2)
        return torch.cat([self._score(piece, keys) for piece in pieces], -2)

    def _score(self, query: Float[Tensor, "*R Q K"], keys: Float[Tensor, "*#R S K"]) -> Float[Tensor, "*R Q S"]:
        hidden = torch.tanh(query.unsqueeze(-2) + keys.unsqueeze(-3))
        return nn.functional.linear(hidden, self.vector).squeeze(-1)


class Location(Score):
    """By position alone: score_s = (W q)_s for the first S of `max_source` rows of W (Luong et al. 2015, eq. 8).

    Key s is the one at position s, so spans must not gather keys. More than `max_source` positions raise DataError.
    """

    def __init__(self, *, query_width: int, max_source: int) -> None:
        super().__init__()
        self.weight = nn.Linear(query_width, max_source, bias=False)
        nn.init.xavier_uniform_(self.weight.weight)

    def keys(self, states: Float[Tensor, "*R S D"]) -> Float[Tensor, "*R S 0"]:
        """Keys of size 0, which keep only the number of positions."""
        length, longest = states.shape[-2], self.weight.out_features
        if length > longest:
            raise DataError(
                f"a source of {length} positions, but this model's location score has only {longest}",
                "raise max_source of the score and train again, or choose another score",
            )
        return states[..., :0]

    def key_width(self, width: int) -> int:
        """0: what stands at a position does not matter."""
        return 0

    def forward(self, query: Float[Tensor, "*R Q D"], keys: Float[Tensor, "*#R S 0"]) -> Float[Tensor, "*R Q S"]:
        """Score every query with every position."""
        return self.weight(query)[..., : keys.shape[-2]]


class Uniform(Score):
    """score = 0 for every key, so that every normalizer gives equal weights: the control of all the others."""

    def keys(self, states: Float[Tensor, "*R S D"]) -> Float[Tensor, "*R S 0"]:
        """Keys of size 0, which keep only the number of positions."""
        return states[..., :0]

    def key_width(self, width: int) -> int:
        """0: what stands at a position does not matter."""
        return 0

    def forward(self, query: Float[Tensor, "*R Q D"], keys: Float[Tensor, "*#R S 0"]) -> Float[Tensor, "*R Q S"]:
        """0 for every query with every key."""
        return query.new_zeros(*query.shape[:-1], keys.shape[-2])
