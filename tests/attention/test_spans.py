"""Spans: rows and pair counts worked out by hand, and gathering against masking."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from seq2attn.attention import (
    Additive,
    Attention,
    Causal,
    Dot,
    Global,
    Memory,
    Request,
    Score,
    Span,
    Strided,
    Window,
    softmax,
)

QUERY = torch.zeros(2, 1, 3, 5)
MASK = torch.tensor([[True, True, True, False], [True, False, False, False]])
B, G, S, D = 3, 2, 9, 4
EXACT = {"rtol": 0, "atol": 1e-12}
SPARSE = [
    Window(radius=2),
    Window(radius=2, causal=True),
    Window(radius=0),
    Strided(stride=3),
    Strided(stride=3, causal=True),
    Strided(stride=1, causal=True),
]
every_sparse_span = pytest.mark.parametrize("span", SPARSE, ids=repr)


def states(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def mask() -> Tensor:
    return torch.arange(S) < torch.tensor([S, 4, 1])[:, None]


def memory() -> Memory:
    return Memory(states(B, G, S, D, seed=1), states(B, G, S, D, seed=2), mask())


def scores() -> list[Score]:
    torch.manual_seed(1)
    return [Dot(scale=0.5), Additive(query_width=D, key_width=D, width=3).double()]


def attention(span: Span, score: Score | None = None) -> Attention:
    return Attention(score=score or Dot(), span=span, normalizer=softmax, context_width=D)


def rows(span: Span, length: int) -> list[list[int]]:
    """What each query of one sequence of `length` real positions may look at."""
    everything = torch.ones(1, length, dtype=torch.bool)
    return span(torch.zeros(1, 1, length, 1), everything, torch.arange(length)).legal[0, 0].int().tolist()


def test_a_global_span_is_every_real_position_for_every_query() -> None:
    legal = Global()(QUERY, MASK, None).legal
    assert legal.shape == (2, 1, 1, 4)
    assert torch.equal(legal[:, 0, 0], MASK)
    assert torch.equal(Global()(QUERY[:, :, :2], MASK, torch.tensor([2, 0])).legal, legal)


def test_a_causal_span_ends_at_the_query() -> None:
    legal = Causal()(QUERY, MASK, torch.tensor([0, 1, 3])).legal
    assert legal[:, 0].int().tolist() == [
        [[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0]],
        [[1, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0]],
    ]


def test_a_window_is_every_position_within_its_radius() -> None:
    assert rows(Window(radius=1), 4) == [[1, 1, 0, 0], [1, 1, 1, 0], [0, 1, 1, 1], [0, 0, 1, 1]]
    assert rows(Window(radius=1, causal=True), 4) == [[1, 0, 0, 0], [1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1]]


def test_a_strided_span_is_the_nearest_positions_and_every_stride_th() -> None:
    assert rows(Strided(stride=2), 5) == [
        [1, 1, 1, 0, 1],
        [1, 1, 1, 1, 0],
        [1, 1, 1, 1, 1],
        [0, 1, 1, 1, 1],
        [1, 0, 1, 1, 1],
    ]
    assert rows(Strided(stride=3, causal=True), 6) == [
        [1, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0],
        [1, 1, 1, 0, 0, 0],
        [1, 1, 1, 1, 0, 0],
        [0, 1, 1, 1, 1, 0],
        [0, 0, 1, 1, 1, 1],
    ]


@pytest.mark.parametrize("gathered", [False, True])
@pytest.mark.parametrize(
    ("span", "pairs", "most"),
    [
        (Strided(stride=32, causal=True), 48_144, 2 * 32),
        (Strided(stride=32), 95_264, 3 * 32),
        (Window(radius=16), 1024 * 33 - 16 * 17, 33),
        (Window(radius=16, causal=True), 1024 * 17 - 16 * 17 // 2, 17),
    ],
    ids=repr,
)
def test_the_pairs_of_1024_positions_are_counted_exactly(
    span: Window | Strided, pairs: int, most: int, gathered: bool
) -> None:
    everything, positions = torch.ones(1, 1024, dtype=torch.bool), torch.arange(1024)
    legal = replace(span, gathered=gathered)(torch.zeros(1, 1, 1024, 1), everything, positions).legal
    assert legal.sum() == pairs
    assert legal.sum(-1).max() <= most
    assert Causal()(torch.zeros(1, 1, 1024, 1), everything, positions).legal.sum() == 524_800


@pytest.mark.parametrize(
    ("span", "columns"),
    [
        (Window(radius=16, gathered=True), 33),
        (Window(radius=16, causal=True, gathered=True), 17),
        (Strided(stride=32, causal=True, gathered=True), 64),
    ],
    ids=repr,
)
def test_a_gathered_span_computes_only_what_it_allows(span: Span, columns: int) -> None:
    focus = span(torch.zeros(1, 1, 2, 1), torch.ones(1, 1024, dtype=torch.bool), torch.tensor([5, 1023]))
    assert focus.legal.shape[-1] == focus.places.shape[-1] == columns


@pytest.mark.parametrize("causal", [False, True])
def test_a_gathered_span_takes_no_more_memory_than_there_are_words(causal: bool) -> None:
    everything, positions = torch.ones(1, 5, dtype=torch.bool), torch.arange(5)
    for span in (Window(10_000, causal, gathered=True), Strided(10_000, causal, gathered=True)):
        focus = span(torch.zeros(1, 1, 5, 1), everything, positions)
        assert focus.legal.shape[-1] <= 12
        assert focus.legal.sum() == (15 if causal else 25)


@every_sparse_span
@pytest.mark.parametrize("score", scores(), ids=["dot", "additive"])
@pytest.mark.parametrize("positions", [range(S), [S - 1], [3], [7, 0, 4]], ids=["all", "last", "one", "some"])
def test_gathered_equals_masked(span: Window | Strided, score: Score, positions: list[int]) -> None:
    found = []
    for gathered in (False, True):
        query, kept = states(B, G, len(positions), D).requires_grad_(), memory()
        source, values = kept.keys.requires_grad_(), kept.values.requires_grad_()
        one = attention(replace(span, gathered=gathered), score)
        held = Memory(score.keys(source), values, kept.mask)
        traced = one.attend(query, Request(query, torch.tensor(positions), trace=True), held)
        context = one.attend(query, Request(query, torch.tensor(positions)), held).context
        gradients = torch.autograd.grad(context.square().sum(), (query, source, values))
        found.append((traced.weights, traced.context, context, *gradients))
    for masked, gathered in zip(*found, strict=True):
        torch.testing.assert_close(gathered, masked, **EXACT)


@every_sparse_span
@pytest.mark.parametrize("gathered", [False, True])
def test_a_sparse_span_is_pytorchs_attention_with_a_band_mask(span: Window | Strided, gathered: bool) -> None:
    query, kept = states(B, G, S, D), memory()
    band = torch.tensor(rows(span, S), dtype=torch.bool) & kept.mask[:, None, None, :]
    expected = scaled_dot_product_attention(query, kept.keys, kept.values, band, scale=1.0)
    found = attention(replace(span, gathered=gathered)).attend(query, Request(query, torch.arange(S), trace=True), kept)
    torch.testing.assert_close(found.context, expected, **EXACT)
    assert (found.weights[~band.expand_as(found.weights)] == 0).all()


@every_sparse_span
@pytest.mark.parametrize("gathered", [False, True])
def test_a_query_too_far_from_every_real_key_gets_nothing(span: Window | Strided, gathered: bool) -> None:
    query, kept = states(B, G, S, D), memory()
    found = attention(replace(span, gathered=gathered)).attend(query, Request(query, torch.arange(S), trace=True), kept)
    reached = torch.tensor(rows(span, S), dtype=torch.bool)[:, 0]  # of the sentence with one word
    torch.testing.assert_close(found.weights[2, :, :, 0], reached.double().expand(G, S), **EXACT)
    assert (found.context[2][:, ~reached] == 0).all()


@pytest.mark.parametrize("gathered", [False, True])
@pytest.mark.parametrize("span", [span for span in SPARSE if span.causal], ids=repr)
def test_a_query_sees_the_same_before_and_after_later_keys_come(span: Window | Strided, gathered: bool) -> None:
    one, query, kept = attention(replace(span, gathered=gathered)), states(B, G, S, D), memory()
    whole = one.attend(query, Request(query, torch.arange(S)), kept).context
    for step in range(S):
        so_far = Memory(kept.keys[:, :, : step + 1], kept.values[:, :, : step + 1], kept.mask[:, : step + 1])
        asked = query[:, :, step : step + 1]
        now = one.attend(asked, Request(asked, torch.tensor([step])), so_far).context
        torch.testing.assert_close(now, whole[:, :, step : step + 1], **EXACT)


@pytest.mark.parametrize("gathered", [False, True])
@pytest.mark.parametrize(
    ("wide", "full"),
    [
        (Window(radius=S - 1), Global()),
        (Window(radius=S - 1, causal=True), Causal()),
        (Strided(stride=S), Global()),
        (Strided(stride=S, causal=True), Causal()),
        (Strided(stride=1), Global()),
        (Strided(stride=1, causal=True), Causal()),
    ],
    ids=repr,
)
def test_a_span_that_is_wide_enough_is_the_full_one(wide: Window | Strided, full: Span, gathered: bool) -> None:
    query, kept, positions = states(B, G, S, D), memory(), torch.arange(S)
    found = attention(replace(wide, gathered=gathered)).attend(query, Request(query, positions, trace=True), kept)
    expected = attention(full).attend(query, Request(query, positions, trace=True), kept)
    torch.testing.assert_close(found.weights, expected.weights, **EXACT)
    torch.testing.assert_close(found.context, expected.context, **EXACT)


@pytest.mark.parametrize("gathered", [False, True])
def test_a_window_that_just_misses_the_first_word_is_not_global(gathered: bool) -> None:
    query, one = states(B, G, S, D), attention(Window(radius=S - 2, gathered=gathered))
    found = one.attend(query, Request(query, torch.arange(S), trace=True), memory())
    assert (found.weights[0] == 0).nonzero().tolist() == [[g, *pair] for g in range(G) for pair in ([0, 8], [8, 0])]


@pytest.mark.parametrize(
    "span",
    [
        Causal(),
        Window(radius=1),
        Window(radius=1, gathered=True),
        Strided(stride=2),
        Strided(stride=2, gathered=True),
    ],
    ids=repr,
)
def test_a_span_of_positions_needs_them(span: Span) -> None:
    with pytest.raises(ValueError, match="positions"):
        span(QUERY, MASK, None)


def test_spans_are_equal_by_value() -> None:
    assert Global() == Global()
    assert Causal() == Causal()
    assert Global() != Causal()
    assert Window(radius=2) == Window(radius=2)
    assert Strided(stride=2) == Strided(stride=2)
    different = {Window(2), Window(3), Window(2, causal=True), Window(2, gathered=True), Strided(2), Strided(3)}
    assert len(different) == 6
