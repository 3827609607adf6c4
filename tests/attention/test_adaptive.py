"""Adaptive attention: a worked example, both of its forms, its limits, and the sentinel by hand."""

from math import exp, tanh

import pytest
import torch
from torch import Tensor, nn

from seq2attn.attention import (
    Adaptive,
    Additive,
    Attention,
    Dot,
    General,
    Global,
    LocalMonotonic,
    Request,
    Score,
    Sentinel,
    Span,
    softmax,
)

B, Q, S, D, X = 2, 4, 5, 4, 3
EXACT = {"rtol": 0, "atol": 1e-12}


def states(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def scores() -> list[Score]:
    torch.manual_seed(1)
    return [Dot(), General(query_width=D, key_width=D), Additive(query_width=D, key_width=D, width=D)]


every_score = pytest.mark.parametrize("score", scores(), ids=["dot", "general", "additive"])


def mask() -> Tensor:
    return torch.arange(S) < torch.tensor([S, 3])[:, None]


def adaptive(
    score: Score, span: Span = Global(), width: int = D, sentinel: int = X, temporal: bool = False
) -> Adaptive:
    torch.manual_seed(1)
    attention = Attention(score=score, span=span, normalizer=softmax, context_width=width, temporal=temporal)
    return Adaptive(attention, sentinel_width=sentinel, key_width=width).double()


def forced(score: float) -> tuple[Adaptive, Tensor, Tensor, Tensor]:
    """A sentinel whose score is `score` for every query, with queries, source states and the sentinel itself."""
    one = adaptive(Dot(), sentinel=1)
    query, source = states(B, Q, D), states(B, S, D, seed=1)
    query[..., 0], source[..., 0] = 1, 0
    with torch.no_grad():
        one.key.weight.copy_(torch.tensor([[score], [0], [0], [0]]))
    return one, query, source.requires_grad_(), torch.ones(B, Q, 1, dtype=torch.float64)


def test_two_encoder_states_and_a_sentinel_of_value_zero() -> None:
    one = adaptive(Dot(), width=2, sentinel=1)
    nn.init.constant_(one.key.weight, 0.5)
    nn.init.zeros_(one.value.weight)
    source = torch.tensor([[[1.0, 2], [3, 4]]], dtype=torch.float64)
    query = torch.full((1, 1, 2), 0.5, dtype=torch.float64)
    memory = one.remember(source, torch.ones(1, 2, dtype=torch.bool))
    found = one(Request(query, sentinel=torch.ones(1, 1, 1, dtype=torch.float64), trace=True), memory)
    assert found.sentinel.item() == pytest.approx(0.042010, abs=5e-7)
    assert found.weights[0, 0, 0].tolist() == pytest.approx([0.114195, 0.843795], abs=5e-7)
    assert found.context[0, 0].tolist() == pytest.approx([2.645579, 3.603569], abs=5e-7)


@every_score
def test_the_context_is_the_sentinel_and_the_plain_context_in_proportion(score: Score) -> None:
    one, query, sentinel = adaptive(score), states(B, Q, D), states(B, Q, X, seed=2)
    memory = one.remember(states(B, S, D, seed=1), mask())
    found, plain = (
        one(Request(query, sentinel=sentinel, trace=True), memory),
        one.attention(Request(query, trace=True), memory),
    )
    beta = found.sentinel[..., None]
    assert beta.min() > 0
    assert beta.max() > 0.1
    torch.testing.assert_close(found.context, beta * one.value(sentinel) + (1 - beta) * plain.context, **EXACT)
    torch.testing.assert_close(found.weights, (1 - beta[:, None]) * plain.weights, **EXACT)
    torch.testing.assert_close(found.weights.sum(-1)[:, 0] + found.sentinel, torch.ones(B, Q).double(), **EXACT)


@every_score
def test_the_sentinel_is_scored_as_a_key(score: Score) -> None:
    one, query, sentinel = adaptive(score), states(B, Q, D), states(B, Q, X, seed=2)
    memory = one.remember(states(B, S, D, seed=1), mask())
    found = one(Request(query, sentinel=sentinel, trace=True), memory).sentinel
    for b, length in enumerate((S, 3)):
        for q in range(Q):
            keys = torch.cat([memory.keys[b, 0, :length], one.key(sentinel[b, q])[None]])
            expected = one.attention.score(query[b, q : q + 1], keys)[0].softmax(0)[-1]
            torch.testing.assert_close(found[b, q], expected, **EXACT)


def test_a_sentinel_that_scores_nothing_leaves_the_attention_without_it() -> None:
    one, query, source, sentinel = forced(-1e4)
    memory = one.remember(source, mask())
    found, plain = (
        one(Request(query, sentinel=sentinel, trace=True), memory),
        one.attention(Request(query, trace=True), memory),
    )
    assert (found.sentinel == 0).all()
    torch.testing.assert_close(found.context, plain.context, **EXACT)
    torch.testing.assert_close(found.weights, plain.weights, **EXACT)


def test_a_sentinel_that_scores_everything_hides_the_source() -> None:
    one, query, source, sentinel = forced(1e4)
    found = one(Request(query, sentinel=sentinel, trace=True), one.remember(source, mask()))
    assert (found.sentinel == 1).all()
    assert torch.equal(found.context, one.value(sentinel))
    found.context.square().sum().backward()
    assert (source.grad == 0).all()
    assert one.value.weight.grad.abs().sum() > 0


@every_score
def test_without_a_legal_position_everything_is_the_sentinels(score: Score) -> None:
    one, query, sentinel = adaptive(score), states(B, Q, D), states(B, Q, X, seed=2)
    source, nobody = states(B, S, D, seed=1).requires_grad_(), mask()
    nobody[1] = False
    found = one(Request(query, sentinel=sentinel, trace=True), one.remember(source, nobody))
    assert (found.sentinel[1] == 1).all()
    assert (found.sentinel[0] < 1).all()
    assert (found.weights[1] == 0).all()
    torch.testing.assert_close(found.context[1], one.value(sentinel[1]), **EXACT)
    found.context.square().sum().backward()
    assert (source.grad[1] == 0).all()
    assert (source.grad[0] != 0).all()


def test_padding_is_invisible() -> None:
    one, query, sentinel = adaptive(Dot()), states(B, Q, D), states(B, Q, X, seed=2)
    source = states(B, S, D, seed=1)
    batch = one(Request(query, sentinel=sentinel, trace=True), one.remember(source, mask()))
    alone = one(Request(query[1:], sentinel=sentinel[1:], trace=True), one.remember(source[1:, :3], mask()[1:, :3]))
    torch.testing.assert_close(batch.context[1:], alone.context, **EXACT)
    torch.testing.assert_close(batch.sentinel[1:], alone.sentinel, **EXACT)
    assert (batch.weights[1, ..., 3:] == 0).all()


@every_score
def test_gathered_equals_masked(score: Score) -> None:
    query, sentinel, source, positions = (
        states(B, Q, D),
        states(B, Q, X, seed=2),
        states(B, S, D, seed=1),
        torch.arange(Q),
    )
    found = []
    for gathered in (False, True):
        one = adaptive(score, LocalMonotonic(window=1, gathered=gathered))
        found.append(one(Request(query, positions, sentinel=sentinel, trace=True), one.remember(source, mask())))
    for name in ("context", "weights", "sentinel"):
        torch.testing.assert_close(getattr(found[1], name), getattr(found[0], name), **EXACT)


def test_the_attention_inside_keeps_its_history() -> None:
    one, query, sentinel = adaptive(Dot(), temporal=True), states(B, Q, D), states(B, Q, X, seed=2)
    memory, history = one.remember(states(B, S, D, seed=1), mask()), one.start(mask(), 1)
    whole = one(Request(query, sentinel=sentinel), memory).context
    for t in range(Q):
        now = slice(t, t + 1)
        found = one(Request(query[:, now], past=history, sentinel=sentinel[:, now]), memory)
        history = found.history
        torch.testing.assert_close(found.context, whole[:, now], **EXACT)


@pytest.mark.parametrize("trace", [False, True])
def test_asking_for_a_trace_changes_nothing(trace: bool) -> None:
    one, query, sentinel = adaptive(Dot()), states(B, Q, D), states(B, Q, X, seed=2)
    memory = one.remember(states(B, S, D, seed=1), mask())
    found = one(Request(query, sentinel=sentinel, trace=trace), memory)
    assert torch.equal(found.context, one(Request(query, sentinel=sentinel), memory).context)
    assert (found.weights is not None) == (found.sentinel is not None) == trace


def test_the_sentinel_is_required() -> None:
    one = adaptive(Dot())
    with pytest.raises(ValueError, match="sentinel"):
        one(Request(states(B, Q, D)), one.remember(states(B, S, D, seed=1), mask()))


def test_the_sentinel_is_a_gate_on_the_cell() -> None:
    made = Sentinel(input_width=2, width=1).double()
    with torch.no_grad():
        made.gate.weight.copy_(torch.tensor([[0.5, -1, 2]]))
        made.gate.bias.fill_(0.25)
    inputs = torch.tensor([[[1.0, 2], [3, 4]]], dtype=torch.float64)
    before, cell = inputs.new_tensor([[[0.1], [0.2]]]), inputs.new_tensor([[[0.7], [-3]]])
    expected = [tanh(0.7) / (1 + exp(1.5 - 0.25 - 0.2)), tanh(-3) / (1 + exp(2.5 - 0.25 - 0.4))]
    assert made(inputs, before, cell)[0, :, 0].tolist() == pytest.approx(expected, abs=1e-12)
