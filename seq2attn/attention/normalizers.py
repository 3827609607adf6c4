"""Normalizers: from scores to weights that are non-negative, zero at illegal positions, and sum to 1 over legal ones.

A row without any legal position has weights 0. Every mechanism relies on it, so nothing else has to check for such rows.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, log2
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import FunctionCtx
from torch.special import entr


@runtime_checkable
class Normalizer(Protocol):
    """What `Attention` needs of a normalizer."""

    def __call__(self, scores: Float[Tensor, "*R S"], legal: Bool[Tensor, "*#R S"]) -> Float[Tensor, "*R S"]:
        """Weights over the last axis, in the precision of the scores but never below fp32."""


def softmax(scores: Float[Tensor, "*R S"], legal: Bool[Tensor, "*#R S"]) -> Float[Tensor, "*R S"]:
    """weight_i = exp(score_i) / Σ_j exp(score_j), over legal positions; the maximum is subtracted first, so nothing overflows."""
    scores = scores.float() if scores.dtype in (torch.bfloat16, torch.float16) else scores
    lowest = torch.finfo(scores.dtype).min
    return scores.masked_fill(~legal, lowest).softmax(-1) * legal


@dataclass(frozen=True)
class Softmax:
    """softmax(scores / temperature): nearer to the highest score alone the lower it is, to equal weights the higher.

    A temperature that is not positive raises ValueError.
    """

    temperature: float

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise ValueError(f"a temperature must be positive, not {self.temperature}")

    def __call__(self, scores: Float[Tensor, "*R S"], legal: Bool[Tensor, "*#R S"]) -> Float[Tensor, "*R S"]:
        """Weights over the last axis."""
        return softmax(_below_highest(scores, legal) / self.temperature, legal)


def sparsemax(scores: Float[Tensor, "*R S"], legal: Bool[Tensor, "*#R S"]) -> Float[Tensor, "*R S"]:
    """weights = argmin_p ‖p − scores‖² over all p ≥ 0 that sum to 1 (Martins & Astudillo 2016, eq. 2): entmax with α = 2."""
    return Entmax(2.0)(scores, legal)


@dataclass(frozen=True)
class Entmax:
    """weight_i = [(α−1) score_i − τ]₊^(1/(α−1)), with the τ at which they sum to 1 (Peters et al. 2019).

    Low scores get weights of exactly 0. α → 1 is softmax, α → ∞ the highest score alone. An α that is not at least 1e-3 above
    1 raises ValueError: for 1 itself take `softmax`.
    """

    alpha: float

    def __post_init__(self) -> None:
        if not 1 + 1e-3 <= self.alpha < inf:
            raise ValueError(f"entmax needs a finite alpha above 1 by at least 1e-3, not {self.alpha}")

    def __call__(self, scores: Float[Tensor, "*R S"], legal: Bool[Tensor, "*#R S"]) -> Float[Tensor, "*R S"]:
        """Weights over the last axis."""
        exact = {1.5: _entmax15_threshold, 2.0: _sparsemax_threshold}.get(self.alpha)
        scores = _below_highest(scores, legal)
        return _Entmax.apply(scores, torch.tensor(self.alpha, dtype=scores.dtype), exact) * legal


class LearnedEntmax(nn.Module):
    """Entmax with a learned α = 1 + σ(a) for each of G key-value heads (Correia et al. 2019); 1.5 at first, never below 1.01.

    Heads that share keys share α, and so do all heads of latent attention. Scores are "B G … S".
    """

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.logit = nn.Parameter(torch.zeros(heads, 1, 1))

    @property
    def alpha(self) -> Float[Tensor, "G 1 1"]:
        """α of each key-value head."""
        return (1 + self.logit.sigmoid()).clamp(min=1.01)

    def forward(self, scores: Float[Tensor, "*R S"], legal: Bool[Tensor, "*#R S"]) -> Float[Tensor, "*R S"]:
        """Weights over the last axis."""
        scores = _below_highest(scores, legal)
        return _Entmax.apply(scores, self.alpha.to(scores.dtype), None) * legal


class _Entmax(Function):
    """Entmax of scores whose highest is 0, without a mask; `exact` finds τ where there is a formula, else bisection does.

    With s = p^(2−α) on the support and g the gradient of the weights p, centered to g' = g − Σ s g / Σ s, the gradient of the
    scores is s · g' (Peters et al. 2019), that of α is Σ g' (p − (α−1) p log p) / (α−1)² (Correia et al. 2019, proposition 1).
    """

    @staticmethod
    def forward(ctx: FunctionCtx, scores: Tensor, alpha: Tensor, exact: Callable[[Tensor], Tensor] | None) -> Tensor:
        scaled = ((alpha - 1) * scores).clamp(min=-1)  # τ ≥ −1: lower scores have weight 0, and now no infinite square
        tau = exact(scaled) if exact else _bisect_threshold(scaled, alpha)
        weights = _power(scaled - tau, alpha)
        weights = weights / weights.sum(-1, keepdim=True)
        ctx.save_for_backward(weights, alpha)
        return weights

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor, Tensor | None, None]:
        weights, alpha = ctx.saved_tensors  # type: ignore[attr-defined]
        support = weights > 0
        slope = weights.where(support, 1).pow(2 - alpha) * support
        slope = slope.clamp(max=1 / torch.finfo(slope.dtype).eps)  # with α > 2 a small weight has no bound to its slope
        centered = gradient - (slope * gradient).sum(-1, keepdim=True) / slope.sum(-1, keepdim=True)
        d_alpha = None
        if ctx.needs_input_grad[1]:  # type: ignore[attr-defined]
            gradients = centered * (weights + (alpha - 1) * entr(weights)) / (alpha - 1) ** 2
            d_alpha = gradients.sum_to_size(alpha.shape)
        return slope * centered, d_alpha, None


def _below_highest(scores: Float[Tensor, "*R S"], legal: Bool[Tensor, "*#R S"]) -> Float[Tensor, "*R S"]:
    """Each score minus the row's highest legal one, so that no factor makes it infinite; illegal scores are very low."""
    scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
    scores = scores.masked_fill(~legal, torch.finfo(scores.dtype).min)
    return scores - scores.detach().amax(-1, keepdim=True)


def _power(above: Float[Tensor, "*R S"], alpha: Float[Tensor, "*A"]) -> Float[Tensor, "*R S"]:
    return above.clamp(min=0) ** (1 / (alpha - 1))


def _sparsemax_threshold(scaled: Float[Tensor, "*R S"]) -> Float[Tensor, "*R 1"]:
    """τ = (Σ_{i≤k} z_i − 1) / k of the sorted scores, k = max {j: 1 + j z_j > Σ_{i≤j} z_i} (Martins & Astudillo, algorithm 1)."""
    ordered, count = _sort(scaled)
    excess = ordered.cumsum(-1) - 1
    support = (count * ordered > excess).sum(-1, keepdim=True)
    return excess.gather(-1, support - 1) / support


def _entmax15_threshold(scaled: Float[Tensor, "*R S"]) -> Float[Tensor, "*R 1"]:
    """τ_j = M_j − √((1 − S_j) / j), with M_j the mean of the j highest scores and S_j their sum of squares around it.

    The support is the largest j with τ_j ≤ z_j (Peters et al. 2019, algorithm 2).
    """
    ordered, count = _sort(scaled)
    mean = ordered.cumsum(-1) / count
    spread = ordered.square().cumsum(-1) - count * mean.square()
    tau = mean - ((1 - spread) / count).clamp(min=0).sqrt()
    support = (tau <= ordered).sum(-1, keepdim=True)
    return tau.gather(-1, support - 1)


def _sort(scores: Float[Tensor, "*R S"]) -> tuple[Float[Tensor, "*R S"], Float[Tensor, " S"]]:
    """The scores from the highest down, and 1 … S."""
    count = torch.arange(1, scores.shape[-1] + 1, dtype=scores.dtype, device=scores.device)
    return scores.sort(-1, descending=True).values, count


def _bisect_threshold(scaled: Float[Tensor, "*R S"], alpha: Float[Tensor, "*A"]) -> Float[Tensor, "*R 1"]:
    """τ = −m^(α−1), where m is the highest weight: between 1/S and 1, and every weight grows with it."""
    highest = torch.full_like(scaled[..., :1], 1 / scaled.shape[-1])
    step = 1 - highest
    for _ in range(2 - int(log2(torch.finfo(scaled.dtype).eps))):
        step = step / 2
        total = _power(scaled + (highest + step) ** (alpha - 1), alpha).sum(-1, keepdim=True)
        highest = highest + step * (total <= 1)
    return -(highest ** (alpha - 1)).clamp(min=torch.finfo(scaled.dtype).tiny)  # equal scores under a large α
