"""Latent attention: its two ways to compute one result, the multi-head attention that it compresses, and what it stores."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from seq2attn.attention import (
    Additive,
    Attention,
    Causal,
    Dot,
    Global,
    Memory,
    MultiHead,
    Request,
    Score,
    Span,
    Window,
    softmax,
)
from seq2attn.attention.latent import Latent
from seq2attn.models.embedding import Embedding, token_embedding
from seq2attn.models.seq2seq import Encoded
from seq2attn.models.transformer_decoder import TransformerDecoder
from seq2attn.tensors import select

B, Q, S, WIDTH, HEADS, C, N, R, V = 2, 4, 5, 8, 3, 7, 4, 2, 3
NEVER: Callable[[int, int], bool] = lambda queries, keys: False  # noqa: E731
ALWAYS: Callable[[int, int], bool] = lambda queries, keys: True  # noqa: E731
ways = pytest.mark.parametrize("absorbs", [NEVER, ALWAYS], ids=["expanded", "absorbed"])


def states(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64)


def mask() -> Tensor:
    return torch.arange(S) < torch.tensor([S, 3])[:, None]


def one_head(width: int, value_width: int, span: Span = Global()) -> Attention:
    return Attention(score=Dot(scale=width**-0.5), span=span, normalizer=softmax, context_width=value_width)


def latent(*, span: Span = Global(), rotary: int = R, query: int | None = None, norm: bool = True) -> Latent:
    """Random weights, the gains of the norms too."""
    torch.manual_seed(1)
    found = Latent(
        one_head(N + rotary, V, span),
        heads=HEADS,
        query_width=WIDTH,
        key_width=WIDTH,
        latent_width=C,
        head_width=N,
        rotary_width=rotary,
        query_latent=query,
        norm=norm,
    ).double()
    for parameter in found.parameters():
        nn.init.normal_(parameter, std=0.5)
    return found


def identity(*, heads: int, head_width: int, rotary: int = 0) -> Latent:
    """Maps that change nothing, and a latent vector that is the whole state."""
    width = heads * head_width
    found = Latent(
        one_head(head_width + rotary, head_width),
        heads=heads,
        query_width=width,
        key_width=width,
        latent_width=width,
        head_width=head_width,
        rotary_width=rotary,
        norm=False,
    ).double()
    for layer in (found.query[-1], found.down, found.key, found.value, found.output):
        nn.init.eye_(layer.weight)
    return found


@ways
def test_two_heads_attend_each_with_its_half(absorbs: Callable[[int, int], bool]) -> None:
    two = identity(heads=2, head_width=2)
    two._absorbs = absorbs
    source = torch.tensor([[[1, 2, 1, 0], [3, 4, 0, 1.0]]], dtype=torch.float64)
    query = torch.tensor([[[0.5, 0.5, 1, 0]]], dtype=torch.float64)
    found = two(Request(query, trace=True), two.remember(source, torch.ones(1, 2, dtype=torch.bool)))
    assert found.weights[0, 0, 0].tolist() == pytest.approx([0.195570, 0.804430], abs=5e-7)
    assert found.weights[0, 1, 0].tolist() == pytest.approx([0.669762, 0.330238], abs=5e-7)
    assert found.context[0, 0].tolist() == pytest.approx([2.608859, 3.608859, 0.669762, 0.330238], abs=5e-7)


@ways
def test_the_rotary_part_turns_queries_and_keys_by_their_positions(absorbs: Callable[[int, int], bool]) -> None:
    """One head of content 1 and rotary 2; query (0; 1, 0) at position 1, rotary keys (1, 0): products cos 1 and cos 0."""
    one = identity(heads=1, head_width=1, rotary=2)
    one._absorbs = absorbs
    with torch.no_grad():
        one.query[-1].weight.copy_(torch.tensor([[0.0], [1], [0]]))
        one.down.weight.copy_(torch.tensor([[1.0], [1], [0]]))
    ones = torch.ones(1, 2, 1, dtype=torch.float64)
    found = one(Request(ones[:, :1], torch.tensor([1]), trace=True), one.remember(ones, ones[..., 0] > 0))
    assert found.weights[0, 0, 0].tolist() == pytest.approx([0.434035, 0.565965], abs=5e-7)


@pytest.mark.parametrize("span", [Global(), Causal(), Window(1, gathered=True)], ids=["global", "causal", "gathered"])
@pytest.mark.parametrize("rotary", [0, R])
@pytest.mark.parametrize("query", [None, 5])
@pytest.mark.parametrize("trace", [False, True])
def test_absorbed_equals_expanded_and_so_do_the_gradients(
    span: Span, rotary: int, query: int | None, trace: bool
) -> None:
    found = []
    for absorbs in (NEVER, ALWAYS):
        attention = latent(span=span, rotary=rotary, query=query)
        attention._absorbs = absorbs
        target, source = states(B, Q, WIDTH).requires_grad_(), states(B, S, WIDTH).requires_grad_()
        output = attention(Request(target, torch.arange(1, Q + 1), trace=trace), attention.remember(source, mask()))
        output.context.square().sum().backward()
        gradients = [target.grad, source.grad, *(each.grad for each in attention.parameters())]
        found.append((output.context, output.weights, gradients))
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=1e-10)
    if trace:
        weights = found[0][1]
        assert weights.shape == (B, HEADS, Q, S)
        assert (weights[1, :, :, 3:] == 0).all()
        torch.testing.assert_close(weights.sum(-1)[0], torch.ones(HEADS, Q, dtype=torch.float64))


def test_few_queries_are_absorbed_and_many_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    base = Latent(one_head(96, 64), heads=8, query_width=8, key_width=8, latent_width=256, head_width=64)
    # Products a head for 20 keys, without r: 655,360 + Q · 2,560 expanded, Q · (32,768 + 10,240) absorbed.
    assert base._absorbs(16, 20)
    assert not base._absorbs(17, 20)
    small = latent()
    memory = small.remember(states(B, S, WIDTH), mask())
    monkeypatch.delattr(Latent, "_attend_expanded")
    small(Request(states(B, 1, WIDTH), torch.tensor([S - 1])), memory)
    with pytest.raises(AttributeError, match="_attend_expanded"):
        small(Request(states(B, S, WIDTH), torch.arange(S)), memory)


@torch.no_grad()
def compressed(heads: MultiHead, rank: int, norm: bool = False) -> Latent:
    """[W_K; W_V] = U Σ Vᵀ: Vᵀ goes down to `rank`, U Σ up again."""
    size = WIDTH // heads.heads
    found = Latent(
        one_head(size, size),
        heads=heads.heads,
        query_width=WIDTH,
        key_width=WIDTH,
        latent_width=rank,
        head_width=size,
        norm=norm,
    ).double()
    u, sigma, vt = torch.linalg.svd(torch.cat([heads.key.weight, heads.value.weight]), full_matrices=False)
    key, value = (u[:, :rank] * sigma[:rank]).chunk(2)
    pairs = [(found.query[-1], heads.query.weight), (found.down, vt[:rank]), (found.key, key)]
    for layer, weight in [*pairs, (found.value, value), (found.output, heads.output.weight)]:
        layer.weight.copy_(weight)
    return found


@ways
def test_at_full_rank_it_is_multi_head_attention(absorbs: Callable[[int, int], bool]) -> None:
    torch.manual_seed(1)
    size = WIDTH // 2
    widths = {"query_width": WIDTH, "key_width": WIDTH, "value_width": WIDTH, "width": WIDTH}
    heads = MultiHead(one_head(size, size), heads=2, **widths).double()

    def context(attention: MultiHead | Latent) -> Tensor:
        return attention(Request(states(B, Q, WIDTH)), attention.remember(states(B, S, WIDTH), mask())).context

    whole, half, normed = compressed(heads, WIDTH), compressed(heads, WIDTH // 2), compressed(heads, WIDTH, norm=True)
    for each in (whole, half, normed):
        each._absorbs = absorbs
    torch.testing.assert_close(context(whole), context(heads), rtol=0, atol=1e-10)
    assert (context(half) - context(heads)).abs().max() > 0.05
    assert (context(normed) - context(heads)).abs().max() > 0.05


@pytest.mark.parametrize("rotary", [0, R])
@pytest.mark.parametrize("query", [None, 5])
def test_stepping_with_a_growing_memory_equals_teacher_forcing(rotary: int, query: int | None) -> None:
    attention, target = latent(span=Causal(), rotary=rotary, query=query), states(B, S, WIDTH)
    real = torch.ones(B, S, dtype=torch.bool)
    expected = attention(Request(target, torch.arange(S), trace=True), attention.remember(target, real))
    memory = attention.remember(target[:, :0], real[:, :0])
    for step in range(S):
        now = target[:, step : step + 1]
        new = attention.remember(now, real[:, :1], start=step)
        memory = Memory(
            torch.cat([memory.keys, new.keys], 2),
            torch.cat([memory.values, new.values], 2),
            torch.cat([memory.mask, new.mask], 1),
        )
        found = attention(Request(now, torch.tensor([step]), trace=True), memory)
        torch.testing.assert_close(found.context[:, 0], expected.context[:, step], rtol=0, atol=1e-10)
        seen = expected.weights[:, :, step, : step + 1]
        torch.testing.assert_close(found.weights[:, :, 0], seen, rtol=0, atol=1e-10)


def test_a_decoder_of_base_size_keeps_6912_bytes_a_token() -> None:
    """(256 + 32) numbers in each of 6 layers, 4 bytes each; 8 heads of 64 with keys and values of their own keep 24,576."""

    def base(span: Span, rotary: int) -> Latent:
        one = one_head(64 + rotary, 64, span)
        widths = {"query_width": 512, "key_width": 512, "latent_width": 256, "head_width": 64, "rotary_width": rotary}
        return Latent(one, heads=8, **widths)

    decoder = TransformerDecoder(
        Embedding(token_embedding(9, 512), dropout=0.0),
        self_attentions=[base(Causal(), 32)] * 6,
        attentions=[base(Global(), 0)] * 6,
        feedforward=1,
        pre=True,
        dropout=0.0,
    )
    source = torch.zeros(B, S, 512)
    encoded = Encoded(source, mask(), source[:, 0])
    memory, state = decoder.remember(encoded), decoder.start(encoded, 3)
    tokens, steps = torch.ones(B, 3, dtype=torch.long), 2
    with torch.no_grad():
        for _ in range(steps):
            _, state = decoder.step(tokens, state, memory)
            state = select(state, torch.tensor([[2, 0, 0]] * B))

    assert sum(slots.keys.nbytes + slots.values.nbytes for slots in state.layers) == B * 3 * steps * 6912
    assert sum(each.keys.nbytes + each.values.nbytes for each in memory) == B * S * 256 * 6 * 4


@ways
def test_padding_is_invisible(absorbs: Callable[[int, int], bool]) -> None:
    attention, target, source = latent(), states(B, Q, WIDTH), states(B, S, WIDTH)
    attention._absorbs = absorbs
    together = attention(Request(target, torch.arange(Q)), attention.remember(source, mask())).context[1]
    memory = attention.remember(source[1:, :3], mask()[1:, :3])
    torch.testing.assert_close(
        attention(Request(target[1:], torch.arange(Q)), memory).context[0], together, rtol=0, atol=1e-12
    )


@ways
def test_bf16_autocast_keeps_weights_in_fp32_and_memory_in_bf16(absorbs: Callable[[int, int], bool]) -> None:
    attention = latent(query=5).float()
    attention._absorbs = absorbs
    target, source, positions = states(B, Q, WIDTH).float(), states(B, S, WIDTH).float(), torch.arange(Q)
    exact = attention(Request(target, positions), attention.remember(source, mask())).context
    with torch.autocast("cpu", torch.bfloat16):
        memory = attention.remember(source, mask())
        rounded = attention(Request(target, positions, trace=True), memory)
    assert memory.keys.dtype == torch.bfloat16
    assert rounded.weights.dtype == torch.float32
    torch.testing.assert_close(rounded.context.float(), exact, rtol=0, atol=0.05)


def test_what_latent_attention_cannot_do() -> None:
    with pytest.raises(ValueError, match="3 is odd"):
        latent(rotary=3)
    with pytest.raises(ValueError, match="need the queries' positions"):
        latent()(Request(states(B, Q, WIDTH)), latent().remember(states(B, S, WIDTH), mask()))
    with pytest.raises(ValueError, match="the same states"):
        latent().remember(states(B, S, WIDTH), mask(), states(B, S, WIDTH))

    def inside(score: Score, temporal: bool) -> Latent:
        one = Attention(score=score, span=Global(), normalizer=softmax, context_width=1, temporal=temporal)
        return Latent(one, heads=1, query_width=1, key_width=1, latent_width=1, head_width=1)

    for score, temporal in [(Additive(query_width=1, key_width=1, width=1), False), (Dot(), True)]:
        with pytest.raises(ValueError, match="only a dot product that is averaged, without history"):
            inside(score, temporal)
