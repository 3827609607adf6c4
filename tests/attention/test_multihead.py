"""Heads that share keys, heads that know positions, and heads that step; test_attention.py holds them equal to PyTorch's."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from seq2attn.attention import (
    Additive,
    Attention,
    Causal,
    Dot,
    General,
    Global,
    LocalMonotonic,
    Memory,
    MultiHead,
    Request,
    Score,
    Span,
    Strided,
    Window,
    softmax,
)

B, S, D, HEADS = 2, 6, 8, 4
HEAD = D // HEADS
EXACT = {"rtol": 0, "atol": 1e-12}
every_grouping = pytest.mark.parametrize("groups", [1, 2, 4])
every_rotary = pytest.mark.parametrize("rotary", [False, True], ids=["plain", "rotary"])
every_trace = pytest.mark.parametrize("trace", [False, True])
CAUSAL = [Causal(), Window(radius=2, causal=True, gathered=True), Strided(stride=2, causal=True, gathered=True)]
every_causal_span = pytest.mark.parametrize("span", CAUSAL, ids=repr)
every_span = pytest.mark.parametrize(
    "span",
    [Global(), Window(radius=1), LocalMonotonic(window=1, gaussian=True, gathered=True), *CAUSAL],
    ids=["global", "window", "local", "causal", "causal window", "causal strided"],
)


def states(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def mask() -> Tensor:
    return torch.arange(S) < torch.tensor([S, 4])[:, None]


def multi_head(
    span: Span = Global(),
    *,
    groups: int | None = None,
    rotary: bool = False,
    heads: int = HEADS,
    width: int = D,
    score: Score | None = None,
) -> MultiHead:
    torch.manual_seed(1)
    head = width // heads
    attention = Attention(score=score or Dot(scale=head**-0.5), span=span, normalizer=softmax, context_width=head)
    found = MultiHead(
        attention,
        heads=heads,
        key_value_heads=groups,
        rotary=rotary,
        query_width=width,
        key_width=width,
        value_width=width,
        width=width,
    )
    for layer in (found.query, found.key, found.value, found.output):
        nn.init.normal_(layer.bias)
    return found.double()


def with_keys_of_their_own(grouped: MultiHead) -> MultiHead:
    """Each head has a copy of its group's projections."""
    full = multi_head(grouped.attention.span, rotary=grouped.rotary, score=grouped.attention.score)
    full.query, full.output = grouped.query, grouped.output
    for own, shared in ((full.key, grouped.key), (full.value, grouped.value)):
        for to, given in ((own.weight, shared.weight), (own.bias, shared.bias)):
            rows = given.detach().unflatten(0, (grouped.key_value_heads, HEAD))
            to.data = rows.repeat_interleave(HEADS // grouped.key_value_heads, 0).flatten(0, 1)
    return full


def scores() -> list[Score]:
    torch.manual_seed(1)
    additive = Additive(query_width=HEAD, key_width=HEAD, width=3).double()
    return [Dot(scale=HEAD**-0.5), General(query_width=HEAD, key_width=HEAD).double(), additive]


@every_trace
@every_span
@every_grouping
@pytest.mark.parametrize("score", scores(), ids=["dot", "general", "additive"])
def test_grouped_heads_are_heads_with_equal_keys_and_values(score: Score, groups: int, span: Span, trace: bool) -> None:
    grouped = multi_head(span, groups=groups, score=score)
    full = with_keys_of_their_own(grouped)
    for positions in ([0, 1, 2, 3, 4, 5], [5], [4, 0, 3]):
        query, source, places = states(B, len(positions), D), states(B, S, D, seed=1), torch.tensor(positions)
        found = grouped(Request(query, places, trace=trace), grouped.remember(source, mask()))
        expected = full(Request(query, places, trace=trace), full.remember(source, mask()))
        torch.testing.assert_close(found.context, expected.context, **EXACT)
        assert (found.weights is not None) == trace
        if trace:
            torch.testing.assert_close(found.weights, expected.weights, **EXACT)


@every_rotary
def test_as_many_groups_as_heads_are_plain_heads(rotary: bool) -> None:
    plain, grouped = multi_head(Causal(), rotary=rotary), multi_head(Causal(), groups=HEADS, rotary=rotary)
    grouped.load_state_dict(plain.state_dict())
    source, positions = states(B, S, D), torch.arange(S)
    expected = plain(Request(source, positions), plain.remember(source, mask())).context
    assert torch.equal(grouped(Request(source, positions), grouped.remember(source, mask())).context, expected)


def test_one_head_with_identity_projections_is_its_attention() -> None:
    heads = multi_head(heads=1)
    for layer in (heads.query, heads.key, heads.value, heads.output):
        nn.init.eye_(layer.weight)
        nn.init.zeros_(layer.bias)
    query, source, one = states(B, S, D), states(B, S, D, seed=1), heads.attention
    expected = one(Request(query, trace=True), one.remember(source, mask()))
    found = heads(Request(query, trace=True), heads.remember(source, mask()))
    torch.testing.assert_close(found.context, expected.context, **EXACT)
    torch.testing.assert_close(found.weights, expected.weights, **EXACT)


@pytest.mark.parametrize("heads", [1, 2, 4])
def test_any_number_of_heads_has_four_square_matrices(heads: int) -> None:
    assert sum(parameter.numel() for parameter in multi_head(heads=heads).parameters()) == 4 * D**2 + 4 * D


@every_trace
def test_in_fp32_the_fused_kernel_is_the_composition(trace: bool) -> None:
    heads = multi_head(Causal())
    exact = heads(Request(states(B, S, D), torch.arange(S)), heads.remember(states(B, S, D), mask())).context
    heads, source = heads.float(), states(B, S, D).float()
    found = heads(Request(source, torch.arange(S), trace=trace), heads.remember(source, mask())).context
    torch.testing.assert_close(found.double(), exact, rtol=0, atol=1e-5)


def test_groups_must_divide_the_heads() -> None:
    with pytest.raises(ValueError, match="3 key-value heads do not divide 4 heads"):
        multi_head(groups=3)
    with pytest.raises(ValueError, match="8 key-value heads do not divide 4 heads"):
        multi_head(groups=8)


@pytest.mark.parametrize(("groups", "size"), [(None, 24_576), (2, 6_144), (1, 3_072)])
def test_six_layers_of_eight_heads_remember_this_many_bytes(groups: int | None, size: int) -> None:
    heads = multi_head(heads=8, width=512, groups=groups).float()
    memory = heads.remember(torch.zeros(1, 1, 512), torch.ones(1, 1, dtype=torch.bool))
    assert 6 * (memory.keys.nbytes + memory.values.nbytes) == size


@every_grouping
def test_self_attention_without_positions_follows_a_permutation(groups: int) -> None:
    heads, source, order = multi_head(groups=groups), states(B, S, D), torch.tensor([3, 5, 0, 1, 4, 2])
    straight = heads(Request(source), heads.remember(source, mask())).context
    found = heads(Request(source[:, order]), heads.remember(source[:, order], mask()[:, order])).context
    torch.testing.assert_close(found, straight[:, order], **EXACT)


@every_rotary
def test_only_rotary_positions_know_the_order_of_the_memory(rotary: bool) -> None:
    heads, order = multi_head(rotary=rotary), torch.tensor([3, 5, 0, 1, 4, 2])
    query, source, positions = states(B, 3, D), states(B, S, D, seed=1), torch.arange(3)
    straight = heads(Request(query, positions), heads.remember(source, mask())).context
    found = heads(Request(query, positions), heads.remember(source[:, order], mask()[:, order])).context
    assert torch.allclose(found, straight, rtol=0, atol=1e-12) != rotary


@every_grouping
@every_causal_span
def test_rotary_heads_do_not_see_where_a_sentence_starts(span: Span, groups: int) -> None:
    heads, source, ahead = multi_head(span, groups=groups, rotary=True), states(B, S, D), 4
    straight = heads(Request(source, torch.arange(S)), heads.remember(source, mask())).context
    moved = torch.cat([states(B, ahead, D, seed=1), source], 1)  # behind words that are masked
    real = torch.cat([torch.zeros(B, ahead, dtype=torch.bool), mask()], 1)
    found = heads(Request(source, torch.arange(S) + ahead), heads.remember(moved, real)).context
    torch.testing.assert_close(found, straight, **EXACT)
    assert not torch.allclose(heads(Request(source, torch.arange(S)), heads.remember(moved, real)).context, straight)


def test_rotary_heads_score_turned_queries_and_keys() -> None:
    heads, source = multi_head(rotary=True, groups=2), states(B, S, D)
    found = heads(Request(source, torch.arange(S), trace=True), heads.remember(source, mask())).weights
    angles = torch.arange(S).double()  # heads of two features have one pair, turned by 1 a position
    turn = torch.polar(torch.ones_like(angles), angles)
    queries = torch.view_as_complex(heads.query(source).unflatten(-1, (HEADS, 2))) * turn[:, None]
    keys = torch.view_as_complex(heads.key(source).unflatten(-1, (2, 2))) * turn[:, None]
    for head in range(HEADS):
        products = (queries[:, :, head, None] * keys[:, None, :, head // 2].conj()).real * HEAD**-0.5
        expected = products.masked_fill(~mask()[:, None], -torch.inf).softmax(-1)
        torch.testing.assert_close(found[:, head], expected, **EXACT)


def test_rotary_heads_need_positions() -> None:
    heads, source = multi_head(rotary=True), states(B, S, D)
    with pytest.raises(ValueError, match="positions"):
        heads(Request(source), heads.remember(source, mask()))


@every_grouping
@every_rotary
@pytest.mark.parametrize("gathered", [False, True])
@every_causal_span
def test_a_growing_memory_equals_all_words_at_once(span: Span, gathered: bool, rotary: bool, groups: int) -> None:
    if not isinstance(span, Causal):
        span = replace(span, gathered=gathered)
    heads, source, everything = multi_head(span, groups=groups, rotary=rotary), states(B, S, D), torch.ones(B, S) > 0
    whole = heads(Request(source, torch.arange(S)), heads.remember(source, everything)).context
    memory = heads.remember(source[:, :0], everything[:, :0])
    for step in range(S):
        now = slice(step, step + 1)
        word = heads.remember(source[:, now], everything[:, now], start=step)
        memory = Memory(
            torch.cat([memory.keys, word.keys], 2),
            torch.cat([memory.values, word.values], 2),
            torch.cat([memory.mask, word.mask], 1),
        )
        found = heads(Request(source[:, now], torch.tensor([step])), memory).context
        torch.testing.assert_close(found, whole[:, now], **EXACT)
