"""Additive attention against `keras`, which has the same formula for queries and keys that are projected already."""

from pathlib import Path

import pytest
import torch

from seq2attn.attention import Request
from seq2attn.attention.attention import Attention
from seq2attn.attention.normalizers import softmax
from seq2attn.attention.scores import Additive
from seq2attn.attention.spans import Global

B, Q, S, D, K = 3, 4, 5, 6, 7


def test_weights_and_context_are_those_of_keras(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    keras = pytest.importorskip("keras")
    torch.manual_seed(1)
    score = Additive(query_width=D, key_width=K, width=9).double()
    torch.nn.init.normal_(score.key.bias)
    query, source = torch.randn(B, Q, D, dtype=torch.float64), torch.randn(B, S, K, dtype=torch.float64)
    mask = torch.arange(S) < torch.tensor([S, 3, 1])[:, None]

    attention = Attention(score=score, span=Global(), normalizer=softmax, context_width=K)
    output = attention(Request(query, trace=True), attention.remember(source, mask))

    theirs = keras.layers.AdditiveAttention(dtype="float64")
    projected, keys = score.query(query) + score.key.bias, source @ score.key.weight.T
    theirs.build([projected.shape, source.shape, keys.shape])
    theirs.scale.assign(score.vector[0].detach())
    context, weights = theirs([projected, source, keys], mask=[None, mask], return_attention_scores=True)
    torch.testing.assert_close(output.weights[:, 0], weights, rtol=0, atol=1e-12)
    torch.testing.assert_close(output.context.float(), context, rtol=0, atol=1e-6)  # keras averages in fp32
