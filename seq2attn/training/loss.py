"""Output projection and cross-entropy in one piece, so that the logits of a whole batch never exist at once."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import Function, FunctionCtx

from seq2attn.tensors import compute_dtype

LOGITS_AT_ONCE = 1 << 21  # numbers; 8 MiB in fp32, which stays in a CPU's cache


class Loss(NamedTuple):
    """Sums over tokens: what is minimized (label-smoothed), and the negative log-likelihood in nats."""

    smoothed: Float[Tensor, ""]
    nll: Float[Tensor, ""]


def cross_entropy(
    features: Float[Tensor, "N D"],
    weight: Float[Tensor, "V D"],
    bias: Float[Tensor, " V"],
    target: Int[Tensor, " N"],
    *,
    smoothing: float = 0.0,
) -> Loss:
    """Σ_n (1−ε)·(−log p_n[y_n]) + ε·mean_v(−log p_n[v]), p = softmax(features Wᵀ + b) (Szegedy et al. 2016, §7).

    The gradient is computed with the loss, a few rows of logits at a time: N·V numbers are never stored.
    """
    with_gradient = torch.is_grad_enabled() and (features.requires_grad or weight.requires_grad)
    return Loss(*_CrossEntropy.apply(features, weight, bias, target, smoothing, with_gradient))


class _CrossEntropy(Function):
    @staticmethod
    def forward(
        ctx: FunctionCtx,
        features: Tensor,
        weight: Tensor,
        bias: Tensor,
        target: Tensor,
        smoothing: float,
        with_gradient: bool,
    ) -> tuple[Tensor, Tensor]:
        dtype, exact = compute_dtype(weight), weight.dtype
        with torch.autocast(features.device.type, enabled=False):
            rows, matrix = features.to(dtype), weight.to(dtype)
            vocabulary = weight.shape[0]
            smoothed, nll = (torch.zeros((), dtype=exact, device=features.device) for _ in range(2))
            d_rows = torch.empty_like(rows) if with_gradient else None
            d_weight, d_bias = torch.zeros_like(weight), torch.zeros_like(bias)
            step = max(1, LOGITS_AT_ONCE // vocabulary)
            for begin in range(0, len(rows), step):
                piece, gold = rows[begin : begin + step], target[begin : begin + step, None]
                logits = (piece @ matrix.T).to(exact).add_(bias)
                log_z = logits.logsumexp(1, keepdim=True)
                gold_nll = (log_z - logits.gather(1, gold)).sum()
                nll += gold_nll
                smoothed += (1 - smoothing) * gold_nll
                if smoothing:
                    smoothed += smoothing * (log_z.sum() - logits.mean(1).sum())
                if d_rows is not None:
                    error = logits.sub_(log_z).exp_()  # p, then p − (1−ε)·onehot − ε/V
                    if smoothing:
                        error -= smoothing / vocabulary
                    error.scatter_add_(1, gold, torch.full_like(gold, -(1 - smoothing), dtype=exact))
                    d_bias += error.sum(0)
                    error = error.to(dtype)
                    torch.mm(error, matrix, out=d_rows[begin : begin + step])
                    d_weight += error.T @ piece
        if d_rows is not None:
            ctx.save_for_backward(d_rows, d_weight, d_bias)
            ctx.features_dtype = features.dtype  # type: ignore[attr-defined]
        ctx.mark_non_differentiable(nll)
        return smoothed, nll

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        d_rows, d_weight, d_bias = ctx.saved_tensors  # type: ignore[attr-defined]
        scaled = d_rows.to(ctx.features_dtype) * gradient  # type: ignore[attr-defined]
        return scaled, d_weight * gradient, d_bias * gradient, None, None, None
