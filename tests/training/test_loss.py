"""The fused loss against PyTorch's own."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from seq2attn.training import loss as module
from seq2attn.training.loss import cross_entropy

ROWS, WIDTH, VOCABULARY = 7, 5, 11
chunks = pytest.mark.parametrize("logits_at_once", [1, 2 * VOCABULARY, 3 * VOCABULARY + 5, 1 << 21])


def problem(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    features, weight = (torch.randn(n, WIDTH, generator=generator, dtype=dtype) for n in (ROWS, VOCABULARY))
    bias = torch.randn(VOCABULARY, generator=generator, dtype=dtype)
    target = torch.randint(0, VOCABULARY, (ROWS,), generator=generator)
    return features.requires_grad_(), weight.requires_grad_(), bias.requires_grad_(), target


@chunks
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.6])
def test_loss_and_gradients_equal_pytorchs(
    smoothing: float, logits_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOGITS_AT_ONCE", logits_at_once)
    features, weight, bias, target = problem()
    ours = cross_entropy(features, weight, bias, target, smoothing=smoothing).smoothed
    expected = F.cross_entropy(F.linear(features, weight, bias), target, reduction="sum", label_smoothing=smoothing)
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-12)
    gradients = torch.autograd.grad(ours * 0.37, [features, weight, bias])  # the factor must reach every gradient
    for own, theirs in zip(gradients, torch.autograd.grad(expected * 0.37, [features, weight, bias]), strict=True):
        torch.testing.assert_close(own, theirs, rtol=0, atol=1e-12)


@chunks
def test_the_negative_log_likelihood_is_not_smoothed(logits_at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOGITS_AT_ONCE", logits_at_once)
    features, weight, bias, target = problem()
    loss = cross_entropy(features, weight, bias, target, smoothing=0.3)
    plain = F.cross_entropy(F.linear(features, weight, bias), target, reduction="sum")
    torch.testing.assert_close(loss.nll, plain.detach(), rtol=0, atol=1e-12)
    assert not loss.nll.requires_grad
    assert abs(loss.smoothed.item() - plain.item()) > 0.1


def test_it_holds_numerically_for_small_changes() -> None:
    features, weight, bias, target = problem()
    assert torch.autograd.gradcheck(
        lambda *inputs: cross_entropy(*inputs, target, smoothing=0.2).smoothed, (features, weight, bias)
    )


def test_without_gradients_the_value_is_the_same() -> None:
    features, weight, bias, target = problem()
    with torch.inference_mode():
        loss = cross_entropy(features, weight, bias, target, smoothing=0.1)
    torch.testing.assert_close(loss.smoothed, cross_entropy(features, weight, bias, target, smoothing=0.1).smoothed)


def test_large_logits_do_not_overflow() -> None:
    features, weight, bias, target = (tensor.detach() for tensor in problem(torch.float32))
    loss = cross_entropy(features * 1e4, weight, bias, target, smoothing=0.1)
    expected = F.cross_entropy(F.linear(features * 1e4, weight, bias), target, reduction="sum", label_smoothing=0.1)
    assert torch.isfinite(loss.smoothed)
    torch.testing.assert_close(loss.smoothed, expected)


def test_bf16_autocast_is_close_to_fp32_and_keeps_the_weights_gradient_in_fp32() -> None:
    features, weight, bias, target = problem(torch.float32)
    exact = cross_entropy(features, weight, bias, target, smoothing=0.1).smoothed
    with torch.autocast("cpu", torch.bfloat16):
        rounded = cross_entropy(features.bfloat16(), weight, bias, target, smoothing=0.1).smoothed
    assert rounded.dtype == torch.float32
    assert rounded.item() != exact.item()
    assert rounded.item() == pytest.approx(exact.item(), rel=0.01)
    wanted = torch.autograd.grad(exact, [features, weight, bias])
    for own, right in zip(torch.autograd.grad(rounded, [features, weight, bias]), wanted, strict=True):
        assert own.dtype == torch.float32
        assert (own - right).norm() < 0.02 * right.norm()
