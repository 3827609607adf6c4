"""What no single key can say: which values of different keys do not go together."""

from collections.abc import Iterator
from typing import NamedTuple

from seq2attn.experiment.config_data import DataConfig, GrammarConfig, SourceConfig, TextConfig
from seq2attn.experiment.config_model import (
    AttentionConfig,
    DotConfig,
    LSTMDecoderConfig,
    ModelConfig,
    ScaledDotConfig,
    TransformerDecoderConfig,
    TransformerEncoderConfig,
)
from seq2attn.experiment.config_training import TrainingConfig


class Problem(NamedTuple):
    """An illegal value: its dotted key, the value, why it is illegal, and the nearest legal choice."""

    key: str
    value: object
    reason: str
    hint: str


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
    yield from _encoder(model)
    yield from _decoder(model)
    yield from _training(data, training)


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
    if isinstance(model.encoder, TransformerEncoderConfig):
        encoder, key = model.encoder, "model.encoder"
        yield from _width(model.embedding.width, encoder.positions)
        yield from _span(f"{key}.self_attention", encoder.self_attention, "global")
        yield from _heads(f"{key}.self_attention", encoder.self_attention, "model.embedding", model.embedding.width)


def _decoder(model: ModelConfig) -> Iterator[Problem]:
    decoder, key = model.decoder, "model.decoder"
    owner, width = "model.embedding", model.embedding.width
    if isinstance(decoder, TransformerDecoderConfig):
        yield from _width(width, decoder.positions)
        yield from _span(f"{key}.self_attention", decoder.self_attention, "causal")
        yield from _heads(f"{key}.self_attention", decoder.self_attention, owner, width)
    elif not isinstance(decoder, LSTMDecoderConfig):
        owner, width = key, decoder.width
    if not isinstance(decoder, LSTMDecoderConfig):
        yield from _span(f"{key}.attention", decoder.attention, "global")
        yield from _heads(f"{key}.attention", decoder.attention, owner, width)
        yield from _widths(f"{key}.attention", decoder.attention, owner, width, model.source_width)


def _width(width: int, positions: str) -> Iterator[Problem]:
    if positions == "sinusoidal" and width % 2:
        yield Problem("model.embedding.width", width, "must be even for sinusoidal positions", f"use {width + 1}")


def _span(key: str, attention: AttentionConfig, legal: str) -> Iterator[Problem]:
    span = attention.span.type
    if span != legal:
        reason = "would see words not yet written" if legal == "causal" else "would hide the rest of the source"
        yield Problem(f"{key}.span", span, reason, f"use {legal}")


def _heads(key: str, attention: AttentionConfig, owner: str, width: int) -> Iterator[Problem]:
    heads = attention.heads
    if heads is not None and width % heads:
        divisors = [count for count in range(1, width + 1) if width % count == 0]
        nearest = min(divisors, key=lambda count: (abs(count - heads), count))
        yield Problem(f"{key}.heads", heads, f"does not divide {owner}.width, which is {width}", f"use {nearest}")


def _widths(key: str, attention: AttentionConfig, owner: str, queries: int, keys: int) -> Iterator[Problem]:
    score = attention.score
    if isinstance(score, DotConfig | ScaledDotConfig) and attention.heads is None and queries != keys:
        yield Problem(
            f"{key}.score",
            score.type,
            f"needs queries as wide as keys, but the decoder has {queries} and the encoder's states {keys}",
            f"use general, or set {owner}.width to {keys}",
        )


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
