"""The peer of the translation benchmark: one of our Transformers in CTranslate2's format. Needs `ctranslate2` installed.

What the format has no place for (recurrent decoders, other scores than scaled dot, spans, latent vectors, …) is refused.
"""

import importlib
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from seq2attn.attention import Causal, Dot, Global, MultiHead, expectation, softmax
from seq2attn.errors import UsageError
from seq2attn.models.seq2seq import Seq2Seq
from seq2attn.models.transformer_decoder import TransformerDecoder, TransformerDecoderLayer
from seq2attn.models.transformer_encoder import TransformerEncoder, TransformerEncoderLayer
from seq2attn.models.transformer_layer import Residual
from seq2attn.tokens import BOS, EOS, PAD, UNK

NAME = "CTranslate2"
LONGEST = 1024  # rows of the table of positions, beyond which CTranslate2 refuses a sentence


def convert(model: Seq2Seq, pieces: list[str], folder: Path, quantization: str) -> None:
    """Write a Transformer with a joint vocabulary into `folder`, its weights in `quantization` ("int8", "float32", …).

    `pieces`: the names of all tokens. Raises UsageError if `ctranslate2` is not installed, or has no place for a part of `model`.
    """
    encoder, decoder = model.encoder, model.decoder
    if not isinstance(encoder, TransformerEncoder) or not isinstance(decoder, TransformerDecoder):
        raise UsageError(f"{NAME} has Transformers only", "name a Transformer's config")
    specs = _import("ctranslate2.specs")
    layers: tuple[list[Any], list[Any]] = (list(encoder.layers), list(decoder.layers))
    attention = layers[0][0].attention
    pre = layers[0][0].around_attention.pre
    settings: dict[str, Any] = {"pre_norm": pre, "activation": specs.Activation.RELU}
    if attention.rotary:
        settings |= {"rotary_dim": 0, "rotary_interleave": True}
    if attention.key_value_heads < attention.heads:
        settings["num_heads_kv"] = attention.key_value_heads
    spec = specs.TransformerSpec(
        specs.TransformerEncoderSpec(len(layers[0]), attention.heads, **settings),
        specs.TransformerDecoderSpec(len(layers[1]), layers[1][0].attention.heads, **settings),
    )
    _fill_embedding(spec.encoder.embeddings[0], spec.encoder, encoder)
    _fill_embedding(spec.decoder.embeddings, spec.decoder, decoder)
    spec.decoder.projection.weight, spec.decoder.projection.bias = _array(model.output), _array(model.bias)
    for theirs, layer in zip(spec.encoder.layer, layers[0], strict=True):
        _fill_encoder_layer(theirs, layer)
    for theirs, layer in zip(spec.decoder.layer, layers[1], strict=True):
        _fill_decoder_layer(theirs, layer)
    if pre:
        _fill_norm(spec.encoder.layer_norm, encoder.norm)
        _fill_norm(spec.decoder.layer_norm, decoder.norm)
    config = spec.config
    config.bos_token, config.eos_token, config.unk_token = pieces[BOS], pieces[EOS], pieces[UNK]
    config.decoder_start_token, config.add_source_eos, config.layer_norm_epsilon = pieces[BOS], True, 1e-5
    spec.register_source_vocabulary(pieces)
    spec.register_target_vocabulary(pieces)
    spec.validate()
    spec.optimize(quantization=quantization)
    folder.mkdir(parents=True, exist_ok=True)
    spec.save(str(folder))


def load_translator(folder: Path, *, workers: int, threads: int, compute_type: str) -> Any:
    """CTranslate2's translator of a converted model: `workers` side by side, each with `threads` threads."""
    package = _import("ctranslate2")
    return package.Translator(
        str(folder), device="cpu", inter_threads=workers, intra_threads=threads, compute_type=compute_type
    )


def _import(name: str) -> Any:
    if importlib.util.find_spec("ctranslate2") is None:
        raise UsageError("the package ctranslate2 is not installed", "pip install ctranslate2")
    return importlib.import_module(name)


def _fill_embedding(embeddings: Any, side: Any, ours: TransformerEncoder | TransformerDecoder) -> None:
    embeddings.weight = _array(ours.embedding.table.weight)
    side.scale_embeddings = True  # by √width
    positions, width = ours.embedding.positions, ours.embedding.width
    with torch.no_grad():
        table = torch.zeros(LONGEST, width) if positions is None else None
        if table is None:
            longest = ours.embedding.longest or LONGEST
            assert positions is not None
            table = positions(torch.arange(longest))
    side.position_encodings.encodings = _array(table)


def _fill_encoder_layer(theirs: Any, ours: TransformerEncoderLayer) -> None:
    _fill_self_attention(theirs.self_attention, ours.attention, ours.around_attention, Global())
    _fill_feed_forward(theirs.ffn, ours.feedforward, ours.around_feedforward)


def _fill_decoder_layer(theirs: Any, ours: TransformerDecoderLayer) -> None:
    _fill_self_attention(theirs.self_attention, ours.self_attention, ours.around_self_attention, Causal())
    over_source = _check_attention(ours.attention, Global())
    _fill_linear(theirs.attention.linear[0], over_source.query)
    _fill_linear(theirs.attention.linear[1], over_source.key, over_source.value)
    _fill_linear(theirs.attention.linear[2], over_source.output)
    _fill_norm(theirs.attention.layer_norm, ours.around_attention.norm)
    _fill_feed_forward(theirs.ffn, ours.feedforward, ours.around_feedforward)


def _fill_self_attention(theirs: Any, attention: object, around: Residual, span: object) -> None:
    ours = _check_attention(attention, span)
    _fill_linear(theirs.linear[0], ours.query, ours.key, ours.value)
    _fill_linear(theirs.linear[1], ours.output)
    _fill_norm(theirs.layer_norm, around.norm)


def _check_attention(attention: object, span: object) -> MultiHead:
    plain = (
        isinstance(attention, MultiHead)
        and isinstance(attention.attention.score, Dot)
        and attention.attention.score.dot_scale == (attention.query.out_features // attention.heads) ** -0.5
        and attention.attention.span == span
        and attention.attention.normalizer is softmax
        and attention.attention.aggregation is expectation
        and not attention.attention.temporal
    )
    if not plain:
        raise UsageError(f"{NAME} has scaled dot-product attention with heads only", "name another config")
    assert isinstance(attention, MultiHead)
    return attention


def _fill_feed_forward(theirs: Any, ours: nn.Sequential, around: Residual) -> None:
    _fill_linear(theirs.linear_0, ours[0])
    _fill_linear(theirs.linear_1, ours[3])
    _fill_norm(theirs.layer_norm, around.norm)


def _fill_linear(theirs: Any, *ours: Any) -> None:
    """One product that does the work of all of `ours`: their rows one below the other."""
    theirs.weight = np.concatenate([_array(linear.weight) for linear in ours])
    theirs.bias = np.concatenate([_array(linear.bias) for linear in ours])


def _fill_norm(theirs: Any, ours: Any) -> None:
    theirs.gamma, theirs.beta = _array(ours.weight), _array(ours.bias)


def _array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().float().numpy().copy()  # quantization overwrites it


def name_pieces(number: int) -> list[str]:
    """Names for the tokens of a model without a vocabulary."""
    special = {PAD: "<pad>", UNK: "<unk>", BOS: "<s>", EOS: "</s>"}
    return [special.get(token, f"t{token}") for token in range(number)]
