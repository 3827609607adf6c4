"""Temporal attention: a worked example, its definition in plain exponentials, and stepping against all steps at once."""

import pytest
import torch
from torch import Tensor

from seq2attn.attention import (
    Additive,
    Attention,
    Causal,
    Dot,
    General,
    Global,
    LocalMonotonic,
    MultiHead,
    Request,
    Score,
    Span,
    softmax,
)
from seq2attn.attention.temporal import temporal
from seq2attn.tensors import select

B, T, S, D, W = 2, 5, 6, 4, 3
EXACT = {"rtol": 0, "atol": 1e-12}


def states(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def mask() -> Tensor:
    return torch.arange(S) < torch.tensor([S, 3])[:, None]


def attention(score: Score, span: Span = Global(), width: int = D) -> Attention:
    return Attention(score=score, span=span, normalizer=softmax, context_width=width, temporal=True)


def scores(width: int) -> list[Score]:
    torch.manual_seed(1)
    additive = Additive(query_width=width, key_width=width, width=3).double()
    return [Dot(), General(query_width=width, key_width=width).double(), additive]


every_score = pytest.mark.parametrize("score", scores(D), ids=["dot", "general", "additive"])
every_score_of_half = pytest.mark.parametrize("score", scores(D // 2), ids=["dot", "general", "additive"])


def weights(scores: list[list[float]], dtype: torch.dtype = torch.float64) -> Tensor:
    """The weights of each step of one target, all steps at once; step by step they are the same."""
    given = torch.tensor(scores, dtype=dtype)[None, None]
    legal = torch.ones_like(given, dtype=torch.bool)
    found = softmax(temporal(given, None)[0], legal)
    past = torch.full((1, 1, 1, given.shape[3]), -torch.inf)
    atol = 1e-12 if dtype == torch.float64 else 1e-5
    for step in range(len(scores)):
        adjusted, past = temporal(given[:, :, step : step + 1], past)
        now = softmax(adjusted, legal[:, :, step : step + 1])
        torch.testing.assert_close(now, found[:, :, step : step + 1], rtol=0, atol=atol)
    return found[0, 0]


def test_three_steps_over_two_words() -> None:
    found = weights([[1.5, 3.5], [1, 3], [0.5, 0.5]]).tolist()
    assert found[0] == pytest.approx([0.119203, 0.880797], abs=5e-7)
    assert found[1] == pytest.approx([0.5, 0.5], abs=1e-12)
    assert found[2] == pytest.approx([0.880797, 0.119203], abs=5e-7)


def test_the_weights_are_those_of_plain_exponentials() -> None:
    scores = 3 * states(T, S)
    expected = [scores[0].exp()] + [scores[t].exp() / scores[:t].exp().sum(0) for t in range(1, T)]
    for own, ratio in zip(weights(scores.tolist()), expected, strict=True):
        torch.testing.assert_close(own, ratio / ratio.sum(), **EXACT)


def test_constant_scores_give_equal_weights_from_the_second_step() -> None:
    found = weights([[1.5, 3.5, -2]] * 4)
    torch.testing.assert_close(found[0], torch.tensor([1.5, 3.5, -2], dtype=torch.float64).softmax(0), **EXACT)
    torch.testing.assert_close(found[1:], torch.full((3, 3), 1 / 3, dtype=torch.float64), **EXACT)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([[-120, -120], [-120, -119], [-120, -120]], [[0.5, 0.5], [0.268941, 0.731059], [0.650244, 0.349756]]),
        ([[800, -120], [800, -120]], [[1, 0], [0.5, 0.5]]),
        ([[800, 800], [-120, -119]], [[0.5, 0.5], [0.268941, 0.731059]]),
    ],
)
def test_scores_of_any_size_neither_overflow_nor_vanish(
    scores: list[list[float]], expected: list[list[float]], dtype: torch.dtype
) -> None:
    for own, row in zip(weights(scores, dtype).tolist(), expected, strict=True):
        assert own == pytest.approx(row, abs=5e-6)


@pytest.mark.parametrize("size", [-120.0, 800.0])
def test_gradients_at_such_scores_are_finite(size: float) -> None:
    scores = (states(1, 1, T, S) + size).requires_grad_()
    softmax(temporal(scores, None)[0], torch.ones_like(scores, dtype=torch.bool)).square().sum().backward()
    assert scores.grad.isfinite().all()
    assert scores.grad.abs().sum() > 0


def test_the_history_sums_raw_scores_in_at_least_fp32() -> None:
    scores = states(1, 2, T, S)
    _, together = temporal(scores, None)
    past = torch.full((1, 1, 2, S), -torch.inf)
    for step in range(T):
        _, past = temporal(scores[:, :, step : step + 1], past)
        torch.testing.assert_close(past[:, 0], scores[:, :, : step + 1].logsumexp(2), **EXACT)
        torch.testing.assert_close(together[:, step], past[:, 0], **EXACT)
    adjusted, history = temporal(scores.bfloat16(), None)
    assert adjusted.dtype == history.dtype == torch.float32


@every_score
def test_one_step_is_plain_softmax(score: Score) -> None:
    own = attention(score)
    plain = Attention(score=score, span=Global(), normalizer=softmax, context_width=D)
    memory, query = own.remember(states(B, S, D, seed=1), mask()), states(B, 1, D)
    expected = plain(Request(query, trace=True), memory).weights
    torch.testing.assert_close(own(Request(query, trace=True), memory).weights, expected, **EXACT)
    history = own.start(mask(), 1)
    torch.testing.assert_close(own(Request(query, past=history, trace=True), memory).weights, expected, **EXACT)


@every_score
@pytest.mark.parametrize("span", [Global(), LocalMonotonic(window=1)], ids=["global", "local"])
def test_step_by_step_equals_all_steps_at_once(span: Span, score: Score) -> None:
    one, outcomes = attention(score, span), []
    for parallel in (True, False):
        query, source = states(B, T, D).requires_grad_(), states(B, S, D, seed=1).requires_grad_()
        memory, positions = one.remember(source, mask()), torch.arange(T)
        if parallel:
            output = one(Request(query, positions, trace=True), memory)
            context, found = output.context, output.weights
        else:
            history, steps = one.start(mask(), 1), []
            for t in range(T):
                steps.append(one(Request(query[:, t : t + 1], positions[t : t + 1], past=history, trace=True), memory))
                history = steps[-1].history
            context = torch.cat([step.context for step in steps], 1)
            found = torch.cat([step.weights for step in steps], 2)
        outcomes.append((context, found, *torch.autograd.grad(context.square().sum(), (query, source))))
    for parallel, stepped in zip(*outcomes, strict=True):
        torch.testing.assert_close(stepped, parallel, **EXACT)


def follows_prefixes(one: Attention | MultiHead) -> None:
    """W hypotheses, reordered twice on their way, see what each one's own prefix sees when it is read at once."""
    memory = one.remember(states(B, S, D, seed=1), mask())
    query = states(B, W, T, D)
    prefixes, history = query[:, :, :0], one.start(mask(), W)
    for t in range(T):
        if t in (2, 3):
            parents = torch.tensor([[2, 0, 0], [1, 1, 2]])
            prefixes, history = select(prefixes, parents), select(history, parents)
        prefixes = torch.cat([prefixes, query[:, :, t : t + 1]], 2)
        positions = torch.full((W,), t)
        stepped = one(Request(query[:, :, t], positions, past=history, trace=True), memory)
        history = stepped.history
        for w in range(W):
            alone = one(Request(prefixes[:, w], torch.arange(t + 1), trace=True), memory)
            torch.testing.assert_close(stepped.context[:, w], alone.context[:, -1], **EXACT)
            torch.testing.assert_close(stepped.weights[:, :, w], alone.weights[:, :, -1], **EXACT)


@every_score
def test_every_hypothesis_has_the_history_of_its_own_prefix(score: Score) -> None:
    follows_prefixes(attention(score))


@every_score_of_half
def test_every_head_of_every_hypothesis_has_a_history_of_its_own(score: Score) -> None:
    one = MultiHead(attention(score, width=2), heads=2, query_width=D, key_width=D, value_width=D, width=D).double()
    assert one.start(mask(), W).sums.shape == (B, W, 2, S)
    follows_prefixes(one)


def test_heads_that_share_keys_cannot_have_histories_of_their_own() -> None:
    with pytest.raises(ValueError, match="temporal"):
        MultiHead(
            attention(Dot(), width=2), heads=2, key_value_heads=1, query_width=D, key_width=D, value_width=D, width=D
        )


def test_padding_is_invisible() -> None:
    one, query, source = attention(Dot()), states(B, T, D), states(B, S, D, seed=1)
    batch = one(Request(query), one.remember(source, mask()))
    alone = one(Request(query[1:]), one.remember(source[1:, :3], mask()[1:, :3]))
    torch.testing.assert_close(batch.context[1:], alone.context, **EXACT)


def test_later_steps_change_nothing_before_them() -> None:
    one, query = attention(Dot()), states(B, T, D)
    memory, changed = one.remember(states(B, S, D, seed=1), mask()), query.clone()
    changed[:, 3] += 1
    before, after = one(Request(query), memory).context, one(Request(changed), memory).context
    torch.testing.assert_close(after[:, :3], before[:, :3], **EXACT)
    assert (after[:, 3:] != before[:, 3:]).all()


def test_attention_without_memory_of_its_past_has_no_history() -> None:
    assert Attention(score=Dot(), span=Causal(), normalizer=softmax, context_width=D).start(mask(), W) == ((), ())
