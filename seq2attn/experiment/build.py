"""From config to objects: every choice that a config names is made here, and nowhere else."""

from collections.abc import Iterator
from typing import Literal, assert_never

import torch
from torch import nn

from seq2attn.data.sources import JsonLines, Source, TextFiles, Tsv
from seq2attn.data.sources_grammar import GrammarSplit
from seq2attn.data.sources_huggingface import HuggingFace
from seq2attn.experiment import config as c
from seq2attn.experiment import config_data as cd
from seq2attn.experiment import config_model as cm
from seq2attn.experiment import config_training as ct
from seq2attn.experiment.build_attention import attention
from seq2attn.models.bahdanau_decoder import BahdanauDecoder
from seq2attn.models.conv_encoder import ConvEncoder
from seq2attn.models.embedding import Embedding, Learned, Sinusoidal, token_embedding
from seq2attn.models.gates import ChannelGate, Gated, SpatialGate
from seq2attn.models.lstm_decoder import LstmDecoder
from seq2attn.models.lstm_encoder import LstmEncoder
from seq2attn.models.luong_decoder import LuongDecoder
from seq2attn.models.seq2seq import Decoder, Encoder, Seq2Seq
from seq2attn.models.transformer_decoder import TransformerDecoder
from seq2attn.models.transformer_encoder import TransformerEncoder
from seq2attn.training.schedule import Plateau, Schedule, constant, cosine, inverse_sqrt

Role = Literal["train", "validation", "test"]

# ---- data


def source(section: cd.SourceConfig, role: Role, data: cd.DataConfig) -> Source:
    """Where the pairs of `role` (train, validation, test) come from."""
    match section:
        case cd.TextConfig():
            return TextFiles(section.prefix, data.source, data.target)
        case cd.TsvConfig():
            return Tsv(section.path, section.source_column, section.target_column)
        case cd.JsonLinesConfig():
            return JsonLines(section.path, section.source_field, section.target_field)
        case cd.HuggingFaceConfig():
            return HuggingFace(
                section.path,
                section.config,
                section.split,
                section.revision,
                section.source_field,
                section.target_field,
            )
        case cd.GrammarConfig():
            return GrammarSplit(role, section.pairs, section.max_words, section.seed, section.shares)
        case _:
            assert_never(section)


def test_source(config: c.Config) -> Source | None:
    """The config's test set, if it names one."""
    return None if config.data.test is None else source(config.data.test, "test", config.data)


# ---- the model


def seq2seq(model: cm.ModelConfig, *, source_size: int, target_size: int, max_length: int) -> Seq2Seq:
    """The whole model with fresh weights, drawn from PyTorch's generator."""
    width, tied = model.embedding.width, model.embedding.tied
    target = token_embedding(target_size, width)
    source = target if tied == "three_way" else token_embedding(source_size, width)
    encoder = _encoder(model, source, max_length)
    decoder = _decoder(model, target, max_length, encoder.width, encoder.final_width)
    output = target if tied != "none" else token_embedding(target_size, width)
    return Seq2Seq(encoder=encoder, decoder=decoder, output=output)


def _positions(kind: cm.SelfPositions, width: int, max_length: int) -> nn.Module | None:
    match kind:
        case "sinusoidal":
            return Sinusoidal(width)
        case "learned":
            return Learned(width, max_length)
        case "rotary" | "none":  # rotary positions are the self-attention's own
            return None
        case _:
            assert_never(kind)


def _encoder(model: cm.ModelConfig, table: nn.Embedding, max_length: int) -> Encoder:
    encoder, gates = _plain_encoder(model, table, max_length), model.encoder.gates
    if gates is None:
        return encoder
    channel, spatial = gates.channel, gates.spatial
    chosen = [
        *([] if channel is None else [ChannelGate(encoder.width, channel.reduction)]),
        *([] if spatial is None else [SpatialGate(spatial.kernel)]),
    ]
    return Gated(encoder, chosen)


def _plain_encoder(model: cm.ModelConfig, table: nn.Embedding, max_length: int) -> Encoder:
    section, dropout, width = model.encoder, model.dropout, model.embedding.width
    match section:
        case cm.LSTMEncoderConfig():
            return LstmEncoder(
                Embedding(table, dropout=dropout),
                width=section.width,
                layers=section.layers,
                bidirectional=section.bidirectional,
                reverse_source=section.reverse_source,
                dropout=dropout,
            )
        case cm.TransformerEncoderConfig():
            positions = _positions(section.positions, width, max_length)
            return TransformerEncoder(
                Embedding(table, dropout=dropout, positions=positions),
                attentions=[
                    attention(
                        section.self_attention,
                        over="encoder",
                        query_width=width,
                        key_width=width,
                        rotary=section.positions == "rotary",
                    )
                    for _ in range(section.layers)
                ],
                feedforward=section.feedforward,
                pre=section.norm == "pre",
                dropout=dropout,
            )
        case cm.ConvEncoderConfig():
            positions = _positions(section.positions, width, max_length)
            return ConvEncoder(
                Embedding(table, dropout=dropout, positions=positions),
                layers=section.layers,
                kernel=section.kernel,
                dropout=dropout,
            )
        case _:
            assert_never(section)


def _decoder(
    model: cm.ModelConfig, table: nn.Embedding, max_length: int, source_width: int, final_width: int
) -> Decoder:
    section, dropout, width = model.decoder, model.dropout, model.embedding.width
    match section:
        case cm.LSTMDecoderConfig():
            return LstmDecoder(
                Embedding(table, dropout=dropout),
                final_width=final_width,
                bottleneck=section.bottleneck,
                width=section.width,
                layers=section.layers,
                every_step=section.vector == "every_step",
                dropout=dropout,
            )
        case cm.BahdanauDecoderConfig():
            return BahdanauDecoder(
                Embedding(table, dropout=dropout),
                attention=attention(
                    section.attention, over="source", query_width=section.width, key_width=source_width
                ),
                final_width=final_width,
                width=section.width,
                layers=section.layers,
                dropout=dropout,
            )
        case cm.LuongDecoderConfig():
            return LuongDecoder(
                Embedding(table, dropout=dropout),
                attention=attention(
                    section.attention, over="source", query_width=section.width, key_width=source_width
                ),
                final_width=final_width,
                width=section.width,
                layers=section.layers,
                input_feeding=section.input_feeding,
                sentinel=section.attention.sentinel,
                dropout=dropout,
            )
        case cm.TransformerDecoderConfig():
            positions = _positions(section.positions, width, max_length)
            return TransformerDecoder(
                Embedding(table, dropout=dropout, positions=positions),
                self_attentions=[
                    attention(
                        section.self_attention,
                        over="decoder",
                        query_width=width,
                        key_width=width,
                        rotary=section.positions == "rotary",
                    )
                    for _ in range(section.layers)
                ],
                attentions=[
                    attention(section.attention, over="source", query_width=width, key_width=source_width)
                    for _ in range(section.layers)
                ],
                feedforward=section.feedforward,
                pre=section.norm == "pre",
                dropout=dropout,
            )
        case _:
            assert_never(section)


# ---- training


def optimizer(section: ct.OptimizerConfig, model: nn.Module) -> torch.optim.Optimizer:
    """The optimizer; weight decay acts on matrices, not on biases and norms."""
    match section:
        case ct.AdamWConfig():
            groups = [
                {"params": list(_parameters(model, matrices=True)), "weight_decay": section.weight_decay},
                {"params": list(_parameters(model, matrices=False)), "weight_decay": 0.0},
            ]
            return torch.optim.AdamW(groups, section.learning_rate, section.betas, fused=True)
        case ct.AdamConfig():
            return torch.optim.Adam(model.parameters(), section.learning_rate, section.betas, fused=True)
        case ct.SGDConfig():
            return torch.optim.SGD(model.parameters(), section.learning_rate, section.momentum, fused=True)
        case _:
            assert_never(section)


def _parameters(model: nn.Module, *, matrices: bool) -> Iterator[nn.Parameter]:
    return (parameter for parameter in model.parameters() if (parameter.dim() > 1) == matrices)


def schedule(training: ct.TrainingConfig) -> Schedule | Plateau:
    """The learning rate of every update."""
    section, peak = training.schedule, training.optimizer.learning_rate
    match section:
        case ct.InverseSqrtConfig():
            return Schedule(inverse_sqrt(peak, section.warmup))
        case ct.CosineConfig():
            return Schedule(cosine(peak, section.warmup, training.max_updates, section.final))
        case ct.PlateauConfig():
            return Plateau(
                peak, warmup=section.warmup, factor=section.factor, patience=section.patience, metric=section.metric
            )
        case ct.ConstantConfig():
            return Schedule(constant(peak, section.warmup))
        case _:
            assert_never(section)
