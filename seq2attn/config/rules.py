"""Which values of different keys do not go together."""

from collections.abc import Iterator
from typing import assert_never

from seq2attn.config.attention import AttentionConfig
from seq2attn.config.attention_rules import AttentionSite, Problem, find_attention_problems, nearest_divisor
from seq2attn.config.data import (
    DataConfig,
    GrammarConfig,
    HuggingFaceConfig,
    JsonLinesConfig,
    SourceConfig,
    TextConfig,
    TsvConfig,
)
from seq2attn.config.model import (
    BahdanauDecoderConfig,
    ConvEncoderConfig,
    GnmtDecoderConfig,
    LSTMDecoderConfig,
    LSTMEncoderConfig,
    LuongDecoderConfig,
    ModelConfig,
    TransformerDecoderConfig,
    TransformerEncoderConfig,
)
from seq2attn.config.training import TrainingConfig


def find_problems(data: DataConfig, model: ModelConfig, training: TrainingConfig) -> Iterator[Problem]:
    """Every combination of legal values that is illegal."""
    yield from _check_data(data)
    if model.embedding.tied == "three_way" and not data.tokenizer.joint:
        yield Problem(
            "model.embedding.tied",
            "three_way",
            "needs one vocabulary for both languages, but data.tokenizer.joint is false",
            "use two_way, or set data.tokenizer.joint to true",
        )
    yield from find_model_problems(model)
    yield from _check_location(data, model)
    yield from _check_training(data, training)
    yield from _check_r_drop(model, training)


def find_model_problems(model: ModelConfig) -> Iterator[Problem]:
    """Those of the model section alone."""
    yield from _check_encoder(model)
    yield from _check_decoder(model)
    for key, attention in model.attentions():
        yield from find_attention_problems(_site(model, key, attention))


def _site(model: ModelConfig, key: str, section: AttentionConfig) -> AttentionSite:
    encoder, decoder, width = model.encoder, model.decoder, model.embedding.width
    embedding = "model.embedding.width"
    if key == "model.encoder.self_attention":
        assert isinstance(encoder, TransformerEncoderConfig)
        return AttentionSite(key, section, "encoder", "transformer", embedding, width, width, encoder.positions)
    if key == "model.decoder.self_attention":
        assert isinstance(decoder, TransformerDecoderConfig)
        return AttentionSite(key, section, "decoder", "transformer", embedding, width, width, decoder.positions)
    states = model.source_width
    match decoder:
        case TransformerDecoderConfig():
            return AttentionSite(key, section, "source", "transformer", embedding, width, states)
        case LuongDecoderConfig(width=own, input_feeding=fed):
            return AttentionSite(key, section, "source", "luong", "model.decoder.width", own, states, input_feeding=fed)
        case BahdanauDecoderConfig(width=own) | GnmtDecoderConfig(width=own):
            return AttentionSite(key, section, "source", decoder.type, "model.decoder.width", own, states)
        case LSTMDecoderConfig():
            raise ValueError("a decoder of type lstm has no attention")
        case _:
            assert_never(decoder)


def _check_data(data: DataConfig) -> Iterator[Problem]:
    sources: dict[str, SourceConfig | None] = {"train": data.train, "validation": data.validation, "test": data.test}
    for role, source in sources.items():
        if isinstance(source, TextConfig):
            yield from _check_text(f"data.{role}", source)
        elif source is not None and not isinstance(source, GrammarConfig):
            yield from _check_sides(f"data.{role}", source)
        if isinstance(source, TextConfig) and source.prefix is not None and data.source == data.target:
            yield Problem(
                "data.target",
                data.target,
                f"is data.source too, so both sides of data.{role} would be the same file",
                "use the suffix of the other file",
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
    if isinstance(data.vocab_size, tuple) and data.tokenizer.joint:
        yield Problem(
            "data.vocab_size",
            list(data.vocab_size),
            "is two sizes, but there is one vocabulary for both languages: data.tokenizer.joint is true",
            "use one number, or set data.tokenizer.joint to false",
        )


def _check_text(key: str, text: TextConfig) -> Iterator[Problem]:
    """A prefix, or two different files."""
    files = {"source": text.source, "target": text.target}
    given = {side: file for side, file in files.items() if file is not None}
    if text.prefix is not None and given:
        reason = f"cannot stand beside {key}.{' and '.join(given)}"
        yield Problem(f"{key}.prefix", text.prefix, reason, "leave out prefix, or set it to null")
    elif text.prefix is None and not given:
        hint = "add `prefix: data/train`, or `source: FILE` and `target: FILE`"
        yield Problem(key, "of type text", "names no files", hint)
    elif len(given) == 1:
        [(side, file)] = given.items()
        missing = "target" if side == "source" else "source"
        yield Problem(f"{key}.{side}", file, f"has no {key}.{missing} beside it", f"add `{missing}: FILE`")
    elif text.prefix is None and text.source == text.target:
        yield Problem(f"{key}.target", text.target, f"is {key}.source too", "use the file of the translations")


def _check_sides(key: str, table: TsvConfig | JsonLinesConfig | HuggingFaceConfig) -> Iterator[Problem]:
    """Two different columns or fields."""
    side = "column" if isinstance(table, TsvConfig) else "field"
    source, target = getattr(table, f"source_{side}"), getattr(table, f"target_{side}")
    if source == target:
        reason = f"is {key}.source_{side} too, so both sides would be the same"
        yield Problem(f"{key}.target_{side}", target, reason, f"use the {side} of the translations")


def _check_encoder(model: ModelConfig) -> Iterator[Problem]:
    encoder, key = model.encoder, "model.encoder"
    if not isinstance(encoder, LSTMEncoderConfig):
        yield from _check_sinusoids(model.embedding.width, encoder.positions)
    if isinstance(encoder, ConvEncoderConfig):
        yield from _check_kernel(f"{key}.kernel", encoder.kernel)
    if encoder.gates is not None and encoder.gates.channel is not None:
        reduction, states = encoder.gates.channel.reduction, model.source_width
        if states % reduction:
            reason = f"does not divide the width of the encoder's states, which is {states}"
            hint = f"use {nearest_divisor(states, reduction)}"
            yield Problem(f"{key}.gates.channel.reduction", reduction, reason, hint)
    if encoder.gates is not None and encoder.gates.spatial is not None:
        yield from _check_kernel(f"{key}.gates.spatial.kernel", encoder.gates.spatial.kernel)


def _check_decoder(model: ModelConfig) -> Iterator[Problem]:
    decoder = model.decoder
    if not isinstance(decoder, TransformerDecoderConfig):
        if model.variational_dropout and decoder.layers > 1 and decoder.type != "gnmt":
            reason = f"cannot reach between the {decoder.layers} layers of the {decoder.type} decoder"
            yield Problem("model.variational_dropout", "true", reason, "use the gnmt decoder, or one layer")
        return
    yield from _check_sinusoids(model.embedding.width, decoder.positions)
    if decoder.attention.latent is not None and isinstance(model.encoder, ConvEncoderConfig):
        reason = "makes keys and values of the same vector, but the conv encoder gives different ones"
        yield Problem("model.decoder.attention.latent", "set", reason, "use another encoder, or leave out latent")


def _check_location(data: DataConfig, model: ModelConfig) -> Iterator[Problem]:
    for key, attention in model.attentions():
        longest = attention.score.longest_source
        if longest is not None and longest < data.max_length:
            reason = f"is less than data.max_length, which is {data.max_length}: a longer source has no score"
            hint = f"use {data.max_length}, or set data.max_length to {longest}"
            yield Problem(f"{key}.score.max_source", longest, reason, hint)


def _check_sinusoids(width: int, positions: str) -> Iterator[Problem]:
    if positions == "sinusoidal" and width % 2:
        yield Problem("model.embedding.width", width, "must be even for sinusoidal positions", f"use {width + 1}")


def _check_kernel(key: str, kernel: int) -> Iterator[Problem]:
    if kernel % 2 == 0:
        yield Problem(key, kernel, "must be odd: as many words before as after", f"use {kernel + 1}")


def _check_r_drop(model: ModelConfig, training: TrainingConfig) -> Iterator[Problem]:
    for key, attention in model.attentions():
        kind = attention.aggregation.type
        if training.r_drop is not None and kind in ("reinforce", "marginal", "elbo"):
            reason = f"compares two predictions of each token, but {key}.aggregation is {kind}, which makes several"
            yield Problem("training.r_drop", training.r_drop, reason, "use null, or aggregation: gumbel")


def _check_training(data: DataConfig, training: TrainingConfig) -> Iterator[Problem]:
    if training.batch_tokens < data.max_length:
        yield Problem(
            "training.batch_tokens",
            training.batch_tokens,
            f"is less than data.max_length, which is {data.max_length}: one pair might not fit in a batch",
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
