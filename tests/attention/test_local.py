"""Local attention: a worked window, its limits, and gathering against masking."""

from math import exp

import pytest
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from seq2attn.attention import (
    Additive,
    Attention,
    Dot,
    General,
    Global,
    LocalMonotonic,
    LocalPredictive,
    Request,
    Score,
    Span,
    softmax,
)

B, T, S, D = 3, 7, 6, 4
LENGTHS = (S, 3, 1)
EXACT = {"rtol": 0, "atol": 1e-12}
every_gaussian = pytest.mark.parametrize("gaussian", [False, True], ids=["flat", "gaussian"])
every_way = pytest.mark.parametrize("gathered", [False, True], ids=["masked", "gathered"])


def states(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def scores() -> list[Score]:
    torch.manual_seed(1)
    additive = Additive(query_width=D, key_width=D, width=3).double()
    return [Dot(), General(query_width=D, key_width=D).double(), additive]


every_score = pytest.mark.parametrize("score", scores(), ids=["dot", "general", "additive"])


def mask() -> Tensor:
    return torch.arange(S) < torch.tensor(LENGTHS)[:, None]


def attention(span: Span, score: Score | None = None) -> Attention:
    return Attention(score=score or Dot(), span=span, normalizer=softmax, context_width=D)


def predictive(window: int, *, gaussian: bool = True, gathered: bool = False, width: int = D) -> LocalPredictive:
    torch.manual_seed(1)
    span = LocalPredictive(query_width=width, window=window, gaussian=gaussian, gathered=gathered).double()
    with torch.no_grad():
        span.vector.weight *= 5  # predicts positions all over the sentence
    return span


def weights(span: Span, length: int, positions: Tensor | None) -> list[list[float]]:
    """Of one sentence whose scores are all 0."""
    zeros, real = torch.zeros(1, length, 2, dtype=torch.float64), torch.ones(1, length, dtype=torch.bool)
    one = attention(span)
    query = zeros.new_zeros(1, 1 if positions is None else len(positions), 2)
    return one(Request(query, positions, trace=True), one.remember(zeros, real)).weights[0, 0].tolist()


GOLDEN = [0.027067, 0.121306, 0.200000, 0.121306, 0.027067]


@every_way
def test_a_predicted_window_of_five_words_with_equal_scores(gathered: bool) -> None:
    [found] = weights(predictive(2, gathered=gathered, width=2), 5, None)  # σ(0) = 1/2 of the way: the third word
    assert found == pytest.approx(GOLDEN, abs=5e-7)
    assert sum(found) == pytest.approx(0.496746, abs=5e-7)


@every_way
def test_a_monotonic_window_has_the_same_gaussian(gathered: bool) -> None:
    span = LocalMonotonic(window=2, gaussian=True, gathered=gathered)
    found = weights(span, 5, torch.tensor([2, 4]))
    assert found[0] == pytest.approx(GOLDEN, abs=5e-7)
    assert found[1] == pytest.approx([0, 0, exp(-2) / 3, exp(-0.5) / 3, 1 / 3], abs=1e-12)


@every_way
def test_a_monotonic_window_moves_with_the_target_to_the_last_word(gathered: bool) -> None:
    span = LocalMonotonic(window=1, gathered=gathered)
    half, third = 1 / 2, 1 / 3
    found = weights(span, 4, torch.tensor([0, 1, 2, 3, 4, 5, 90]))
    assert found == [
        pytest.approx(row, abs=1e-12)
        for row in (
            [half, half, 0, 0],
            [third, third, third, 0],
            [0, third, third, third],
            *[[0, 0, half, half]] * 4,
        )
    ]


@every_way
def test_a_monotonic_window_stays_at_the_last_word_of_each_sentence(gathered: bool) -> None:
    one = attention(LocalMonotonic(window=0, gathered=gathered))
    found = one(Request(states(B, T, D), torch.arange(T), trace=True), one.remember(states(B, S, D), mask())).weights
    assert found[:, 0].argmax(-1).tolist() == [[0, 1, 2, 3, 4, 5, 5], [0, 1, 2, 2, 2, 2, 2], [0] * T]
    assert (found.sum(-1) == 1).all()


@every_way
@every_score
def test_a_monotonic_window_that_is_wide_enough_is_global(score: Score, gathered: bool) -> None:
    query, source = states(B, T, D), states(B, S, D, seed=1)
    everything = attention(Global(), score)
    memory = everything.remember(source, mask())
    expected = everything(Request(query, trace=True), memory)
    found = attention(LocalMonotonic(window=max(S, T) - 1, gathered=gathered), score)(
        Request(query, torch.arange(T), trace=True), memory
    )
    torch.testing.assert_close(found.weights, expected.weights, **EXACT)
    torch.testing.assert_close(found.context, expected.context, **EXACT)
    if not gathered:
        assert torch.equal(found.context, expected.context)
    narrow = attention(LocalMonotonic(window=S - 2, gathered=gathered), score)
    assert not torch.allclose(narrow(Request(query, torch.arange(T)), memory).context, expected.context)


@every_way
def test_a_wide_enough_predicted_window_is_global(gathered: bool) -> None:
    query, source = states(B, T, D), states(B, S, D, seed=1)
    everything = attention(Global())
    memory = everything.remember(source, mask())
    expected = everything(Request(query, trace=True), memory)

    def found(gaussian: bool) -> Tensor:
        return attention(predictive(S, gaussian=gaussian, gathered=gathered))(
            Request(query, trace=True), memory
        ).weights

    torch.testing.assert_close(found(gaussian=False), expected.weights, **EXACT)
    assert not torch.allclose(found(gaussian=True), expected.weights)


@every_way
@pytest.mark.parametrize("window", [0, 1, 3])
def test_a_monotonic_window_is_pytorchs_attention_with_a_band_mask(window: int, gathered: bool) -> None:
    one, query, source = attention(LocalMonotonic(window=window, gathered=gathered)), states(B, T, D), states(B, S, D)
    ends = torch.tensor(LENGTHS)[:, None, None] - 1
    band = (torch.arange(S) - torch.arange(T)[:, None].minimum(ends)).abs() <= window
    expected = scaled_dot_product_attention(query, source, source, band & mask()[:, None], scale=1.0)
    torch.testing.assert_close(
        one(Request(query, torch.arange(T)), one.remember(source, mask())).context, expected, **EXACT
    )


def test_a_gaussian_without_end_is_global() -> None:
    query, everything = states(B, T, D), attention(Global())
    memory = everything.remember(states(B, S, D, seed=1), mask())
    expected, found = (
        everything(Request(query), memory).context,
        attention(predictive(10**9))(Request(query), memory).context,
    )
    torch.testing.assert_close(found, expected, **EXACT)


def test_the_position_is_predicted_within_each_sentences_own_length() -> None:
    span, query = predictive(2), states(B, T, D)
    centers = span.center(query[:, None], mask())
    for b, length in enumerate(LENGTHS):
        for t in range(T):
            share = 1 / (1 + exp(-(span.vector.weight[0] @ torch.tanh(span.hidden.weight @ query[b, t])).item()))
            assert centers[b, t].item() == pytest.approx((length - 1) * share, abs=1e-12)
    assert centers.max() > 0.8 * (S - 1)
    assert centers[0].min() < 0.2 * (S - 1)


@every_gaussian
@every_way
@pytest.mark.parametrize("kind", ["monotonic", "predictive"])
def test_padding_is_invisible(kind: str, gaussian: bool, gathered: bool) -> None:
    if kind == "monotonic":
        span: Span = LocalMonotonic(window=1, gaussian=gaussian, gathered=gathered)
    else:
        span = predictive(1, gaussian=gaussian, gathered=gathered)
    one, query, source, positions = attention(span), states(B, T, D), states(B, S, D, seed=1), torch.arange(T)
    batch = one(Request(query, positions, trace=True), one.remember(source, mask()))
    for b, length in enumerate(LENGTHS):
        memory = one.remember(source[b : b + 1, :length], mask()[b : b + 1, :length])
        alone = one(Request(query[b : b + 1], positions, trace=True), memory)
        torch.testing.assert_close(batch.context[b : b + 1], alone.context, **EXACT)
        torch.testing.assert_close(batch.weights[b : b + 1, ..., :length], alone.weights, **EXACT)
        assert (batch.weights[b, ..., length:] == 0).all()


@every_score
@pytest.mark.parametrize("kind", ["monotonic", "predictive"])
@pytest.mark.parametrize(
    ("window", "gaussian"), [(0, False), (1, False), (2, False), (S, False), (1, True), (2, True), (S, True)]
)
def test_gathered_equals_masked_with_its_gradients(kind: str, window: int, score: Score, gaussian: bool) -> None:
    found = []
    for gathered in (False, True):
        if kind == "monotonic":
            span: Span = LocalMonotonic(window=window, gaussian=gaussian, gathered=gathered)
            parameters = []
        else:
            span = predictive(window, gaussian=gaussian, gathered=gathered)
            parameters = list(span.parameters()) if gaussian else []
        one = attention(span, score)
        query, source = states(B, T, D).requires_grad_(), states(B, S, D, seed=1).requires_grad_()
        output = one(Request(query, torch.arange(T), trace=True), one.remember(source, mask()))
        gradients = torch.autograd.grad(output.context.square().sum(), (query, source, *parameters))
        found.append((output.weights, output.context, *gradients))
    for masked, gathered in zip(*found, strict=True):
        torch.testing.assert_close(gathered, masked, **EXACT)


def test_a_gathered_window_computes_only_its_own_keys() -> None:
    real, positions = torch.ones(1, 100, dtype=torch.bool), torch.arange(T)
    query = states(1, 1, T, D)
    assert LocalMonotonic(window=3, gathered=True)(query, real, positions).places.shape == (1, T, 7)
    assert predictive(3, gathered=True)(query, real, None).places.shape == (1, T, 7)
    for wide in (LocalMonotonic(window=10_000, gathered=True), predictive(10_000, gathered=True)):
        assert wide(query, real[:, :9], positions).places.shape == (1, T, 17)  # no more than nine words need


@every_way
def test_only_the_gaussian_gives_the_predicted_position_a_gradient(gathered: bool) -> None:
    for gaussian in (False, True):
        one = attention(predictive(2, gaussian=gaussian, gathered=gathered))
        query, source = states(B, T, D), states(B, S, D, seed=1).requires_grad_()
        one(Request(query), one.remember(source, mask())).context.square().sum().backward()
        moved = [bool(p.grad is not None and p.grad.abs().sum() > 0) for p in one.span.parameters()]
        assert moved == [gaussian, gaussian]
        assert source.grad.abs().sum() > 0


@every_way
def test_the_gradient_of_a_predicted_window_is_that_of_its_numbers(gathered: bool) -> None:
    one, query, source = attention(predictive(2, gathered=gathered, width=2)), states(1, 2, 2), states(1, S, 2, seed=1)

    def context(query: Tensor, source: Tensor, hidden: Tensor, vector: Tensor) -> Tensor:
        changed = {"span.hidden.weight": hidden, "span.vector.weight": vector}
        memory = one.remember(source, torch.ones(1, S, dtype=torch.bool))
        return torch.func.functional_call(one, changed, (Request(query), memory)).context

    inputs = (query, source, one.span.hidden.weight.detach(), one.span.vector.weight.detach())
    assert torch.autograd.gradcheck(context, tuple(each.requires_grad_() for each in inputs))


@every_gaussian
@every_way
def test_a_query_at_its_position_sees_what_it_sees_among_all(gaussian: bool, gathered: bool) -> None:
    one, query = attention(LocalMonotonic(window=1, gaussian=gaussian, gathered=gathered)), states(B, T, D)
    memory = one.remember(states(B, S, D, seed=1), mask())
    whole = one(Request(query, torch.arange(T)), memory).context
    for step in range(T):
        hypotheses = query[:, step : step + 1].expand(-1, 3, -1)
        found = one(Request(hypotheses, torch.full((3,), step)), memory).context
        torch.testing.assert_close(found, whole[:, step : step + 1].expand(-1, 3, -1), **EXACT)


@every_way
def test_a_monotonic_window_in_bf16_is_where_it_is_in_fp32(gathered: bool) -> None:
    span, real = LocalMonotonic(window=2, gaussian=True, gathered=gathered), torch.ones(1, 400, dtype=torch.bool)
    exact = span(torch.zeros(1, 1, 1, D), real, torch.tensor([301]))
    rounded = span(torch.zeros(1, 1, 1, D, dtype=torch.bfloat16), real, torch.tensor([301]))
    assert torch.equal(rounded.legal, exact.legal)
    assert torch.equal(rounded.gain, exact.gain)
    if gathered:
        assert rounded.places.tolist() == [[[299, 300, 301, 302, 303]]]


def test_a_monotonic_window_needs_positions() -> None:
    with pytest.raises(ValueError, match="positions"):
        LocalMonotonic(window=1)(torch.zeros(B, 1, T, D), mask(), None)
