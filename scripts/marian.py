"""The peer of the benchmarks: Hugging Face's MarianMT, as large as a Transformer config. Needs `transformers` installed."""

import importlib
import importlib.util
from typing import Any

from seq2attn.config.model import ModelConfig, TransformerEncoderConfig
from seq2attn.errors import UsageError
from seq2attn.tokens import BOS, EOS, PAD

NAME = "MarianMT"


def marian(model: ModelConfig, vocabulary: int) -> Any:
    """A MarianMT model with fresh weights: layers, widths, heads and dropout of `model`, one tied table of embeddings.

    Raises UsageError if `transformers` is not installed or `model` is no Transformer.
    """
    if importlib.util.find_spec("transformers") is None:
        raise UsageError("--peer: the package transformers is not installed", "pip install transformers sentencepiece")
    encoder = model.encoder
    if not isinstance(encoder, TransformerEncoderConfig):
        raise UsageError("--peer: the peer's size must be that of a Transformer", "name a Transformer's config")
    transformers = importlib.import_module("transformers")
    sizes = {
        f"{side}_{what}": value
        for side in ("encoder", "decoder")
        for what, value in (
            ("layers", encoder.layers),
            ("ffn_dim", encoder.feedforward),
            ("attention_heads", encoder.self_attention.heads),
        )
    }
    config = transformers.MarianConfig(
        vocab_size=vocabulary,
        d_model=model.embedding.width,
        dropout=model.dropout,
        activation_function="relu",
        max_position_embeddings=512,
        pad_token_id=PAD,
        bos_token_id=BOS,
        eos_token_id=EOS,
        decoder_start_token_id=BOS,
        forced_eos_token_id=None,
        scale_embedding=True,
        **sizes,
    )
    return transformers.MarianMTModel(config)
