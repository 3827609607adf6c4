"""A memory read several times: a worked example, and loops written out over PyTorch's own attention."""

from typing import Literal

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from seq2attn.attention import Additive, Attention, Dot, Global, Hops, Request, Score, softmax

B, Q, S, D, K, V = 2, 4, 5, 4, 3, 6
EXACT = {"rtol": 0, "atol": 1e-12}
every_tying = pytest.mark.parametrize("tying", ["layerwise", "adjacent"])
every_trace = pytest.mark.parametrize("trace", [False, True])
Tying = Literal["layerwise", "adjacent"]


def states(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def mask() -> Tensor:
    return torch.arange(S) < torch.tensor([S, 3])[:, None]


def hops(count: int, tying: Tying, score: Score | None = None, widths: tuple[int, int, int] = (D, K, V)) -> Hops:
    torch.manual_seed(1)
    query, key, value = widths
    attention = Attention(score=score or Dot(), span=Global(), normalizer=softmax, context_width=query)
    return Hops(attention, hops=count, tying=tying, query_width=query, key_width=key, value_width=value).double()


def identity(count: int, width: int) -> Hops:
    made = hops(count, "layerwise", widths=(width, width, width))
    for each in made.maps:
        nn.init.eye_(each.weight)
    return made


def test_three_hops_over_a_memory_of_two() -> None:
    memory, query = torch.eye(2).double()[None], torch.tensor([[[1.0, 0]]]).double()
    real = torch.ones(1, 2, dtype=torch.bool)
    asked = [(1.731059, 0.268941), (2.542915, 0.457085), (3.432433, 0.567567)]
    for count, expected in enumerate(asked, 1):
        made = identity(count, 2)
        found = made(Request(query, trace=True), made.remember(memory, real))
        assert found.query[0, 0].tolist() == pytest.approx(expected, abs=5e-7)
    assert found.weights[0, :, 0, 0].tolist() == pytest.approx([0.731059, 0.811856, 0.889518], abs=5e-7)
    assert found.context[0, 0].tolist() == pytest.approx([0.889518, 0.110482], abs=5e-7)


@every_trace
def test_one_hop_with_identity_maps_is_luongs_dot(trace: bool) -> None:
    made, query, source = identity(1, D), states(B, Q, D), states(B, S, D, seed=1)
    found = made(Request(query, trace=trace), made.remember(source, mask()))
    expected = made.attention(Request(query, trace=trace), made.attention.remember(source, mask()))
    torch.testing.assert_close(found.context, expected.context, **EXACT)
    torch.testing.assert_close(found.query, query + expected.context, **EXACT)
    if trace:
        torch.testing.assert_close(found.weights, expected.weights, **EXACT)


@every_trace
@pytest.mark.parametrize("count", [1, 2, 3])
def test_layerwise_hops_are_a_loop_over_pytorchs_attention(count: int, trace: bool) -> None:
    made, query = hops(count, "layerwise"), states(B, Q, D)
    nn.init.normal_(made.update.weight)
    keys, values = states(B, S, K, seed=1), states(B, S, V, seed=2)
    found = made(Request(query, trace=trace), made.remember(keys, mask(), values))
    into, out = (each.weight for each in made.maps)
    for _ in range(count):
        context = scaled_dot_product_attention(query, keys @ into.T, values @ out.T, mask()[:, None], scale=1.0)
        query = query @ made.update.weight.T + context
    torch.testing.assert_close(found.context, context, **EXACT)
    torch.testing.assert_close(found.query, query, **EXACT)


@every_trace
@pytest.mark.parametrize("count", [1, 2, 3])
def test_adjacent_hops_share_a_map(count: int, trace: bool) -> None:
    made, query = hops(count, "adjacent"), states(B, Q, D)
    keys, values = states(B, S, K, seed=1), states(B, S, V, seed=2)
    found = made(Request(query, trace=trace), made.remember(keys, mask(), values))
    maps = [each.weight for each in made.maps]
    assert len(maps) == len(list(made.parameters())) == count + 1
    read = [keys @ maps[0].T] + [values @ each.T for each in maps[1:]]
    for hop in range(count):
        context = scaled_dot_product_attention(query, read[hop], read[hop + 1], mask()[:, None], scale=1.0)
        query = query + context
    torch.testing.assert_close(found.context, context, **EXACT)
    torch.testing.assert_close(found.query, query, **EXACT)


@every_tying
def test_the_update_starts_as_the_identity(tying: Tying) -> None:
    made = hops(3, tying)
    assert (made.update is None) == (tying == "adjacent")
    assert made.update is None or torch.equal(made.update.weight, torch.eye(D).double())


@every_tying
@pytest.mark.parametrize("additive", [False, True])
def test_the_weights_of_every_hop_sum_to_one_over_real_words(tying: Tying, additive: bool) -> None:
    made = hops(3, tying, Additive(query_width=D, key_width=D, width=3) if additive else Dot())
    memory = made.remember(states(B, S, K, seed=1), mask(), states(B, S, V, seed=2))
    found = made(Request(states(B, Q, D), trace=True), memory)
    assert found.weights.shape == (B, 3, Q, S)
    torch.testing.assert_close(found.weights.sum(-1), torch.ones(B, 3, Q).double(), **EXACT)
    assert (found.weights[1, ..., 3:] == 0).all()
    assert not torch.allclose(found.weights[:, 0], found.weights[:, 1])
    torch.testing.assert_close(found.context, made(Request(states(B, Q, D)), memory).context, **EXACT)


@every_tying
def test_the_values_are_the_states_where_none_are_given(tying: Tying) -> None:
    made, query, source = hops(2, tying, widths=(D, K, K)), states(B, Q, D), states(B, S, K, seed=1)
    found = made(Request(query), made.remember(source, mask())).context
    assert torch.equal(found, made(Request(query), made.remember(source, mask(), source)).context)


@every_tying
def test_padding_is_invisible(tying: Tying) -> None:
    made, query, source = hops(3, tying, widths=(D, K, K)), states(B, Q, D), states(B, S, K, seed=1)
    batch = made(Request(query), made.remember(source, mask()))
    alone = made(Request(query[1:]), made.remember(source[1:, :3], mask()[1:, :3]))
    torch.testing.assert_close(batch.context[1:], alone.context, **EXACT)
    torch.testing.assert_close(batch.query[1:], alone.query, **EXACT)


@every_tying
def test_every_query_is_answered_by_itself(tying: Tying) -> None:
    made, query = hops(3, tying, widths=(D, K, K)), states(B, Q, D)
    memory = made.remember(states(B, S, K, seed=1), mask())
    together = made(Request(query), memory).context
    for q in range(Q):
        torch.testing.assert_close(made(Request(query[:, q : q + 1]), memory).context, together[:, q : q + 1], **EXACT)
