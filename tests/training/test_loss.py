"""The fused loss against PyTorch's own, and that of a mixture against its definition."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from seq2attn.attention.aggregation import Elbo, Mixture
from seq2attn.training import loss as module
from seq2attn.training.loss import cross_entropy, mixture_cross_entropy, sequence_loss

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


def test_bf16_autocast_is_near_fp32_and_keeps_fp32_gradients() -> None:
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


# ---- mixtures

COMPONENTS = 3


def mixture(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Values, unnormalized scores, and the rest of `problem`; the first score of every second row is illegal."""
    generator = torch.Generator().manual_seed(4)
    values = torch.randn(ROWS, COMPONENTS, WIDTH, generator=generator, dtype=dtype)
    scores = torch.randn(ROWS, COMPONENTS, generator=generator, dtype=dtype)
    scores[::2, 0] = torch.finfo(dtype).min
    _, weight, bias, target = problem(dtype)
    return values.requires_grad_(), scores.requires_grad_(), weight, bias, target


def written_out(values: Tensor, log_weights: Tensor, weight: Tensor, bias: Tensor, elbo: bool) -> Tensor:
    """log Σ_m w_m p_m of every token, or Σ_m w_m log p_m, with all the logits at once."""
    p, w = (values @ weight.T + bias).softmax(-1), log_weights.exp()[..., None]
    return (w * p.log()).sum(-2) if elbo else (w * p).sum(-2).log()


@pytest.mark.parametrize("logits_at_once", [1, 2 * COMPONENTS * VOCABULARY, 4 * COMPONENTS * VOCABULARY + 5, 1 << 21])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.6])
@pytest.mark.parametrize("elbo", [False, True])
def test_a_mixtures_loss_and_gradients_are_those_of_its_definition(
    elbo: bool, smoothing: float, logits_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOGITS_AT_ONCE", logits_at_once)
    values, scores, weight, bias, target = inputs = mixture()
    ours = mixture_cross_entropy(values, scores.log_softmax(1), weight, bias, target, smoothing=smoothing, elbo=elbo)
    log_p = written_out(values, scores.log_softmax(1), weight, bias, elbo)
    plain = F.nll_loss(log_p, target, reduction="sum")
    expected = (1 - smoothing) * plain - smoothing * log_p.mean(1).sum()
    torch.testing.assert_close(ours.smoothed, expected, rtol=0, atol=1e-10)
    torch.testing.assert_close(ours.nll, plain, rtol=0, atol=1e-10)
    assert not ours.nll.requires_grad
    gradients = torch.autograd.grad(ours.smoothed * 0.37, inputs[:4])
    for own, theirs in zip(gradients, torch.autograd.grad(expected * 0.37, inputs[:4]), strict=True):
        torch.testing.assert_close(own, theirs, rtol=0, atol=1e-10)


def test_a_mixture_of_equals_is_one_of_them() -> None:
    features, weight, bias, target = problem()
    values = features[:, None].expand(-1, COMPONENTS, -1)
    log_weights = mixture()[1].log_softmax(1)
    ours = mixture_cross_entropy(values, log_weights, weight, bias, target, smoothing=0.1)
    torch.testing.assert_close(
        tuple(ours), tuple(cross_entropy(features, weight, bias, target, smoothing=0.1)), rtol=0, atol=1e-10
    )


@pytest.mark.parametrize(
    ("kind", "value", "slope"), [(Mixture, -1.260748, 0.259296), (Elbo, -1.430147, 0.157918)], ids=["marginal", "elbo"]
)
def test_two_positions_and_one_token(kind: type[Mixture], value: float, slope: float) -> None:
    scores = torch.tensor([[1.5, 3.5]], dtype=torch.float64, requires_grad=True)
    values = torch.tensor([[[0.9 / 0.1], [0.2 / 0.8]]], dtype=torch.float64).log()  # p(y|z) = .9 and .2
    weight, bias = torch.tensor([[0.0], [1.0], [0.0]], dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
    bias[0] = -1e3  # padding
    features = kind(values[:, None], scores.log_softmax(1)[:, None])
    loss = sequence_loss(features, weight, bias, torch.tensor([[1]]))
    assert -loss.nll.item() == pytest.approx(value, abs=5e-7)
    [gradient] = torch.autograd.grad(-loss.smoothed, scores)
    assert gradient[0].tolist() == pytest.approx([slope, -slope], abs=5e-7)


def test_without_gradients_a_mixtures_value_is_the_same() -> None:
    values, scores, weight, bias, target = mixture()
    arguments = (values, scores.log_softmax(1), weight, bias, target)
    with torch.inference_mode():
        loss = mixture_cross_entropy(*arguments, smoothing=0.1)
    torch.testing.assert_close(loss.smoothed, mixture_cross_entropy(*arguments, smoothing=0.1).smoothed)


def test_large_logits_of_a_mixture_do_not_overflow() -> None:
    values, scores, weight, bias, target = (tensor.detach() for tensor in mixture(torch.float32))
    large = mixture_cross_entropy(values * 1e4, scores.log_softmax(1), weight, bias, target, smoothing=0.1)
    doubles = (tensor.double() for tensor in (values * 1e4, scores.log_softmax(1), weight, bias))
    exact = mixture_cross_entropy(*doubles, target, smoothing=0.1)
    torch.testing.assert_close(large.smoothed.double(), exact.smoothed)


def test_a_mixture_in_bf16_autocast_is_close_to_fp32() -> None:
    values, scores, weight, bias, target = inputs = mixture(torch.float32)
    log_weights = scores.log_softmax(1)
    exact = mixture_cross_entropy(values, log_weights, weight, bias, target, smoothing=0.1).smoothed
    with torch.autocast("cpu", torch.bfloat16):
        rounded = mixture_cross_entropy(values.bfloat16(), log_weights, weight, bias, target, smoothing=0.1).smoothed
    assert rounded.dtype == torch.float32
    assert rounded.item() != exact.item()
    assert rounded.item() == pytest.approx(exact.item(), rel=0.01)
    wanted = torch.autograd.grad(exact, inputs[:4], retain_graph=True)
    for own, right in zip(torch.autograd.grad(rounded, inputs[:4]), wanted, strict=True):
        assert (own - right).norm() < 0.02 * right.norm()


# ---- of whole sentences


@pytest.mark.parametrize("kind", ["features", "mixture"])
def test_padding_has_no_part_in_a_sequences_loss(kind: str) -> None:
    values, scores, weight, bias, target = mixture()
    target = target.clamp_min(1)
    padded = torch.zeros(2, 6, dtype=torch.long)
    real = torch.tensor([[True] * 3 + [False] * 3, [True] * 4 + [False] * 2])
    padded[real] = target

    def spread(rows: Tensor) -> Tensor:
        whole = rows.new_full((2, 6, *rows.shape[1:]), 9.0)
        whole[real] = rows
        return whole

    if kind == "features":
        found = sequence_loss(spread(values[:, 0]), weight, bias, padded, smoothing=0.1)
        expected = cross_entropy(values[:, 0], weight, bias, target, smoothing=0.1)
    else:
        log_weights = scores.log_softmax(1)
        found = sequence_loss(Mixture(spread(values), spread(log_weights)), weight, bias, padded, smoothing=0.1)
        expected = mixture_cross_entropy(values, log_weights, weight, bias, target, smoothing=0.1)
    torch.testing.assert_close(tuple(found), tuple(expected), rtol=0, atol=1e-12)


def test_pieces_have_few_sizes_and_little_padding() -> None:
    steps = {rows: module._choose_step(rows, 262) for rows in range(1000, 2001)}
    assert len(set(steps.values())) <= 5
    assert all(-(-rows // step) == -(-rows // 262) for rows, step in steps.items())
    assert all(-(-rows // step) * step - rows < rows / 8 for rows, step in steps.items())
