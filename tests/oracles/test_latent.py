"""Latent attention against DeepSeek-V2's in the `transformers` library, with the same weights."""

import pytest
import torch
from torch import Tensor, nn

from seq2attn.attention import Attention, Causal, Dot, Request, softmax
from seq2attn.attention.latent import Latent

pytest.importorskip("transformers")
B, S, WIDTH, HEADS, C, N, R, V = 2, 9, 12, 3, 8, 4, 6, 5


@pytest.mark.parametrize("absorbed", [False, True])
@pytest.mark.parametrize("query_latent", [None, 7])
@torch.no_grad()
def test_causal_latent_attention_is_deepseeks(query_latent: int | None, absorbed: bool) -> None:
    """Theirs rotates in fp32, hence the tolerance."""
    from transformers.models.deepseek_v2.configuration_deepseek_v2 import DeepseekV2Config
    from transformers.models.deepseek_v2.modeling_deepseek_v2 import DeepseekV2Attention, DeepseekV2RotaryEmbedding

    config = DeepseekV2Config(
        hidden_size=WIDTH,
        num_attention_heads=HEADS,
        num_key_value_heads=HEADS,
        q_lora_rank=query_latent,
        kv_lora_rank=C,
        qk_nope_head_dim=N,
        qk_rope_head_dim=R,
        v_head_dim=V,
        attn_implementation="eager",
    )
    torch.manual_seed(1)
    theirs = DeepseekV2Attention(config, layer_idx=0).double().eval()
    for parameter in theirs.parameters():
        nn.init.normal_(parameter, std=0.5)
    one = Attention(score=Dot(scale=(N + R) ** -0.5), span=Causal(), normalizer=softmax, context_width=V)
    own = Latent(
        one,
        heads=HEADS,
        query_width=WIDTH,
        key_width=WIDTH,
        latent_width=C,
        head_width=N,
        rotary_width=R,
        query_latent=query_latent,
    ).double()
    copy(theirs, own)
    own._absorbs = lambda queries, keys: absorbed

    states, positions = torch.randn(B, S, WIDTH, dtype=torch.float64), torch.arange(S)
    mask = torch.arange(S) < torch.tensor([S, 6])[:, None]
    hidden = torch.full((B, 1, S, S), -torch.inf).triu(1).double().masked_fill(~mask[:, None, None], -torch.inf)
    angles = DeepseekV2RotaryEmbedding(config)(states, positions[None])
    context, weights = theirs(states, hidden, position_embeddings=angles)
    found = own(Request(states, positions, trace=True), own.remember(states, mask))
    torch.testing.assert_close(found.context, context, rtol=0, atol=1e-6)
    torch.testing.assert_close(found.weights, weights, rtol=0, atol=1e-6)


def copy(theirs: nn.Module, own: Latent) -> None:
    """Their upward map is by head: first its rows for the key, then those for the value."""
    up: Tensor = theirs.kv_b_proj.weight.unflatten(0, (HEADS, N + V))
    pairs = [
        (own.down.weight, theirs.kv_a_proj_with_mqa.weight),
        (own.norm.norm.weight, theirs.kv_a_layernorm.weight),
        (own.key.weight, up[:, :N].flatten(0, 1)),
        (own.value.weight, up[:, N:].flatten(0, 1)),
        (own.output.weight, theirs.o_proj.weight),
    ]
    if theirs.q_lora_rank is None:
        pairs += [(own.query[0].weight, theirs.q_proj.weight)]
    else:
        pairs += [
            (own.query[0].weight, theirs.q_a_proj.weight),
            (own.query[1].norm.weight, theirs.q_a_layernorm.weight),
            (own.query[2].weight, theirs.q_b_proj.weight),
        ]
    for mine, given in pairs:
        mine.copy_(given)
