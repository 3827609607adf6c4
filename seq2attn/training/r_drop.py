"""R-Drop: two passes with different dropout over each batch, whose predictions should agree."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import Function, FunctionCtx

from seq2attn.tensors import compute_dtype, pick_rows
from seq2attn.tokens import PAD
from seq2attn.training.loss import LOGITS_AT_ONCE, LOGITS_AT_ONCE_ON_GPU, Loss


def paired_loss(
    features: Float[Tensor, "C T D"],
    weight: Float[Tensor, "V D"],
    bias: Float[Tensor, " V"],
    target: Int[Tensor, "B T"],
    *,
    smoothing: float,
    alpha: float,
) -> Loss:
    """The mean loss of two passes, with α/4 · (KL(p ‖ q) + KL(q ‖ p)) for each real token (Liang et al. 2021, eqs. 2 to 4).

    `features` holds the B sentences twice, those of the first pass first (C = 2 B); p and q are what the passes predict. The
    paper's loss is twice this one, so its α is the same. The gradient is computed with the loss, a few rows at a time.
    """
    gold = target.flatten()
    if weight.device.type == "cuda":  # which need not wait to learn how many are real
        rows = features.flatten(0, 1)
    else:
        places = (gold != PAD).nonzero().squeeze(1)
        rows, gold = pick_rows(features, torch.cat([places, places + len(gold)])), gold.index_select(0, places)
    with_gradient = torch.is_grad_enabled() and (features.requires_grad or weight.requires_grad)
    return Loss(*_PairedCrossEntropy.apply(rows, weight, bias, gold, smoothing, alpha, with_gradient))


class _PairedCrossEntropy(Function):
    @staticmethod
    def forward(
        ctx: FunctionCtx,
        features: Tensor,
        weight: Tensor,
        bias: Tensor,
        target: Tensor,
        smoothing: float,
        alpha: float,
        with_gradient: bool,
    ) -> tuple[Tensor, Tensor]:
        dtype, count = compute_dtype(weight), len(target)
        at_once = LOGITS_AT_ONCE_ON_GPU if weight.device.type == "cuda" else LOGITS_AT_ONCE
        step = max(1, at_once // (2 * len(weight)))
        sums = torch.zeros(2, dtype=weight.dtype, device=weight.device)
        with torch.autocast(features.device.type, enabled=False):
            matrix, passes = weight.to(dtype), features.to(dtype).unflatten(0, (2, count))
            d_passes = torch.empty_like(passes)
            d_weight, d_bias = torch.zeros_like(weight), torch.zeros_like(bias)
            for begin in range(0, count, step):
                piece = passes[:, begin : begin + step]
                gold = target[begin : begin + step, None]
                scores = (piece @ matrix.T).to(weight.dtype) + bias
                losses, error = _differentiate(scores, gold, smoothing, alpha)
                sums += losses
                if with_gradient:
                    d_bias += error.sum((0, 1))
                    error = error.to(dtype)
                    d_passes[:, begin : begin + step] = error @ matrix
                    d_weight += error.flatten(0, 1).T @ piece.flatten(0, 1)
        ctx.save_for_backward(d_passes.flatten(0, 1).to(features.dtype), d_weight, d_bias)
        smoothed, nll = sums.unbind()
        ctx.mark_non_differentiable(nll)
        return smoothed, nll

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        return *(saved * gradient for saved in ctx.saved_tensors), None, None, None, None  # type: ignore[attr-defined]


def _differentiate(
    scores: Float[Tensor, "2 N V"], gold: Int[Tensor, "N 1"], smoothing: float, alpha: float
) -> tuple[Float[Tensor, "2"], Float[Tensor, "2 N V"]]:
    """What is minimized and the negative log-likelihood, sums over the tokens of means over the passes; and d/d scores.

    d KL(p ‖ q) / d scores_p = p (log p − log q − KL(p ‖ q)), and d KL(q ‖ p) / d scores_p = p − q. Padding counts nothing.
    """
    real = (gold != PAD).to(scores.dtype)
    log_p = scores.log_softmax(2)
    p = log_p.exp()
    gap = log_p - log_p.flip(0)
    divergence = (p * gap).sum(2, keepdim=True)
    index = gold.expand(2, -1, -1)
    nll = -log_p.gather(2, index)
    cross = (1 - smoothing) * nll - smoothing * log_p.mean(2, keepdim=True)
    error = p - smoothing / scores.shape[2]
    error.scatter_add_(2, index, torch.full_like(nll, smoothing - 1))
    error = error / 2 + alpha / 4 * (p * (gap - divergence) + p - p.flip(0))
    smoothed = (cross / 2 + alpha / 4 * divergence) * real
    return torch.stack([smoothed.sum(), (nll / 2 * real).sum()]), error * real
