"""Normalizers: worked numbers, limits, and what is true of every one of them."""

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck
from torch.autograd.functional import jacobian
from torch.func import functional_call

from seq2attn.attention.normalizers import Entmax, LearnedEntmax, Normalizer, Softmax, softmax, sparsemax

B, G, Q, S = 2, 3, 4, 6
EXACT = {"rtol": 0, "atol": 1e-12}
ALPHAS = [1.01, 1.2, 1.5, 1.9, 2.0, 2.5, 4.0]

every_normalizer = pytest.mark.parametrize(
    "normalizer",
    [softmax, Softmax(0.5), Softmax(3.0), sparsemax, Entmax(1.05), Entmax(1.5), Entmax(2.5), LearnedEntmax(G)],
    ids=["softmax", "sharp", "flat", "sparsemax", "entmax 1.05", "entmax 1.5", "entmax 2.5", "learned"],
)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def some_legal() -> Tensor:
    """At least one in every row."""
    return (draw(B, G, Q, S, seed=1) > -0.3) | (torch.arange(S) == 2)


def few() -> tuple[Tensor, Tensor]:
    """Scores that need a gradient, and their legal positions: all, some, or none in a row."""
    legal = torch.tensor([[True] * 4, [True, False, True, True], [False] * 4])
    return draw(1, G, 3, 4).requires_grad_(), legal.expand(1, G, 3, 4)


def weigh(normalizer: Normalizer, scores: list[float]) -> list[float]:
    return normalizer(torch.tensor([scores], dtype=torch.float64), torch.ones(1, len(scores), dtype=torch.bool))[
        0
    ].tolist()


# ---- worked numbers


@pytest.mark.parametrize(
    ("normalizer", "scores", "weights"),
    [
        (sparsemax, [-2, 0, 0.5], [0, 0.25, 0.75]),
        (Entmax(2.0), [-2, 0, 0.5], [0, 0.25, 0.75]),
        (Entmax(1.5), [-2, 0, 0.5], [0, 0.326007, 0.673993]),
        # h1 = (1, 2), h2 = (3, 4), q = (.5, .5): q·h, then q·h / √2, then beside a sentinel's score of .5
        (softmax, [1.5, 3.5], [0.119203, 0.880797]),
        (sparsemax, [1.5, 3.5], [0, 1]),
        (Entmax(1.5), [1.5, 3.5], [0, 1]),
        (Softmax(2**0.5), [1.5, 3.5], [0.195570, 0.804430]),
        (Entmax(1.5), [1.5 / 2**0.5, 3.5 / 2**0.5], [0.066987, 0.933013]),
        (softmax, [1.5, 3.5, 0.5], [0.114195, 0.843795, 0.042010]),
        # Q = (1, 0, 1), K = (1, 0, 1), (0, 1, 0): q·k / √3
        (softmax, [2 / 3**0.5, 0], [0.760368, 0.239632]),
        (Softmax(3**0.5), [2, 0], [0.760368, 0.239632]),
        (Entmax(1.5), [2 / 3**0.5, 0], [0.872678, 0.127322]),
        (sparsemax, [2 / 3**0.5, 0], [1, 0]),
    ],
)
def test_worked_weights(normalizer: Normalizer, scores: list[float], weights: list[float]) -> None:
    assert weigh(normalizer, scores) == pytest.approx(weights, abs=5e-7)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_entmax_is_what_defines_it(alpha: float) -> None:
    """(α−1) z − p^(α−1) is the same τ wherever p > 0, and (α−1) z ≤ τ wherever p = 0: p maximizes pᵀz + Tsallis entropy."""
    scores = 2 * draw(50, 8)
    weights = Entmax(alpha)(scores, torch.ones(50, 8, dtype=torch.bool))
    torch.testing.assert_close(weights.sum(-1), torch.ones(50, dtype=torch.float64), **EXACT)
    tau = (alpha - 1) * scores - weights ** (alpha - 1)
    highest = tau.gather(-1, scores.argmax(-1, keepdim=True)).expand_as(tau)
    torch.testing.assert_close(tau[weights > 0], highest[weights > 0], **EXACT)
    assert (tau <= highest + 1e-12).all()


@pytest.mark.parametrize(("logit", "exact"), [(0.0, Entmax(1.5)), (50.0, sparsemax)], ids=["1.5", "2"])
@pytest.mark.parametrize("size", [1, 2, 7, 300])
def test_bisection_finds_what_sorting_finds(logit: float, exact: Normalizer, size: int) -> None:
    bisection = LearnedEntmax(1).double()
    torch.nn.init.constant_(bisection.logit, logit)
    scores, legal = draw(1, 1, 50, size), draw(1, 1, 50, size, seed=1) > -1
    torch.testing.assert_close(bisection(scores, legal), exact(scores, legal), **EXACT)


@pytest.mark.parametrize("normalizer", [sparsemax, Entmax(1.5)], ids=["sparsemax", "entmax 1.5"])
def test_where_one_position_is_left_no_score_has_a_gradient(normalizer: Normalizer) -> None:
    scores = torch.tensor([[1.5, 3.5]], dtype=torch.float64, requires_grad=True)
    weights = normalizer(scores, torch.ones(1, 2, dtype=torch.bool))
    (weights @ torch.tensor([1.0, 7], dtype=torch.float64)).sum().backward()
    assert weights.tolist() == [[0, 1]]
    assert scores.grad.tolist() == [[0, 0]]


# ---- limits


def test_entmax_tends_to_softmax_as_alpha_tends_to_one() -> None:
    scores, legal = draw(20, S), torch.ones(20, S, dtype=torch.bool)
    limit = softmax(scores, legal)
    far, near = ((Entmax(alpha)(scores, legal) - limit).abs().max().item() for alpha in (1.01, 1.001))
    assert near < 1e-3
    assert near == pytest.approx(far / 10, rel=0.05)


def test_entmax_tends_to_the_highest_score_as_alpha_grows() -> None:
    scores = torch.tensor([[0.0, 1.0, 1.2, -3.0]], dtype=torch.float64)
    legal = torch.ones(1, 4, dtype=torch.bool)
    runner_up = [Entmax(alpha)(scores, legal)[0, 1].item() for alpha in (1.5, 2.0, 3.0, 5.0, 5.9)]
    assert runner_up == sorted(runner_up, reverse=True)
    assert Entmax(6.1)(scores, legal).tolist() == [[0, 0, 1, 0]]  # (α−1) · 0.2 > 1


def test_a_low_temperature_chooses_and_a_high_one_averages() -> None:
    scores = [0.0, 1.0, 1.2, -3.0]
    assert weigh(Softmax(1e-3), scores) == pytest.approx([0, 0, 1, 0], abs=1e-12)
    assert weigh(Softmax(1e-300), scores) == [0, 0, 1, 0]
    assert weigh(Softmax(1e12), scores) == pytest.approx([0.25] * 4, abs=1e-11)


def test_temperature_divides_the_scores() -> None:
    scores, legal = draw(B, G, Q, S), some_legal()
    torch.testing.assert_close(Softmax(0.7)(scores, legal), softmax(scores / 0.7, legal), **EXACT)


# ---- what is true of all


@every_normalizer
def test_weights_are_shares_of_the_legal_positions(normalizer: Normalizer) -> None:
    legal = some_legal()
    weights = normalizer(3 * draw(B, G, Q, S), legal)
    assert (weights >= 0).all()
    assert (weights[~legal] == 0).all()
    torch.testing.assert_close(weights.sum(-1), torch.ones(B, G, Q, dtype=torch.float64), **EXACT)


@every_normalizer
def test_masked_positions_might_as_well_not_exist(normalizer: Normalizer) -> None:
    scores, legal = draw(B, G, Q, S), torch.arange(S) < 4
    expected = normalizer(scores[..., :4], legal[:4].expand(B, G, Q, 4))
    torch.testing.assert_close(normalizer(scores, legal.expand(B, 1, 1, S))[..., :4], expected, **EXACT)


@every_normalizer
@pytest.mark.parametrize("magnitude", [800.0, -800.0, 1e30, -1e30, 3e38, -3e38])
def test_large_scores_neither_overflow_nor_vanish(normalizer: Normalizer, magnitude: float) -> None:
    scores = torch.tensor([magnitude, magnitude, 0.0, 0.0]).expand(1, G, 1, 4).clone().requires_grad_()
    weights = normalizer(scores, torch.tensor([True, True, False, True]).expand(1, G, 1, 4))
    expected = torch.tensor([0.5, 0.5, 0, 0] if magnitude > 0 else [0.0, 0, 0, 1])
    torch.testing.assert_close(weights, expected.expand_as(weights), rtol=0, atol=1e-7)
    weights[..., 0].sum().backward()
    assert scores.grad.isfinite().all()


@every_normalizer
def test_a_row_without_a_legal_position_is_zero(normalizer: Normalizer) -> None:
    scores = draw(B, G, Q, S).requires_grad_()
    legal = some_legal()
    legal[1] = False
    weights = normalizer(scores, legal)
    (weights * draw(B, G, Q, S, seed=2)).sum().backward()
    assert (weights[1] == 0).all()
    assert (scores.grad[1] == 0).all()
    assert (scores.grad[0] != 0).any()


@every_normalizer
@pytest.mark.parametrize("value", [torch.inf, -torch.inf, torch.nan, 1e300])
def test_illegal_scores_leak_nothing_whatever_they_are(normalizer: Normalizer, value: float) -> None:
    legal = some_legal()
    legal[1, 1] = False
    plain = draw(B, G, Q, S).requires_grad_()
    wild = plain.detach().masked_fill(~legal, value).requires_grad_()
    for scores in (plain, wild):
        (normalizer(scores, legal) * draw(B, G, Q, S, seed=2)).sum().backward()
    torch.testing.assert_close(normalizer(wild, legal), normalizer(plain, legal), rtol=0, atol=0)
    torch.testing.assert_close(wild.grad, plain.grad, rtol=0, atol=0)
    assert (wild.grad[~legal] == 0).all()


@every_normalizer
def test_weights_of_bf16_scores_are_fp32(normalizer: Normalizer) -> None:
    rounded = draw(B, G, Q, 50).bfloat16()
    legal = torch.ones(B, G, Q, 50, dtype=torch.bool)
    weights = normalizer(rounded, legal)
    assert weights.dtype == torch.float32
    torch.testing.assert_close(weights, normalizer(rounded.float(), legal), rtol=0, atol=0)
    torch.testing.assert_close(weights.double(), normalizer(rounded.double(), legal), rtol=0, atol=1e-6)


@every_normalizer
def test_gradients_are_those_of_small_differences(normalizer: Normalizer) -> None:
    scores, legal = few()
    assert gradcheck(lambda scores: normalizer(scores, legal), scores)


# ---- entmax alone


@pytest.mark.parametrize("alpha", ALPHAS)
def test_the_jacobian_of_entmax_is_the_formula(alpha: float) -> None:
    """diag(s) − s sᵀ / Σ s, with s = p^(2−α) on the support."""
    scores = draw(S, seed=3)
    everything = torch.ones(S, dtype=torch.bool)
    p = Entmax(alpha)(scores, everything)
    s = torch.where(p > 0, p ** (2 - alpha), 0.0)
    found = jacobian(lambda z: Entmax(alpha)(z, everything), scores)
    torch.testing.assert_close(found, s.diag() - s.outer(s) / s.sum(), **EXACT)


@pytest.mark.parametrize("alpha", [*ALPHAS, 30.0, 300.0])
def test_equal_scores_have_equal_weights_and_a_finite_gradient(alpha: float) -> None:
    scores = torch.zeros(1, 50, requires_grad=True)
    weights = Entmax(alpha)(scores, torch.ones(1, 50, dtype=torch.bool))
    torch.testing.assert_close(weights, torch.full((1, 50), 0.02), rtol=0, atol=1e-8)
    weights[0, 0].backward()
    assert scores.grad.isfinite().all()


def test_every_group_learns_an_alpha_of_its_own() -> None:
    learned = LearnedEntmax(G).double()
    assert learned.alpha.flatten().tolist() == [1.5] * G
    with torch.no_grad():
        learned.logit.copy_(torch.tensor([-1.0, 0.5, 2.0])[:, None, None])
    scores, legal = draw(B, G, Q, S), some_legal()
    weights = learned(scores, legal)
    for group, logit in enumerate([-1.0, 0.5, 2.0]):
        alpha = 1 + torch.tensor(logit, dtype=torch.float64).sigmoid().item()
        torch.testing.assert_close(weights[:, group], Entmax(alpha)(scores[:, group], legal[:, group]), **EXACT)


def test_the_gradient_of_alpha_is_that_of_small_differences() -> None:
    learned = LearnedEntmax(G).double()
    logit = torch.tensor([-2.0, 0.3, 2.0], dtype=torch.float64)[:, None, None].requires_grad_()
    scores, legal = few()
    assert gradcheck(lambda logit: functional_call(learned, {"logit": logit}, (scores, legal)), logit)


def test_a_learned_alpha_stays_above_one() -> None:
    learned = LearnedEntmax(1)
    torch.nn.init.constant_(learned.logit, -100)
    assert learned.alpha.item() == pytest.approx(1.01)


@pytest.mark.parametrize("alpha", [1.0, 0.5, -1.0, 1.0005, 0.9995, torch.inf, torch.nan])
def test_alphas_that_cannot_be_computed_are_refused(alpha: float) -> None:
    with pytest.raises(ValueError, match="above 1 by at least"):
        Entmax(alpha)


@pytest.mark.parametrize("temperature", [0.0, -1.0, torch.nan])
def test_temperatures_are_positive(temperature: float) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        Softmax(temperature)


def test_normalizers_with_the_same_setting_are_equal() -> None:
    assert Entmax(1.5) == Entmax(1.5) != Entmax(1.6)
    assert Softmax(2.0) == Softmax(2.0) != Softmax(1.0)
