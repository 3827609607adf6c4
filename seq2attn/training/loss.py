"""Output projection and cross-entropy in one piece, so that the logits of a whole batch never exist at once."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.autograd.function import Function, FunctionCtx

from seq2attn.attention.aggregation import Elbo, Mixture
from seq2attn.compiling import compiled
from seq2attn.models.seq2seq import Drawn
from seq2attn.tensors import compute_dtype, pick_rows
from seq2attn.tokens import PAD
from seq2attn.training.policy import policy_loss

LOGITS_AT_ONCE = 1 << 21  # numbers; 8 MiB in fp32, which stays in a CPU's cache
LOGITS_AT_ONCE_ON_GPU = 1 << 26  # 128 MiB in bf16, so that the products fill it
_ROUND = 16  # what the number of rows of a piece is a multiple of


class Loss(NamedTuple):
    """Sums over tokens: what is minimized (label-smoothed, with a policy's loss), and the negative log-likelihood in nats."""

    smoothed: Float[Tensor, ""]
    nll: Float[Tensor, ""]


def sequence_loss(
    features: Float[Tensor, "B T D"] | Mixture | Drawn,
    weight: Float[Tensor, "V D"],
    bias: Float[Tensor, " V"],
    target: Int[Tensor, "B T"],
    *,
    smoothing: float = 0.0,
) -> Loss:
    """The loss of the real tokens of `target`, given what a decoder returned for them."""
    real = target != PAD
    if isinstance(features, Tensor) and weight.device.type == "cuda":  # which need not wait to learn how many are real
        smoothed, nll = _cross_entropies(features.flatten(0, 1), weight, bias, target.flatten(), smoothing)
        return Loss(smoothed, nll.sum())
    if isinstance(features, Drawn):
        return _drawn_loss(features, weight, bias, target.repeat(1, features.draws), smoothing)
    places = real.flatten().nonzero().squeeze(1)
    gold = target.flatten().index_select(0, places)
    if isinstance(features, Mixture):
        values, log_weights = (pick_rows(part, places) for part in features)
        elbo = isinstance(features, Elbo)
        return mixture_cross_entropy(values, log_weights, weight, bias, gold, smoothing=smoothing, elbo=elbo)
    return cross_entropy(pick_rows(features, places), weight, bias, gold, smoothing=smoothing)


def _drawn_loss(
    drawn: Drawn, weight: Float[Tensor, "V D"], bias: Float[Tensor, " V"], target: Int[Tensor, "B T"], smoothing: float
) -> Loss:
    """The loss with the policy's, means over the draws of a step; `target` has a block of steps for each draw."""
    real = target != PAD
    places = real.flatten().nonzero().squeeze(1)
    gold = target.flatten().index_select(0, places)
    smoothed, nll = _cross_entropies(pick_rows(drawn.features, places), weight, bias, gold, smoothing)
    log_p = nll.new_zeros(target.numel()).index_copy(0, places, -nll).view(target.shape)
    return Loss((smoothed + policy_loss(drawn, log_p, real)) / drawn.draws, nll.sum() / drawn.draws)


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
    smoothed, nll = _cross_entropies(features, weight, bias, target, smoothing)
    return Loss(smoothed, nll.sum())


def mixture_cross_entropy(
    values: Float[Tensor, "N M D"],
    log_weights: Float[Tensor, "N M"],
    weight: Float[Tensor, "V D"],
    bias: Float[Tensor, " V"],
    target: Int[Tensor, " N"],
    *,
    smoothing: float = 0.0,
    elbo: bool = False,
) -> Loss:
    """The same of log p_n = logsumexp_m(log_weights_nm + log softmax(W values_nm + b)) (Shankar et al. 2018, §3).

    `elbo`: of Σ_m exp(log_weights_nm) · log softmax(W values_nm + b) in its place (Xu et al. 2015, §4.1). The gradient is
    computed with the loss, a few rows of logits at a time.
    """
    inputs = (values, log_weights, weight, bias)
    with_gradient = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in inputs)
    return Loss(*_MixtureCrossEntropy.apply(*inputs, target, smoothing, elbo, with_gradient))


def _cross_entropies(
    features: Tensor, weight: Tensor, bias: Tensor, target: Tensor, smoothing: float
) -> tuple[Float[Tensor, ""], Float[Tensor, " N"]]:
    """The smoothed loss of all tokens, and the negative log-likelihood of each, without gradient."""
    with_gradient = torch.is_grad_enabled() and (features.requires_grad or weight.requires_grad)
    return _CrossEntropy.apply(features, weight, bias, target, smoothing, with_gradient)


def _differentiate(
    scores: Float[Tensor, "N V"], bias: Float[Tensor, " V"], gold: Int[Tensor, "N 1"], smoothing: float
) -> tuple[Float[Tensor, " N"], Float[Tensor, " N"], Float[Tensor, "N V"]]:
    """−log p[gold], mean_v(−log p[v]), and the smoothed loss's gradient p − (1−ε)·onehot − ε/V, in the place of the scores."""
    scores += bias
    scores -= scores.amax(1, keepdim=True)
    chosen, mean = scores.gather(1, gold).squeeze(1), scores.mean(1) if smoothing else 0
    p = scores.exp_()
    total = p.sum(1)
    log_total = total.log()
    error = p.mul_(total.reciprocal()[:, None])
    if smoothing:
        error -= smoothing / scores.shape[1]
    error.scatter_(1, gold, error.gather(1, gold) - (1 - smoothing))
    return log_total - chosen, log_total - mean, error


@compiled
def _differentiate_on_gpu(
    product: Float[Tensor, "N V"], bias: Float[Tensor, " V"], gold: Int[Tensor, "N 1"], smoothing: float
) -> tuple[Float[Tensor, " N"], Float[Tensor, " N"], Float[Tensor, "N V"]]:
    """The same as one expression, for the compiler, and 0 where the gold token is padding.

    The gradient is in the precision of the product.
    """
    real = gold != PAD
    log_p = (product.to(bias.dtype) + bias).log_softmax(1)
    places = torch.arange(product.shape[1], device=product.device)
    error = (log_p.exp() - smoothing / product.shape[1] - (1 - smoothing) * (places == gold).to(log_p.dtype)) * real
    nll, uniform = -log_p.gather(1, gold) * real, -log_p.mean(1, keepdim=True) * real
    return nll.squeeze(1), uniform.squeeze(1), error.to(product.dtype)


def _choose_step(rows: int, most: int) -> int:
    """How many rows a piece has: the pieces are as large as each other, and their sizes are few (kernels are made for each)."""
    pieces = max(1, -(-rows // most))
    rounded = -(-rows // (pieces * _ROUND)) * _ROUND
    return max(1, min(most, rounded))


def _pad(
    rows: Float[Tensor, "N D"], golds: Int[Tensor, "N 1"], size: int
) -> tuple[Float[Tensor, "size D"], Int[Tensor, "size 1"]]:
    """Zeros, and padding, behind the real ones."""
    missing = (0, 0, 0, size - len(rows))
    return nn.functional.pad(rows, missing), nn.functional.pad(golds, missing, value=PAD)


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
        on_gpu, count, vocabulary = weight.device.type == "cuda", len(features), len(weight)
        most = max(1, (LOGITS_AT_ONCE_ON_GPU if on_gpu else LOGITS_AT_ONCE) // vocabulary)
        step = most if on_gpu else _choose_step(count, most)
        with torch.autocast(features.device.type, enabled=False):
            matrix = weight.to(dtype)
            rows, golds = _pad(features.to(dtype), target[:, None], count if on_gpu else -(-count // step) * step)
            smoothed = torch.zeros((), dtype=exact, device=features.device)
            nll = torch.empty(count, dtype=exact, device=features.device)
            d_rows = torch.empty_like(rows) if with_gradient else None
            d_weight, d_bias = torch.zeros_like(weight), torch.zeros_like(bias)
            products = torch.empty(min(step, len(rows)), vocabulary, dtype=dtype, device=features.device)
            exacts = products if dtype == exact or on_gpu else torch.empty_like(products, dtype=exact)
            for begin in range(0, len(rows), step):  # the two serve every piece
                piece, gold, real = rows[begin : begin + step], golds[begin : begin + step], min(step, count - begin)
                product = torch.mm(piece, matrix.T, out=products[: len(piece)])
                if on_gpu:
                    piece_nll, uniform, error = _differentiate_on_gpu(product, bias, gold, smoothing)
                else:
                    scores = product if dtype == exact else exacts.copy_(product)
                    piece_nll, uniform, error = _differentiate(scores, bias, gold, smoothing)
                    error[real:] = 0
                nll[begin : begin + real] = piece_nll[:real]
                smoothed += (1 - smoothing) * piece_nll[:real].sum() + smoothing * uniform[:real].sum()
                if d_rows is not None:
                    d_bias += error.sum(0, dtype=exact)
                    error = error if error.dtype == dtype else product.copy_(error)
                    torch.mm(error, matrix, out=d_rows[begin : begin + step])
                    d_weight += error.T @ piece
        if d_rows is not None:
            ctx.save_for_backward(d_rows[:count], d_weight, d_bias)
            ctx.features_dtype = features.dtype  # type: ignore[attr-defined]
        ctx.mark_non_differentiable(nll)
        return smoothed, nll

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        d_rows, d_weight, d_bias = ctx.saved_tensors  # type: ignore[attr-defined]
        scaled = d_rows.to(ctx.features_dtype) * gradient  # type: ignore[attr-defined]
        return scaled, d_weight * gradient, d_bias * gradient, None, None, None


class _MixtureCrossEntropy(Function):
    @staticmethod
    def forward(
        ctx: FunctionCtx,
        values: Tensor,
        log_weights: Tensor,
        weight: Tensor,
        bias: Tensor,
        target: Tensor,
        smoothing: float,
        elbo: bool,
        with_gradient: bool,
    ) -> tuple[Tensor, Tensor]:
        def leaf(tensor: Tensor) -> Tensor:
            return tensor.detach().requires_grad_(with_gradient)

        rows = max(1, LOGITS_AT_ONCE // (weight.shape[0] * values.shape[1]))
        pieces = zip(values.split(rows), log_weights.split(rows), target.split(rows), strict=True)
        losses, gradients = [], []
        with torch.set_grad_enabled(with_gradient):
            matrix, offset = leaf(weight), leaf(bias)
            for piece, log_w, gold in pieces:
                piece, log_w = leaf(piece), leaf(log_w)
                logits = (piece @ matrix.T).to(weight.dtype) + offset
                log_components, log_w_of_all = logits.log_softmax(2), log_w[:, :, None]
                log_p = (
                    (log_w_of_all.exp() * log_components).sum(1)
                    if elbo
                    else (log_w_of_all + log_components).logsumexp(1)
                )
                nll = -log_p.gather(1, gold[:, None]).sum()
                smoothed = (1 - smoothing) * nll - smoothing * log_p.mean(1).sum()
                losses.append(torch.stack([smoothed, nll]).detach())
                if with_gradient:
                    smoothed.backward()
                    gradients.append((piece.grad, log_w.grad))
        if with_gradient:
            d_values, d_log_weights = (torch.cat(parts) for parts in zip(*gradients, strict=True))
            ctx.save_for_backward(d_values, d_log_weights, matrix.grad, offset.grad)  # type: ignore[arg-type]
        smoothed, nll = torch.stack(losses).sum(0).unbind()
        ctx.mark_non_differentiable(nll)
        return smoothed, nll

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        return *(saved * gradient for saved in ctx.saved_tensors), None, None, None, None  # type: ignore[attr-defined]
