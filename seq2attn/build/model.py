"""From the config's model section to a network."""

from functools import partial
from typing import Literal, assert_never

from torch import nn

from seq2attn.attention import AttentionModule, SelfAttention
from seq2attn.build.attention import build_attention
from seq2attn.config import model as cm
from seq2attn.config.config import Config
from seq2attn.data.tokenizer import Tokenizer
from seq2attn.models.bahdanau_decoder import BahdanauDecoder
from seq2attn.models.conv_encoder import ConvEncoder
from seq2attn.models.dropout import Dropout
from seq2attn.models.embedding import Embedding, Learned, Sinusoidal, token_embedding
from seq2attn.models.gates import ChannelGate, Gated, SpatialGate
from seq2attn.models.gnmt_decoder import GnmtDecoder
from seq2attn.models.lstm_decoder import LstmDecoder
from seq2attn.models.lstm_encoder import LstmEncoder
from seq2attn.models.luong_decoder import LuongDecoder
from seq2attn.models.seq2seq import Decoder, Encoder, Seq2Seq
from seq2attn.models.transformer_decoder import TransformerDecoder
from seq2attn.models.transformer_encoder import TransformerEncoder


def build_network(config: Config, tokenizer: Tokenizer) -> Seq2Seq:
    """The network of a config for a vocabulary, with fresh weights, drawn from PyTorch's generator."""
    return build_seq2seq(
        config.model,
        source_size=tokenizer.source_size,
        target_size=tokenizer.target_size,
        max_length=config.data.max_length,
    )


def build_seq2seq(model: cm.ModelConfig, *, source_size: int, target_size: int, max_length: int) -> Seq2Seq:
    """The network of a model section, with fresh weights, drawn from PyTorch's generator.

    `source_size` and `target_size` are the vocabularies' numbers of subwords, `max_length` the longest sentence in subwords
    that learned positions reach.
    """
    width, tied = model.embedding.width, model.embedding.tied
    target = token_embedding(target_size, width)
    source = target if tied == "three_way" else token_embedding(source_size, width)
    encoder = _encoder(model, source, max_length)
    decoder = _decoder(model, target, max_length, encoder.width, encoder.final_width)
    output = target if tied != "none" else token_embedding(target_size, width)
    network = Seq2Seq(encoder=encoder, decoder=decoder, output=output)
    for module in network.modules():
        if isinstance(module, Dropout):
            module.variational = model.variational_dropout
    return network


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
    embed = partial(Embedding, table, dropout=dropout, word_dropout=model.word_dropout)
    match section:
        case cm.LSTMEncoderConfig():
            return LstmEncoder(
                embed(),
                width=section.width,
                layers=section.layers,
                bidirectional=section.bidirectional,
                reverse_source=section.reverse_source,
                dropout=dropout,
                residual=section.residual,
                layer_norm=section.layer_norm,
            )
        case cm.TransformerEncoderConfig():
            positions = _positions(section.positions, width, max_length)
            return TransformerEncoder(
                embed(positions=positions),
                attentions=_self_attentions(section, "encoder", width),
                feedforward=section.feedforward,
                pre=section.norm == "pre",
                dropout=dropout,
            )
        case cm.ConvEncoderConfig():
            positions = _positions(section.positions, width, max_length)
            return ConvEncoder(
                embed(positions=positions),
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
    embed = partial(Embedding, table, dropout=dropout, word_dropout=model.word_dropout)
    attend = partial(build_attention, over="source", key_width=source_width)
    match section:
        case cm.LSTMDecoderConfig():
            return LstmDecoder(
                embed(),
                final_width=final_width,
                bottleneck=section.bottleneck,
                width=section.width,
                layers=section.layers,
                every_step=section.vector == "every_step",
                dropout=dropout,
                layer_norm=section.layer_norm,
            )
        case cm.BahdanauDecoderConfig():
            return BahdanauDecoder(
                embed(),
                attention=attend(section.attention, query_width=section.width),
                final_width=final_width,
                width=section.width,
                layers=section.layers,
                dropout=dropout,
                layer_norm=section.layer_norm,
            )
        case cm.LuongDecoderConfig():
            return LuongDecoder(
                embed(),
                attention=attend(section.attention, query_width=section.width),
                final_width=final_width,
                width=section.width,
                layers=section.layers,
                input_feeding=section.input_feeding,
                sentinel=section.attention.sentinel,
                dropout=dropout,
                layer_norm=section.layer_norm,
            )
        case cm.GnmtDecoderConfig():
            return GnmtDecoder(
                embed(),
                attention=attend(section.attention, query_width=section.width),
                final_width=final_width,
                width=section.width,
                layers=section.layers,
                residual=section.residual,
                layer_norm=section.layer_norm,
                dropout=dropout,
            )
        case cm.TransformerDecoderConfig():
            positions = _positions(section.positions, width, max_length)
            over_target = _self_attentions(section, "decoder", width)
            assert all(isinstance(attention, SelfAttention) for attention in over_target)  # the rules refuse all others
            return TransformerDecoder(
                embed(positions=positions),
                self_attentions=over_target,  # type: ignore[arg-type]
                attentions=[attend(section.attention, query_width=width) for _ in range(section.layers)],
                feedforward=section.feedforward,
                pre=section.norm == "pre",
                dropout=dropout,
            )
        case _:
            assert_never(section)


def _self_attentions(
    section: cm.TransformerEncoderConfig | cm.TransformerDecoderConfig, over: Literal["encoder", "decoder"], width: int
) -> list[AttentionModule]:
    """The attention of each layer to its own sequence."""
    rotary = section.positions == "rotary"
    return [
        build_attention(section.self_attention, over=over, query_width=width, key_width=width, rotary=rotary)
        for _ in range(section.layers)
    ]
