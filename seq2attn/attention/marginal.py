"""Exact hard attention: a prediction from every position, weighted by the attention to it; no position is drawn."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from seq2attn.attention.aggregation import Elbo, Mixture, expectation, logarithm, one_hot
from seq2attn.attention.attention import (
    Attention,
    AttentionOutput,
    History,
    Memory,
    Request,
    gather_rows,
    scatter_weights,
)


class Marginal(nn.Module):
    """log p(y_t) = logsumexp_i(log α_ti + log p(y_t | s_t, value_i)), in training and at test (Shankar et al. 2018, §3).

    The context is a Mixture of the values. `top_k`: of the k largest α alone, renormalized; None: of all positions. With `elbo`
    training maximizes Σ_i α_ti log p(y_t | s_t, value_i), the exact expectation of what REINFORCE estimates, and at test the
    position argmax α is chosen. The decoder's state must not depend on the context. Raises ValueError if `attention` has another
    aggregation or dropout.
    """

    def __init__(self, attention: Attention, *, top_k: int | None = None, elbo: bool = False) -> None:
        super().__init__()
        if attention.aggregation is not expectation or attention.dropout:
            raise ValueError("a mixture over all positions neither chooses one nor drops any")
        self.attention = attention
        self.top_k = top_k
        self.elbo = elbo
        self.context_width = attention.context_width

    def remember(
        self, states: Float[Tensor, "B S D"], mask: Bool[Tensor, "B S"], values: Float[Tensor, "B S V"] | None = None
    ) -> Memory:
        """The keys and values of the attention inside."""
        return self.attention.remember(states, mask, values)

    def start(self, mask: Bool[Tensor, "B S"], width: int) -> History:
        """The history of the attention inside."""
        return self.attention.start(mask, width)

    def forward(self, request: Request, memory: Memory) -> AttentionOutput:
        """The values that each query may see, and their log α; illegal ones have no weight and no gradient.

        A query without a legal key gets 0.
        """
        request.refuse_sentinel("a mixture over positions")
        attention, queries = self.attention, request.query[:, None]
        focus = attention.span(queries, memory.mask, request.positions)
        weights, sums = attention.weigh(queries, memory, focus, request)
        traced = scatter_weights(weights, memory.mask, focus) if request.trace else None
        if self.elbo and not self.training:
            likeliest = one_hot(weights, weights.argmax(-1, keepdim=True))
            return AttentionOutput(attention.average(likeliest, memory, focus)[:, 0], traced, History(sums))
        alpha, places = weights[:, 0], focus.places
        if self.top_k is not None:
            alpha, best = alpha.topk(min(self.top_k, alpha.shape[2]))
            places = best if places is None else places.gather(2, best)
        values = memory.values.expand(-1, queries.shape[2], -1, -1)
        if places is not None:
            values = gather_rows(memory.values, places)[:, 0]
        values = values.masked_fill((alpha == 0).all(2)[..., None, None], 0)
        logs = logarithm(alpha).masked_fill(alpha == 0, torch.finfo(alpha.dtype).min).log_softmax(2)
        mixture = Elbo(values, logs) if self.elbo else Mixture(values, logs)
        return AttentionOutput(mixture, traced, History(sums))
