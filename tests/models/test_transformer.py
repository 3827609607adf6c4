"""Transformer layers against PyTorch's own, with the same weights."""

import pytest
import torch
from torch import Tensor, nn

from seq2attn.attention import Attention, Causal, Dot, Global, MultiHead, softmax
from seq2attn.models.embedding import Embedding, token_embedding
from seq2attn.models.transformer_decoder import TransformerDecoderLayer
from seq2attn.models.transformer_encoder import TransformerEncoder, TransformerEncoderLayer

B, T, S, WIDTH, HEADS, FEEDFORWARD = 2, 4, 5, 6, 2, 9
orders = pytest.mark.parametrize("pre", [True, False], ids=["pre-norm", "post-norm"])


def states(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64)


def mask() -> Tensor:
    return torch.arange(S) < torch.tensor([S, 3])[:, None]


def heads(span: Global | Causal) -> MultiHead:
    size = WIDTH // HEADS
    one = Attention(score=Dot(scale=size**-0.5), span=span, normalizer=softmax, context_width=size)
    return MultiHead(one, heads=HEADS, query_width=WIDTH, key_width=WIDTH, value_width=WIDTH, width=WIDTH)


def shaken(module: nn.Module) -> nn.Module:
    """Weights that no initialization makes equal or zero."""
    torch.manual_seed(3)
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.5)
    return module


@torch.no_grad()
def copy_heads(theirs: nn.MultiheadAttention, own: nn.Module) -> None:
    assert isinstance(own, MultiHead)
    theirs.in_proj_weight.copy_(torch.cat([own.query.weight, own.key.weight, own.value.weight]))
    theirs.in_proj_bias.copy_(torch.cat([own.query.bias, own.key.bias, own.value.bias]))
    theirs.out_proj.load_state_dict(own.output.state_dict())


def copy_rest(theirs: nn.Module, own: nn.Module, norms: list[str]) -> None:
    for name, block in zip(["norm1", "norm2", "norm3"], norms, strict=False):
        getattr(theirs, name).load_state_dict(getattr(own, block).norm.state_dict())
    theirs.linear1.load_state_dict(own.feedforward[0].state_dict())
    theirs.linear2.load_state_dict(own.feedforward[3].state_dict())


@orders
def test_an_encoder_layer_equals_pytorchs(pre: bool) -> None:
    own = TransformerEncoderLayer(heads(Global()), width=WIDTH, feedforward=FEEDFORWARD, pre=pre, dropout=0.0)
    shaken(own.double())
    theirs = nn.TransformerEncoderLayer(
        WIDTH, HEADS, FEEDFORWARD, dropout=0.0, batch_first=True, norm_first=pre, dtype=torch.float64
    )
    copy_heads(theirs.self_attn, own.attention)
    copy_rest(theirs, own, ["around_attention", "around_feedforward"])
    expected = theirs(states(B, S, WIDTH), src_key_padding_mask=~mask())
    torch.testing.assert_close(own(states(B, S, WIDTH), mask())[mask()], expected[mask()], rtol=0, atol=1e-10)


@orders
def test_a_decoder_layer_equals_pytorchs(pre: bool) -> None:
    own = TransformerDecoderLayer(
        heads(Causal()), heads(Global()), width=WIDTH, feedforward=FEEDFORWARD, pre=pre, dropout=0.0
    )
    shaken(own.double())
    theirs = nn.TransformerDecoderLayer(
        WIDTH, HEADS, FEEDFORWARD, dropout=0.0, batch_first=True, norm_first=pre, dtype=torch.float64
    )
    copy_heads(theirs.self_attn, own.self_attention)
    copy_heads(theirs.multihead_attn, own.attention)
    copy_rest(theirs, own, ["around_self_attention", "around_attention", "around_feedforward"])
    target, source = states(B, T, WIDTH), states(B, S, WIDTH)
    later = torch.ones(T, T, dtype=torch.bool).triu(1)
    expected = theirs(target, source, tgt_mask=later, memory_key_padding_mask=~mask())
    found = own(target, own.attention.remember(source, mask()))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)


@orders
def test_an_encoder_normalizes_its_last_states_only_before_sublayers(pre: bool) -> None:
    encoder = encoder_of(pre)
    assert isinstance(encoder.norm, nn.LayerNorm if pre else nn.Identity)
    source = torch.tensor([[4, 5, 3, 0]])
    encoded = encoder(source)
    states = encoder.embedding(source)
    for layer in encoder.layers:
        states = layer(states, source != 0)
    torch.testing.assert_close(encoded.states, encoder.norm(states), rtol=0, atol=0)


def test_the_last_vector_is_the_mean_of_the_real_states() -> None:
    encoded = encoder_of(True)(torch.tensor([[4, 5, 3, 0, 0], [4, 5, 6, 7, 3]]))
    expected = torch.stack([encoded.states[0, :3].mean(0), encoded.states[1].mean(0)])
    torch.testing.assert_close(encoded.final, expected, rtol=0, atol=1e-12)


def encoder_of(pre: bool) -> TransformerEncoder:
    embedding = Embedding(token_embedding(9, WIDTH), dropout=0.0)
    attentions = [heads(Global()), heads(Global())]
    encoder = TransformerEncoder(embedding, attentions=attentions, feedforward=FEEDFORWARD, pre=pre, dropout=0.0)
    shaken(encoder.double())
    return encoder
