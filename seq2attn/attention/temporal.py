"""Temporal attention: a position that was attended to before is attended to less now."""

import torch
from jaxtyping import Float
from torch import Tensor


def temporal(
    scores: Float[Tensor, "B G Q S"], past: Float[Tensor, "B Q G S"] | None
) -> tuple[Float[Tensor, "B G Q S"], Float[Tensor, "B Q G S"]]:
    """e'_1 = e_1; e'_t = e_t − log Σ_{r<t} exp(e_r) (Sankaran et al. 2016, eqs. 9 and 10), and the sums after this step.

    `past` holds log Σ exp(e_r) of each query's own past, −inf before the first step. None: the queries are the steps 1, 2, …
    of one sequence. Everything stays in logarithms, so scores of any size neither overflow nor vanish.
    """
    scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
    if past is None:
        sums = scores.logcumsumexp(2)
        before = torch.cat([torch.zeros_like(sums[:, :, :1]), sums[:, :, :-1]], 2)
        return scores - before, sums.transpose(1, 2)
    before = past.transpose(1, 2)
    adjusted = scores - before.masked_fill(before == -torch.inf, 0.0)
    return adjusted, torch.logaddexp(before, scores).transpose(1, 2)
