"""Hierarchical attention: a worked example, nested loops over PyTorch's own attention, and its limits."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from seq2attn.attention import Additive, Attention, Dot, General, Global, Request, Score, Segments, softmax

B, Q, S, D, V = 4, 3, 7, 4, 5
LENGTHS = (7, 4, 3, 1)
EXACT = {"rtol": 0, "atol": 1e-12}
every_length = pytest.mark.parametrize("length", [1, 2, 3, 7, 20])


def states(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def mask() -> Tensor:
    return torch.arange(S) < torch.tensor(LENGTHS)[:, None]


def attention(score: Score, width: int = V) -> Attention:
    return Attention(score=score, span=Global(), normalizer=softmax, context_width=width).double()


def segments(length: int, over: Score | None = None) -> Segments:
    """Words by a bilinear score, segments by `over`: bilinear too, unless given."""
    torch.manual_seed(1)
    words = attention(General(query_width=D, key_width=D))
    return Segments(words, attention(over or General(query_width=D, key_width=V)), length=length)


def test_two_segments_of_two_words() -> None:
    made = Segments(attention(Dot(), 2), attention(Dot(), 2), length=2)
    source = torch.tensor([[[1.0, 2], [3, 4], [1, 0], [0, 1]]], dtype=torch.float64)
    query = torch.full((1, 1, 2), 0.5, dtype=torch.float64)
    found = made(Request(query, trace=True), made.remember(source, torch.ones(1, 4, dtype=torch.bool)))
    assert found.context[0, 0].tolist() == pytest.approx([2.627176, 3.567741], abs=5e-7)
    weights = found.weights.unflatten(3, (2, 2))[0, 0, 0]
    beta = weights.sum(1)
    assert beta.tolist() == pytest.approx([0.940565, 0.059435], abs=5e-7)
    summaries = (weights / beta[:, None])[:, :, None] * source.unflatten(1, (2, 2))[0]
    assert summaries.sum(1).flatten().tolist() == pytest.approx([2.761594, 3.761594, 0.5, 0.5], abs=5e-7)


@every_length
def test_segments_are_nested_calls_of_pytorchs_attention(length: int) -> None:
    made, query = segments(length), states(B, Q, D)
    keys, values = states(B, S, D, seed=1), states(B, S, V, seed=2)
    found = made(Request(query), made.remember(keys, mask(), values)).context
    inner, outer = made.words.score.weight.weight, made.segments.score.weight.weight
    for b, real in enumerate(LENGTHS):
        pieces = [slice(start, min(start + length, real)) for start in range(0, real, length)]
        for q in range(Q):
            asked = query[b, q : q + 1]
            summaries = torch.cat(
                [
                    scaled_dot_product_attention(asked, keys[b, piece] @ inner.T, values[b, piece], scale=1.0)
                    for piece in pieces
                ]
            )
            expected = scaled_dot_product_attention(asked, summaries @ outer.T, summaries, scale=1.0)
            torch.testing.assert_close(found[b, q : q + 1], expected, **EXACT)


@every_length
def test_the_weights_sum_to_one_and_make_the_context(length: int) -> None:
    made, query, source = segments(length), states(B, Q, D), states(B, S, D, seed=1)
    values = states(B, S, V, seed=2)
    memory = made.remember(source, mask(), values)
    found = made(Request(query, trace=True), memory)
    assert found.weights.shape == (B, 1, Q, S)
    torch.testing.assert_close(found.weights.sum(-1), torch.ones(B, 1, Q).double(), **EXACT)
    assert (found.weights[~mask()[:, None, None].expand_as(found.weights)] == 0).all()
    torch.testing.assert_close(found.context, (found.weights @ values[:, None])[:, 0], **EXACT)
    assert torch.equal(found.context, made(Request(query), memory).context)


@pytest.mark.parametrize("length", [S, 20])
@pytest.mark.parametrize("additive", [False, True])
def test_one_segment_is_plain_attention(length: int, additive: bool) -> None:
    torch.manual_seed(1)
    words = attention(Additive(query_width=D, key_width=D, width=3) if additive else Dot())
    made = Segments(words, attention(General(query_width=D, key_width=V)), length=length)
    query, source, values = states(B, Q, D), states(B, S, D, seed=1), states(B, S, V, seed=2)
    expected = words(Request(query, trace=True), words.remember(source, mask(), values))
    found = made(Request(query, trace=True), made.remember(source, mask(), values))
    torch.testing.assert_close(found.context, expected.context, **EXACT)
    torch.testing.assert_close(found.weights, expected.weights, **EXACT)


def test_segments_take_no_more_memory_than_there_are_words() -> None:
    made = segments(10_000)
    assert made.remember(states(B, S, D), mask(), states(B, S, V)).values.shape == (B, 1, S, V)


def test_a_sentence_shorter_than_a_segment_is_plain_attention() -> None:
    made, query, source, values = segments(3), states(B, Q, D), states(B, S, D, seed=1), states(B, S, V, seed=2)
    expected = made.words(Request(query), made.words.remember(source, mask(), values)).context
    found = made(Request(query), made.remember(source, mask(), values)).context
    torch.testing.assert_close(found[2:], expected[2:], **EXACT)  # three words, and one
    assert not torch.allclose(found[:2], expected[:2])


@every_length
def test_segments_of_equal_weight_give_the_mean_of_their_summaries(length: int) -> None:
    made, query = segments(length), states(B, Q, D)
    nn.init.zeros_(made.segments.score.weight.weight)
    source, values = states(B, S, D, seed=1), states(B, S, V, seed=2)
    found = made(Request(query), made.remember(source, mask(), values)).context
    for b, real in enumerate(LENGTHS):
        summaries = []
        for start in range(0, real, length):
            piece = slice(start, min(start + length, real))
            memory = made.words.remember(source[b : b + 1, piece], mask()[b : b + 1, piece], values[b : b + 1, piece])
            summaries.append(made.words(Request(query[b : b + 1]), memory).context[0])
        torch.testing.assert_close(found[b], torch.stack(summaries).mean(0), **EXACT)


@every_length
def test_padding_is_invisible(length: int) -> None:
    made, query = segments(length), states(B, Q, D)
    source, values = states(B, S, D, seed=1), states(B, S, V, seed=2)
    batch = made(Request(query, trace=True), made.remember(source, mask(), values))
    for b, real in enumerate(LENGTHS):
        alone = made(
            Request(query[b : b + 1], trace=True),
            made.remember(source[b : b + 1, :real], mask()[b : b + 1, :real], values[b : b + 1, :real]),
        )
        torch.testing.assert_close(batch.context[b : b + 1], alone.context, **EXACT)
        torch.testing.assert_close(batch.weights[b : b + 1, ..., :real], alone.weights, **EXACT)


@pytest.mark.parametrize("additive", [False, True])
def test_a_segment_without_words_gets_no_weight(additive: bool) -> None:
    made = segments(2, Additive(query_width=D, key_width=V, width=3) if additive else None)
    hidden = mask()
    hidden[0, 2:4] = False  # the second segment, though others follow
    hidden[1] = False  # all segments
    query, source = states(B, Q, D).requires_grad_(), states(B, S, D, seed=1).requires_grad_()
    found = made(Request(query, trace=True), made.remember(source, hidden, states(B, S, V, seed=2)))
    assert (found.weights[0, ..., 2:4] == 0).all()
    assert (found.weights[1] == 0).all()
    assert (found.context[1] == 0).all()
    torch.testing.assert_close(found.weights[0].sum(-1), torch.ones(1, Q).double(), **EXACT)
    found.context.square().sum().backward()
    assert (source.grad[1] == 0).all()
    assert (source.grad[0, 2:4] == 0).all()
    assert (source.grad[0, :2] != 0).all()
    assert query.grad.isfinite().all()


def test_every_query_is_answered_by_itself() -> None:
    made, query = segments(3), states(B, Q, D)
    memory = made.remember(states(B, S, D, seed=1), mask(), states(B, S, V, seed=2))
    together = made(Request(query), memory).context
    for q in range(Q):
        torch.testing.assert_close(made(Request(query[:, q : q + 1]), memory).context, together[:, q : q + 1], **EXACT)
