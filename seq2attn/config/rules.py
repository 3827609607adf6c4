"""What no single key can say: which values of different keys do not go together."""

from collections.abc import Iterator
from typing import assert_never

from seq2attn.config.attention import LocationConfig
from seq2attn.config.attention_rules import Place, Problem, attention_problems, nearest_divisor
from seq2attn.config.data import DataConfig, GrammarConfig, SourceConfig, TextConfig
from seq2attn.config.model import (
    BahdanauDecoderConfig,
    ConvEncoderConfig,
    LSTMDecoderConfig,
    LSTMEncoderConfig,
    LuongDecoderConfig,
    ModelConfig,
    TransformerDecoderConfig,
    TransformerEncoderConfig,
)
from seq2attn.config.training import TrainingConfig


def problems(data: DataConfig, model: ModelConfig, training: TrainingConfig) -> Iterator[Problem]:
    """Every combination of legal values that is illegal."""
    yield from _data(data)
    if model.embedding.tied == "three_way" and not data.tokenizer.joint:
        yield Problem(
            "model.embedding.tied",
            "three_way",
            "needs one vocabulary for both languages, but data.tokenizer.joint is false",
            "use two_way, or set data.tokenizer.joint to true",
        )
    yield from model_problems(model)
    yield from _location(data, model)
    yield from _training(data, training)


def model_problems(model: ModelConfig) -> Iterator[Problem]:
    """Those of encoder and decoder."""
    yield from _encoder(model)
    yield from _decoder(model)


BYTE_PIECES = 4 + 256  # the special ids and the bytes


def _data(data: DataConfig) -> Iterator[Problem]:
    sources: dict[str, SourceConfig | None] = {"train": data.train, "validation": data.validation, "test": data.test}
    for role, source in sources.items():
        if isinstance(source, TextConfig) and data.source == data.target:
            yield Problem(
                "data.target",
                data.target,
                f"is data.source too, so both sides of data.{role} would be the same file",
                "name the suffix of the other file",
            )
            break
        if isinstance(source, GrammarConfig) and (data.source, data.target) != ("en", "de"):
            key, value, legal = ("target", data.target, "de") if data.source == "en" else ("source", data.source, "en")
            yield Problem(
                f"data.{key}",
                value,
                f"is not what the grammar of data.{role} writes: English to German",
                f"use {legal}",
            )
            break
    if data.tokenizer.byte_fallback and data.vocab_size <= BYTE_PIECES:
        yield Problem(
            "data.vocab_size",
            data.vocab_size,
            f"leaves nothing for subwords: bytes and special ids take {BYTE_PIECES}",
            f"use at least {BYTE_PIECES + 100}, or set data.tokenizer.byte_fallback to false",
        )


def _encoder(model: ModelConfig) -> Iterator[Problem]:
    encoder, key, width = model.encoder, "model.encoder", model.embedding.width
    if not isinstance(encoder, LSTMEncoderConfig):
        yield from _width(width, encoder.positions)
    if isinstance(encoder, ConvEncoderConfig):
        yield from _odd(f"{key}.kernel", encoder.kernel)
    if isinstance(encoder, TransformerEncoderConfig):
        place = Place("encoder", "transformer", "model.embedding", width, width, encoder.positions)
        yield from attention_problems(f"{key}.self_attention", encoder.self_attention, place)
    if encoder.gates is not None and encoder.gates.channel is not None:
        reduction, states = encoder.gates.channel.reduction, model.source_width
        if states % reduction:
            reason = f"does not divide the width of the encoder's states, which is {states}"
            yield Problem(
                f"{key}.gates.channel.reduction", reduction, reason, f"use {nearest_divisor(states, reduction)}"
            )
    if encoder.gates is not None and encoder.gates.spatial is not None:
        yield from _odd(f"{key}.gates.spatial.kernel", encoder.gates.spatial.kernel)


def _decoder(model: ModelConfig) -> Iterator[Problem]:
    decoder, key, width = model.decoder, "model.decoder", model.embedding.width
    match decoder:
        case LSTMDecoderConfig():
            return
        case TransformerDecoderConfig():
            yield from _width(width, decoder.positions)
            own = Place("decoder", "transformer", "model.embedding", width, width, decoder.positions)
            yield from attention_problems(f"{key}.self_attention", decoder.self_attention, own)
            place = Place("source", "transformer", "model.embedding", width, model.source_width)
        case LuongDecoderConfig():
            fed = decoder.input_feeding
            place = Place("source", "luong", key, decoder.width, model.source_width, input_feeding=fed)
        case BahdanauDecoderConfig():
            place = Place("source", "bahdanau", key, decoder.width, model.source_width)
        case _:
            assert_never(decoder)
    yield from attention_problems(f"{key}.attention", decoder.attention, place)
    if decoder.attention.latent is not None and isinstance(model.encoder, ConvEncoderConfig):
        reason = "makes keys and values of the same vector, but the conv encoder gives different ones"
        yield Problem(f"{key}.attention.latent", "set", reason, "use another encoder, or leave out latent")


def _location(data: DataConfig, model: ModelConfig) -> Iterator[Problem]:
    score = None if isinstance(model.decoder, LSTMDecoderConfig) else model.decoder.attention.score
    if isinstance(score, LocationConfig) and score.max_source < data.max_length:
        reason = f"is less than data.max_length, which is {data.max_length}: a longer source has no score"
        hint = f"use {data.max_length}, or set data.max_length to {score.max_source}"
        yield Problem("model.decoder.attention.score.max_source", score.max_source, reason, hint)


def _width(width: int, positions: str) -> Iterator[Problem]:
    if positions == "sinusoidal" and width % 2:
        yield Problem("model.embedding.width", width, "must be even for sinusoidal positions", f"use {width + 1}")


def _odd(key: str, kernel: int) -> Iterator[Problem]:
    if kernel % 2 == 0:
        yield Problem(key, kernel, "must be odd: as many words before as after", f"use {kernel + 1}")


def _training(data: DataConfig, training: TrainingConfig) -> Iterator[Problem]:
    if training.batch_tokens < data.max_length:
        yield Problem(
            "training.batch_tokens",
            training.batch_tokens,
            f"is less than data.max_length, which is {data.max_length}: one pair might exceed a batch",
            f"use at least {data.max_length}, or set data.max_length to {training.batch_tokens}",
        )
    average = training.average
    kept = training.keep_last if average.of == "last" else training.keep_best
    if training.select == "average" and kept < average.count:
        yield Problem(
            f"training.keep_{average.of}",
            kept,
            f"is less than training.average.count, which is {average.count}, and select is average",
            f"use {average.count}",
        )
