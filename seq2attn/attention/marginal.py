"""Exact hard attention: every position makes a prediction of its own, and nothing is drawn."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from seq2attn.attention.aggregation import Elbo, Mixture, expectation, logarithm, one_hot
from seq2attn.attention.attention import Attention, AttentionOutput, Memory, picked, scattered
from seq2attn.tensors import Tree


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
        """The keys and values of the attention inside; values at padding are 0, all that a query without a legal key gets."""
        memory = self.attention.remember(states, mask, values)
        return memory._replace(values=memory.values.masked_fill(~mask[:, None, :, None], 0))

    def start(self, mask: Bool[Tensor, "B S"], width: int) -> Tree:
        """The history of the attention inside."""
        return self.attention.start(mask, width)

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
        """The values that each query may see, and their log α; illegal ones have no weight and no gradient."""
        attention, queries = self.attention, query[:, None]
        focus = attention.span(queries, memory.mask, positions)
        weights, history = attention.weigh(queries, memory, focus, past)
        traced = scattered(weights, memory.mask, focus) if trace else None
        if self.elbo and not self.training:
            chosen = one_hot(weights, weights.argmax(-1, keepdim=True))
            return AttentionOutput(attention.average(chosen, memory, focus)[:, 0], traced, history)
        alpha, places = weights[:, 0], focus.places
        if self.top_k is not None:
            alpha, best = alpha.topk(min(self.top_k, alpha.shape[2]))
            places = best if places is None else places.gather(2, best)
        values = memory.values.expand(-1, query.shape[1], -1, -1)
        if places is not None:
            values = picked(memory.values, places)[:, 0]
        logs = logarithm(alpha).masked_fill(alpha == 0, torch.finfo(alpha.dtype).min).log_softmax(2)
        return AttentionOutput(Elbo(values, logs) if self.elbo else Mixture(values, logs), traced, history)
