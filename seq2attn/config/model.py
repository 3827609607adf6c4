"""The config's model section: embedding, encoder, decoder and, between them, an attention."""

from collections.abc import Iterator
from typing import Annotated, Literal, assert_never

from pydantic import Field

from seq2attn.config.attention import (
    AttentionConfig,
    BahdanauAttentionConfig,
    CausalAttentionConfig,
    LuongAttentionConfig,
    TransformerAttentionConfig,
)
from seq2attn.config.section import Count, Depth, Probability, Section, Variant

# ---- encoders


class ChannelGateConfig(Section):
    """A gate for each feature, from the mean over the sentence (Hu et al. 2018)."""

    reduction: Count = Field(default=16, description="The gate's hidden layer is narrower by this factor")


class SpatialGateConfig(Section):
    """A gate for each position, from its mean and largest feature and its neighbours' (Woo et al. 2018)."""

    kernel: Count = Field(default=7, description="Positions that a gate sees; odd")


class GatesConfig(Section):
    """Gates on the encoder's states: features first, then positions."""

    channel: ChannelGateConfig | None = Field(default=None, description="Gate features; null: do not")
    spatial: SpatialGateConfig | None = Field(default=None, description="Gate positions; null: do not")


_GATES = "Gates on the states; null: none"


_LAYER_NORM = "Normalize gates and cells (Ba et al. 2016); slower, since no fused LSTM has it"


class LSTMEncoderConfig(Section):
    """An LSTM over the source, in one direction or both."""

    type: Literal["lstm"] = "lstm"
    width: Count = Field(default=256, description="Units of each layer and direction")
    layers: Depth = Field(default=1, description="Number of layers")
    bidirectional: bool = Field(default=True, description="Read from both ends; states are then 2 × width wide")
    reverse_source: bool = Field(default=False, description="Feed the source last word first (Sutskever et al. 2014)")
    residual: bool = Field(
        default=False, description="Each layer above the first adds what it has read (Wu et al. 2016)"
    )
    layer_norm: bool = Field(default=False, description=_LAYER_NORM)
    gates: GatesConfig | None = Field(default=None, description=_GATES)


Norm = Literal["pre", "post"]
Positions = Literal["sinusoidal", "learned", "none"]
SelfPositions = Literal["sinusoidal", "learned", "rotary", "none"]  # rotary: only self-attention knows positions


class TransformerEncoderConfig(Section):
    """A Transformer's encoder (Vaswani et al. 2017), as wide as the embedding."""

    type: Literal["transformer"] = "transformer"
    layers: Depth = Field(default=3, description="Number of layers")
    feedforward: Count = Field(default=1024, description="Hidden units of the position-wise network")
    norm: Norm = Field(default="pre", description="Layer normalization before or after each sublayer")
    positions: SelfPositions = Field(default="sinusoidal", description="How the model knows the order of the words")
    self_attention: TransformerAttentionConfig = Field(
        default=TransformerAttentionConfig(), description="Attention of the source over itself"
    )
    gates: GatesConfig | None = Field(default=None, description=_GATES)


class ConvEncoderConfig(Section):
    """Gated convolutions over the source (Gehring et al. 2017), as wide as the embedding."""

    type: Literal["conv"] = "conv"
    layers: Depth = Field(default=6, description="Number of layers")
    kernel: Count = Field(default=3, description="Words that a layer sees at once; odd")
    positions: Positions = Field(default="sinusoidal", description="How the model knows the order of the words")
    gates: GatesConfig | None = Field(default=None, description=_GATES)


EncoderConfig = LSTMEncoderConfig | TransformerEncoderConfig | ConvEncoderConfig
EncoderSection = Annotated[EncoderConfig, Field(discriminator="type"), Variant()]


# ---- decoders


class LSTMDecoderConfig(Section):
    """An LSTM that knows the source only through one fixed vector: no attention."""

    type: Literal["lstm"] = "lstm"
    width: Count = Field(default=512, description="Units of each layer")
    layers: Depth = Field(default=1, description="Number of layers")
    layer_norm: bool = Field(default=False, description=_LAYER_NORM)
    bottleneck: Count = Field(default=256, description="Width of the fixed vector")
    vector: Literal["initial", "every_step"] = Field(
        default="initial", description="Give the vector as initial state only, or at every step too"
    )


class BahdanauDecoderConfig(Section):
    """An LSTM that attends with its previous state, before the step (Bahdanau et al. 2015)."""

    type: Literal["bahdanau"] = "bahdanau"
    width: Count = Field(default=512, description="Units of each layer")
    layers: Depth = Field(default=1, description="Number of layers")
    layer_norm: bool = Field(default=False, description=_LAYER_NORM)
    attention: BahdanauAttentionConfig = Field(
        default=BahdanauAttentionConfig(), description="Attention over the source"
    )


class LuongDecoderConfig(Section):
    """An LSTM that attends with its new state, after the step (Luong et al. 2015)."""

    type: Literal["luong"] = "luong"
    width: Count = Field(default=512, description="Units of each layer")
    layers: Depth = Field(default=1, description="Number of layers")
    layer_norm: bool = Field(default=False, description=_LAYER_NORM)
    input_feeding: bool = Field(default=True, description="Give the attentional state to the next step")
    attention: LuongAttentionConfig = Field(default=LuongAttentionConfig(), description="Attention over the source")


class GnmtDecoderConfig(Section):
    """A deep LSTM whose first layer alone asks the attention; what it answers goes to all layers above (Wu et al. 2016)."""

    type: Literal["gnmt"] = "gnmt"
    width: Count = Field(default=512, description="Units of each layer")
    layers: Annotated[Depth, Field(ge=2)] = Field(default=2, description="Number of layers; at least 2")
    residual: bool = Field(default=True, description="Each layer above the first adds what the one below it gave")
    layer_norm: bool = Field(default=False, description=_LAYER_NORM)
    attention: BahdanauAttentionConfig = Field(
        default=BahdanauAttentionConfig(), description="Attention over the source"
    )


class TransformerDecoderConfig(Section):
    """A Transformer's decoder (Vaswani et al. 2017), as wide as the embedding."""

    type: Literal["transformer"] = "transformer"
    layers: Depth = Field(default=3, description="Number of layers")
    feedforward: Count = Field(default=1024, description="Hidden units of the position-wise network")
    norm: Norm = Field(default="pre", description="Layer normalization before or after each sublayer")
    positions: SelfPositions = Field(default="sinusoidal", description="How the model knows the order of the words")
    attention: TransformerAttentionConfig = Field(
        default=TransformerAttentionConfig(), description="Attention over the source"
    )
    self_attention: CausalAttentionConfig = Field(
        default=CausalAttentionConfig(), description="Attention over what is already written"
    )


DecoderConfig = (
    LSTMDecoderConfig | BahdanauDecoderConfig | LuongDecoderConfig | GnmtDecoderConfig | TransformerDecoderConfig
)
DecoderSection = Annotated[DecoderConfig, Field(discriminator="type"), Variant()]


# ---- the model


class EmbeddingConfig(Section):
    """Vectors of the subwords."""

    width: Count = Field(default=256, description="Width of the vectors")
    tied: Literal["none", "two_way", "three_way"] = Field(
        default="two_way",
        description="Shared tables: none; two_way: decoder embedding and output projection; three_way: encoder embedding too",
    )


class ModelConfig(Section):
    """What is compared: encoder, decoder and attention."""

    embedding: EmbeddingConfig = Field(default=EmbeddingConfig(), description="Vectors of the subwords")
    dropout: Probability = Field(default=0.1, description="Share of units dropped in training, wherever dropout acts")
    variational_dropout: bool = Field(
        default=False, description="Drop the same units at all steps of a sentence (Gal & Ghahramani 2016)"
    )
    word_dropout: Probability = Field(
        default=0.0, description="Share of the source's and the target's words left out of what is read in training"
    )
    encoder: EncoderSection = Field(description="What reads the source", examples=["lstm"])
    decoder: DecoderSection = Field(description="What writes the target", examples=["luong"])

    @property
    def source_width(self) -> int:
        """Width of the states that a decoder attends to."""
        if isinstance(self.encoder, LSTMEncoderConfig):
            return self.encoder.width * (2 if self.encoder.bidirectional else 1)
        return self.embedding.width

    def attentions(self) -> Iterator[tuple[str, AttentionConfig]]:
        """Every attention of the model: its dotted key, such as "model.decoder.attention", and its section."""
        encoder, decoder = self.encoder, self.decoder
        match encoder:
            case TransformerEncoderConfig():
                yield "model.encoder.self_attention", encoder.self_attention
            case LSTMEncoderConfig() | ConvEncoderConfig():
                pass
            case _:
                assert_never(encoder)
        match decoder:
            case TransformerDecoderConfig():
                yield "model.decoder.self_attention", decoder.self_attention
                yield "model.decoder.attention", decoder.attention
            case BahdanauDecoderConfig() | LuongDecoderConfig() | GnmtDecoderConfig():
                yield "model.decoder.attention", decoder.attention
            case LSTMDecoderConfig():
                pass
            case _:
                assert_never(decoder)
