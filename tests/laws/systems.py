"""Small systems, one for each way to put the parts together: the laws hold for all of them."""

import os

import torch
from torch import Tensor

from seq2attn.build.model import build_seq2seq
from seq2attn.config.model import ModelConfig
from seq2attn.models.seq2seq import Seq2Seq

DEVICE = torch.device(os.environ.get("SEQ2ATTN_TEST_DEVICE", "cpu"))  # where the laws are tried
VOCABULARY = 11
LSTM = {"type": "lstm", "width": 6, "layers": 1}
HEADS = {"score": "scaled_dot", "heads": 2}
TRANSFORMER = {"type": "transformer", "layers": 2, "feedforward": 12, "self_attention": HEADS}


def _rnn(kind: str, **own: object) -> dict[str, object]:
    return {"encoder": LSTM, "decoder": {"type": kind, "width": 12, **own}}


MODELS: dict[str, dict[str, object]] = {
    "lstm": _rnn("lstm", bottleneck=5),
    "lstm every step": _rnn("lstm", bottleneck=5, vector="every_step", layers=2),
    "lstm reversed, one direction": {
        "encoder": LSTM | {"bidirectional": False, "reverse_source": True, "layers": 2},
        "decoder": {"type": "lstm", "width": 6, "bottleneck": 4},
    },
    "bahdanau": _rnn("bahdanau"),
    "bahdanau, two layers, general": _rnn("bahdanau", layers=2, attention={"score": "general"}),
    "bahdanau, dot": _rnn("bahdanau", attention={"score": "dot"}),
    "luong": _rnn("luong"),
    "luong, two layers, reversed": {
        "encoder": LSTM | {"layers": 2, "reverse_source": True},
        "decoder": {"type": "luong", "width": 12, "layers": 2},
    },
    "luong, scaled": _rnn("luong", input_feeding=False, attention={"score": {"type": "general", "scale": "auto"}}),
    "luong without input feeding": _rnn("luong", input_feeding=False, attention={"score": "concat"}),
    "luong dot without input feeding": _rnn("luong", input_feeding=False, attention={"score": "dot"}),
    "luong with heads": _rnn("luong", attention={"score": "scaled_dot", "heads": 3}),
    "gnmt, residual": {
        "encoder": LSTM | {"layers": 2, "residual": True},
        "decoder": {"type": "gnmt", "width": 12, "layers": 3},
    },
    "gnmt with heads, temporal": _rnn(
        "gnmt", layers=2, residual=False, attention={"score": "scaled_dot", "heads": 2, "temporal": True}
    ),
    "gnmt, gumbel": _rnn("gnmt", layers=2, attention={"aggregation": "gumbel"}),
    "lstm, normalized": {
        "encoder": LSTM | {"layer_norm": True},
        "decoder": {"type": "lstm", "width": 6, "bottleneck": 4, "layers": 2, "layer_norm": True},
    },
    "normalized luong, two layers": {
        "encoder": LSTM | {"layers": 2, "layer_norm": True},
        "decoder": {"type": "luong", "width": 12, "layers": 2, "layer_norm": True},
    },
    "normalized bahdanau": {
        "encoder": LSTM | {"layer_norm": True, "bidirectional": False},
        "decoder": {"type": "bahdanau", "width": 12, "layer_norm": True},
    },
    "normalized gnmt": _rnn("gnmt", layers=2, layer_norm=True),
    "transformer": {"encoder": TRANSFORMER, "decoder": TRANSFORMER | {"attention": HEADS}},
    "transformer, post-norm, learned positions": {
        "encoder": TRANSFORMER | {"norm": "post", "positions": "learned"},
        "decoder": TRANSFORMER | {"attention": HEADS, "norm": "post", "positions": "learned"},
    },
    "transformer, additive heads": {
        "encoder": TRANSFORMER | {"self_attention": {"score": "additive", "heads": 2}, "positions": "none"},
        "decoder": TRANSFORMER
        | {"attention": {"score": "general", "heads": 2}, "self_attention": {"score": "additive", "heads": 4}},
    },
    "transformer encoder, luong decoder": {"encoder": TRANSFORMER, "decoder": {"type": "luong", "width": 12}},
    "transformer encoder, lstm decoder": {"encoder": TRANSFORMER, "decoder": {"type": "lstm", "width": 7}},
    "lstm encoder, transformer decoder": {"encoder": LSTM, "decoder": TRANSFORMER | {"attention": HEADS}},
    "uniform": _rnn("luong", attention={"score": "uniform"}),
    "location": _rnn("luong", attention={"score": {"type": "location", "max_source": 30}}),
    "learned scale, temperature": _rnn(
        "bahdanau",
        attention={
            "score": {"type": "scaled_dot", "scale": "learned"},
            "normalizer": {"type": "softmax", "temperature": 0.5},
        },
    ),
    "sparsemax": _rnn("bahdanau", attention={"normalizer": "sparsemax"}),
    "entmax": _rnn("luong", attention={"score": "scaled_dot", "normalizer": {"type": "entmax", "alpha": 1.5}}),
    "learned entmax heads": _rnn(
        "luong", attention={"score": "scaled_dot", "heads": 2, "normalizer": {"type": "entmax", "alpha": "learned"}}
    ),
    "local-m": _rnn("luong", attention={"span": {"type": "local_monotonic", "window": 2}}),
    "local-m gathered, before the step": _rnn(
        "bahdanau", attention={"span": {"type": "local_monotonic", "window": 1, "gaussian": True, "gathered": True}}
    ),
    "local-p": _rnn("luong", attention={"span": {"type": "local_predictive", "window": 2}}),
    "local-p gathered": _rnn(
        "luong", input_feeding=False, attention={"span": {"type": "local_predictive", "window": 2, "gathered": True}}
    ),
    "temporal": _rnn("bahdanau", attention={"temporal": True}),
    "temporal in parallel": _rnn("luong", input_feeding=False, attention={"temporal": True}),
    "temporal heads": _rnn("luong", attention={"score": "scaled_dot", "heads": 2, "temporal": True}),
    "adaptive": _rnn("luong", input_feeding=False, attention={"score": "additive", "sentinel": True}),
    "adaptive with input feeding": _rnn("luong", layers=2, attention={"score": "general", "sentinel": True}),
    "adaptive and sparse": _rnn(
        "luong", attention={"score": "additive", "sentinel": True, "normalizer": {"type": "entmax", "alpha": 1.5}}
    ),
    "three hops": _rnn("luong", attention={"score": "dot", "memory": {"hops": 3}}),
    "adjacent hops": _rnn(
        "luong", input_feeding=False, attention={"score": "dot", "memory": {"hops": 2, "tying": "adjacent"}}
    ),
    "segments": _rnn("luong", attention={"hierarchical": {"length": 3}}),
    "gumbel": _rnn("bahdanau", attention={"aggregation": "gumbel"}),
    "reinforce": _rnn("luong", input_feeding=False, attention={"aggregation": "reinforce"}),
    "marginal": _rnn("luong", input_feeding=False, attention={"aggregation": {"type": "marginal", "top_k": 3}}),
    "elbo": _rnn("luong", input_feeding=False, attention={"aggregation": "elbo"}),
    "window and strides": {
        "encoder": TRANSFORMER | {"self_attention": HEADS | {"span": {"type": "strided", "stride": 2}}},
        "decoder": TRANSFORMER
        | {"attention": HEADS, "self_attention": HEADS | {"span": {"type": "window", "radius": 2}}},
    },
    "window and strides, gathered": {
        "encoder": TRANSFORMER
        | {"self_attention": HEADS | {"span": {"type": "window", "radius": 2, "gathered": True}}},
        "decoder": TRANSFORMER
        | {
            "attention": HEADS,
            "self_attention": HEADS | {"span": {"type": "strided", "stride": 2, "gathered": True}},
        },
    },
    "grouped heads, rotary": {
        "encoder": TRANSFORMER
        | {"positions": "rotary", "self_attention": {"score": "scaled_dot", "heads": 4, "key_value_heads": 2}},
        "decoder": TRANSFORMER
        | {
            "positions": "rotary",
            "attention": {"score": "scaled_dot", "heads": 4, "key_value_heads": 1},
            "self_attention": {"score": "dot", "heads": 4, "key_value_heads": 2},
        },
    },
    "latent": {
        "encoder": TRANSFORMER | {"self_attention": HEADS | {"latent": {"width": 5, "rotary": 2}}},
        "decoder": TRANSFORMER
        | {
            "attention": HEADS | {"latent": {"width": 6, "query": 3}},
            "self_attention": HEADS | {"latent": {"rotary": 4, "norm": False}},
        },
    },
    "transformer, local-m with drawn positions": {
        "encoder": TRANSFORMER,
        "decoder": TRANSFORMER
        | {
            "attention": HEADS
            | {
                "key_value_heads": 1,
                "aggregation": "gumbel",
                "span": {"type": "local_monotonic", "window": 2, "gathered": True},
            }
        },
    },
    "transformer, segments": {
        "encoder": TRANSFORMER,
        "decoder": TRANSFORMER | {"attention": {"score": "additive", "heads": None, "hierarchical": {"length": 3}}},
    },
    "convolutions": {
        "encoder": {"type": "conv", "layers": 2, "gates": {"channel": {"reduction": 2}, "spatial": {"kernel": 3}}},
        "decoder": {"type": "luong", "width": 12},
    },
    "convolutions, transformer decoder": {
        "encoder": {"type": "conv", "layers": 2},
        "decoder": TRANSFORMER | {"attention": HEADS},
    },
}


def system(name: str, tied: str = "two_way", width: int = 8, dropout: float = 0.0) -> Seq2Seq:
    """A fresh fp64 model in evaluation mode; the weights are drawn wide, so that no law holds by smallness."""
    torch.manual_seed(7)
    config = ModelConfig.model_validate(
        {"embedding": {"width": width, "tied": tied}, "dropout": dropout} | MODELS[name]
    )
    model = build_seq2seq(config, source_size=VOCABULARY, target_size=VOCABULARY, max_length=40).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
        for embedding in (module for module in model.modules() if isinstance(module, torch.nn.Embedding)):
            embedding.weight[0] = 0
    return model.to(DEVICE).eval()


def sentences(lengths: list[int], padding: int = 0) -> Tensor:
    """Random tokens, EOS last, PAD to the longest and `padding` beyond."""
    generator = torch.Generator().manual_seed(sum(lengths) + len(lengths))
    rows = torch.zeros(len(lengths), max(lengths) + padding, dtype=torch.long)
    for row, length in zip(rows, lengths, strict=True):
        row[: length - 1] = torch.randint(4, VOCABULARY, (length - 1,), generator=generator)
        row[length - 1] = 3
    return rows.to(DEVICE)
