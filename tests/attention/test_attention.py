"""Attention and its heads: numbers worked out by hand, and PyTorch's own as oracles."""

import pytest
import torch
from jaxtyping import TypeCheckError
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from seq2attn.attention import (
    Additive,
    Attention,
    Causal,
    Dot,
    General,
    Global,
    MultiHead,
    Request,
    Score,
    Span,
    softmax,
)

B, Q, S, D, HEADS = 2, 4, 5, 6, 3


def fp64(values: list[list[float]]) -> Tensor:
    return torch.tensor([values], dtype=torch.float64)


def states(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64)


def one_head(score: Score, width: int, span: Span = Global(), dropout: float = 0.0) -> Attention:
    return Attention(score=score, span=span, normalizer=softmax, context_width=width, dropout=dropout)


def worked(
    attention: Attention | MultiHead,
    query: list[float],
    keys: list[list[float]],
    values: list[list[float]] | None = None,
) -> tuple[list[float], list[list[float]]]:
    memory = attention.remember(
        fp64(keys), torch.ones(1, len(keys), dtype=torch.bool), None if values is None else fp64(values)
    )
    output = attention(Request(fp64([query]), trace=True), memory)
    fused = attention(Request(fp64([query])), memory).context
    torch.testing.assert_close(output.context, fused, rtol=0, atol=1e-12)
    return output.context[0, 0].tolist(), output.weights[0, :, 0].tolist()


def additive_of_ones() -> Additive:
    score = Additive(query_width=2, key_width=2, width=2).double()
    nn.init.eye_(score.query.weight)
    nn.init.eye_(score.key.weight)
    nn.init.ones_(score.vector)
    return score


@pytest.mark.parametrize(
    ("score", "weights", "context"),
    [
        (Dot(), [0.119203, 0.880797], [2.761594, 3.761594]),
        (Dot(scale=2**-0.5), [0.195570, 0.804430], [2.608859, 3.608859]),
        (additive_of_ones(), [0.473483, 0.526517], [2.053034, 3.053034]),
    ],
    ids=["dot", "scaled dot", "additive"],
)
def test_two_encoder_states_and_one_query(score: Score, weights: list[float], context: list[float]) -> None:
    found = worked(one_head(score, 2), [0.5, 0.5], [[1, 2], [3, 4]])
    assert found[0] == pytest.approx(context, abs=5e-7)
    assert found[1][0] == pytest.approx(weights, abs=5e-7)


@pytest.mark.parametrize(
    ("scale", "weights", "context"),
    [
        (3**-0.5, [0.760368, 0.239632], [0.404147, 0.595853]),
        (1.0, [0.880797, 0.119203], [0.452319, 0.547681]),
    ],
)
def test_keys_that_are_not_the_values(scale: float, weights: list[float], context: list[float]) -> None:
    keys, values = [[1.0, 0, 1], [0, 1, 0]], [[0.5, 0.5], [0.1, 0.9]]
    found = worked(one_head(Dot(scale=scale), 2), [1, 0, 1], keys, values)
    assert found[0] == pytest.approx(context, abs=5e-7)
    assert found[1][0] == pytest.approx(weights, abs=5e-7)


def test_two_heads_attend_each_with_its_half() -> None:
    heads = multi_head(one_head(Dot(scale=2**-0.5), 2), heads=2, width=4)
    for layer in (heads.query, heads.key, heads.value, heads.output):
        nn.init.eye_(layer.weight)
    context, weights = worked(heads, [0.5, 0.5, 1, 0], [[1, 2, 1, 0], [3, 4, 0, 1]])
    assert weights[0] == pytest.approx([0.195570, 0.804430], abs=5e-7)
    assert weights[1] == pytest.approx([0.669762, 0.330238], abs=5e-7)
    assert context == pytest.approx([2.608859, 3.608859, 0.669762, 0.330238], abs=5e-7)


def multi_head(attention: Attention, heads: int = HEADS, width: int = D) -> MultiHead:
    torch.manual_seed(1)
    found = MultiHead(attention, heads=heads, query_width=width, key_width=width, value_width=width, width=width)
    return found.double()


def mask() -> Tensor:
    return torch.arange(S) < torch.tensor([S, 3])[:, None]


@pytest.mark.parametrize("trace", [False, True])
@pytest.mark.parametrize("scale", [1.0, 0.4])
def test_scaled_dot_and_softmax_are_pytorchs(scale: float, trace: bool) -> None:
    attention, query, keys, values = one_head(Dot(scale=scale), 3), states(B, Q, D), states(B, S, D), states(B, S, 3)
    own = attention(Request(query, trace=trace), attention.remember(keys, mask(), values))
    expected = scaled_dot_product_attention(query, keys, values, mask()[:, None, :], scale=scale)
    torch.testing.assert_close(own.context, expected, rtol=0, atol=1e-12)
    assert (own.weights is not None) == trace


@pytest.mark.parametrize("trace", [False, True])
@pytest.mark.parametrize("causal", [False, True])
def test_multi_head_equals_pytorchs_with_the_same_weights(causal: bool, trace: bool) -> None:
    own = multi_head(one_head(Dot(scale=(D // HEADS) ** -0.5), D // HEADS, Causal() if causal else Global()))
    theirs = nn.MultiheadAttention(D, HEADS, batch_first=True, dtype=torch.float64)
    for bias in (own.query.bias, own.key.bias, own.value.bias, own.output.bias):
        nn.init.normal_(bias)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([own.query.weight, own.key.weight, own.value.weight]))
        theirs.in_proj_bias.copy_(torch.cat([own.query.bias, own.key.bias, own.value.bias]))
        theirs.out_proj.load_state_dict(own.output.state_dict())
    source = states(B, S, D)
    query = source if causal else states(B, Q, D)
    past = torch.ones(S, S, dtype=torch.bool).triu(1) if causal else None
    expected, weights = theirs(
        query, source, source, key_padding_mask=~mask(), attn_mask=past, average_attn_weights=False
    )
    positions = torch.arange(S) if causal else None
    found = own(Request(query, positions, trace=trace), own.remember(source, mask()))
    torch.testing.assert_close(found.context, expected, rtol=0, atol=1e-12)
    if found.weights is not None:
        torch.testing.assert_close(found.weights, weights, rtol=0, atol=1e-12)


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(ValueError, match="4 heads do not divide a width of 6"):
        multi_head(one_head(Dot(), 1), heads=4)


@pytest.mark.parametrize(
    "score", [Dot(), General(query_width=D, key_width=D), Additive(query_width=D, key_width=D, width=3)]
)
@pytest.mark.parametrize("trace", [False, True])
def test_a_query_without_a_legal_key_gets_nothing(score: Score, trace: bool) -> None:
    assert isinstance(score, nn.Module)
    attention = one_head(score.double(), D)
    query, source = states(B, Q, D).requires_grad_(), states(B, S, D).requires_grad_()
    nobody = mask()
    nobody[1] = False
    output = attention(Request(query, trace=trace), attention.remember(source, nobody))
    output.context.square().sum().backward()
    assert (output.context[1] == 0).all()
    assert (query.grad[1] == 0).all()
    assert (source.grad[1] == 0).all()
    assert (output.context[0] != 0).all()
    assert (query.grad[0] != 0).all()
    if output.weights is not None:
        assert (output.weights[1] == 0).all()


def test_dropout_acts_in_training_and_not_on_the_trace() -> None:
    torch.manual_seed(1)
    attention = one_head(Additive(query_width=D, key_width=D, width=3).double(), D, dropout=0.5)
    memory = attention.remember(states(B, S, D), mask())
    output = attention(Request(states(B, Q, D), trace=True), memory)
    torch.testing.assert_close(output.weights.sum(-1), torch.ones(B, 1, Q, dtype=torch.float64))
    assert not torch.allclose(output.context, (output.weights @ memory.values)[:, 0])
    attention.eval()
    torch.testing.assert_close(
        attention(Request(states(B, Q, D)), memory).context, (output.weights @ memory.values)[:, 0], rtol=0, atol=1e-12
    )


def test_bf16_autocast_keeps_the_weights_in_fp32_and_the_context_close() -> None:
    attention = one_head(Dot(scale=D**-0.5), D)
    query, source = states(B, Q, D).float(), states(B, S, D).float()
    exact = attention(Request(query, trace=True), attention.remember(source, mask()))
    with torch.autocast("cpu", torch.bfloat16):
        rounded = attention(Request(query, trace=True), attention.remember(source, mask()))
    assert rounded.weights.dtype == torch.float32
    torch.testing.assert_close(rounded.context.float(), exact.context, rtol=0, atol=0.03)


def test_a_wrong_shape_is_refused() -> None:
    attention = one_head(Dot(), D)
    memory = attention.remember(states(B, S, D), mask())
    with pytest.raises(TypeCheckError, match=r"(?s)Type-check.*query"):
        attention(Request(states(Q, D)), memory)  # PyTorch alone would broadcast
    with pytest.raises(TypeCheckError, match=r"(?s)Type-check.*mask"):
        attention.remember(states(B, S, D), mask()[:, :-1])
