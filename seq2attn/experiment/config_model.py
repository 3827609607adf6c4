"""The config's model section: embedding, encoder, decoder and, between them, an attention."""

from typing import Annotated, Literal

from pydantic import Field

from seq2attn.experiment.section import Count, Probability, Section, Variant

# ---- attention: score → span → normalizer


class DotConfig(Section):
    """q · k (Luong et al. 2015, eq. 8)."""

    type: Literal["dot"] = "dot"


class ScaledDotConfig(Section):
    """q · k / √width (Vaswani et al. 2017, eq. 1)."""

    type: Literal["scaled_dot"] = "scaled_dot"


class GeneralConfig(Section):
    """q · W k (Luong et al. 2015, eq. 8)."""

    type: Literal["general"] = "general"


class AdditiveConfig(Section):
    """v · tanh(W q + U k) (Bahdanau et al. 2015, appendix A.1.2), Luong's concat."""

    type: Literal["additive"] = "additive"
    width: Count | None = Field(default=None, description="Hidden units of the score; null: the decoder's width")


ScoreConfig = DotConfig | ScaledDotConfig | GeneralConfig | AdditiveConfig
_CONCAT = {"concat": "additive"}  # Luong's name for it
ScoreSection = Annotated[ScoreConfig, Field(discriminator="type"), Variant(other_names=_CONCAT)]
AdditiveByDefault = Annotated[ScoreConfig, Field(discriminator="type"), Variant("additive", _CONCAT)]
GeneralByDefault = Annotated[ScoreConfig, Field(discriminator="type"), Variant("general", _CONCAT)]
ScaledDotByDefault = Annotated[ScoreConfig, Field(discriminator="type"), Variant("scaled_dot", _CONCAT)]


class GlobalConfig(Section):
    """Every position of the sentence."""

    type: Literal["global"] = "global"


class CausalConfig(Section):
    """Only this position and those before it; always and only in a decoder's self-attention."""

    type: Literal["causal"] = "causal"


SpanConfig = GlobalConfig | CausalConfig
SpanSection = Annotated[SpanConfig, Field(discriminator="type"), Variant()]


class SoftmaxConfig(Section):
    """exp(score) / Σ exp(score)."""

    type: Literal["softmax"] = "softmax"


NormalizerConfig = SoftmaxConfig
NormalizerSection = Annotated[NormalizerConfig, Variant(default="softmax")]


class AttentionConfig(Section):
    """Where a query looks: a score, the positions it may see, and what makes weights of the scores."""

    score: ScoreSection = Field(description="How well a query and a key fit")
    span: SpanSection = Field(default=GlobalConfig(), description="Positions that may be seen")
    normalizer: NormalizerSection = Field(default=SoftmaxConfig(), description="What makes weights of the scores")
    heads: Count | None = Field(default=None, description="Heads, each with projections of its own; null: one, without")
    dropout: Probability = Field(default=0.0, description="Share of the weights dropped in training")


class BahdanauAttentionConfig(AttentionConfig):
    """Attention of the bahdanau decoder."""

    score: AdditiveByDefault = Field(default=AdditiveConfig(), description="How well a query and a key fit")


class LuongAttentionConfig(AttentionConfig):
    """Attention of the luong decoder."""

    score: GeneralByDefault = Field(default=GeneralConfig(), description="How well a query and a key fit")


class TransformerAttentionConfig(AttentionConfig):
    """A Transformer's attention over the source, or its encoder's over itself."""

    score: ScaledDotByDefault = Field(default=ScaledDotConfig(), description="How well a query and a key fit")
    heads: Count | None = Field(default=4, description="Heads, each with projections of its own; null: one, without")


class CausalAttentionConfig(TransformerAttentionConfig):
    """A Transformer decoder's attention over what it has written."""

    span: SpanSection = Field(default=CausalConfig(), description="Positions that may be seen: causal")


# ---- encoders


class LSTMEncoderConfig(Section):
    """An LSTM over the source, in one direction or both."""

    type: Literal["lstm"] = "lstm"
    width: Count = Field(default=256, description="Units of each layer and direction")
    layers: Count = Field(default=1, description="Layers")
    bidirectional: bool = Field(default=True, description="Read from both ends; states are then 2 × width wide")
    reverse_source: bool = Field(default=False, description="Feed the source last word first (Sutskever et al. 2014)")


Norm = Literal["pre", "post"]
Positions = Literal["sinusoidal", "learned", "none"]


class TransformerEncoderConfig(Section):
    """A Transformer's encoder (Vaswani et al. 2017), as wide as the embedding."""

    type: Literal["transformer"] = "transformer"
    layers: Count = Field(default=3, description="Layers")
    feedforward: Count = Field(default=1024, description="Hidden units of the position-wise network")
    norm: Norm = Field(default="pre", description="Layer normalization before or after each sublayer")
    positions: Positions = Field(default="sinusoidal", description="How a position is told from another")
    self_attention: TransformerAttentionConfig = Field(
        default=TransformerAttentionConfig(), description="Attention of the source over itself"
    )


EncoderConfig = LSTMEncoderConfig | TransformerEncoderConfig
EncoderSection = Annotated[EncoderConfig, Field(discriminator="type"), Variant()]


# ---- decoders


class LSTMDecoderConfig(Section):
    """An LSTM that knows the source only through one fixed vector: no attention."""

    type: Literal["lstm"] = "lstm"
    width: Count = Field(default=512, description="Units of each layer")
    layers: Count = Field(default=1, description="Layers")
    bottleneck: Count = Field(default=256, description="Width of the fixed vector")
    vector: Literal["initial", "every_step"] = Field(
        default="initial", description="Give the vector as initial state only, or at every step too"
    )


class BahdanauDecoderConfig(Section):
    """An LSTM that attends with its previous state, before the step (Bahdanau et al. 2015)."""

    type: Literal["bahdanau"] = "bahdanau"
    width: Count = Field(default=512, description="Units of each layer")
    layers: Count = Field(default=1, description="Layers")
    attention: BahdanauAttentionConfig = Field(
        default=BahdanauAttentionConfig(), description="Attention over the source"
    )


class LuongDecoderConfig(Section):
    """An LSTM that attends with its new state, after the step (Luong et al. 2015)."""

    type: Literal["luong"] = "luong"
    width: Count = Field(default=512, description="Units of each layer")
    layers: Count = Field(default=1, description="Layers")
    input_feeding: bool = Field(default=True, description="Give the attentional state to the next step")
    attention: LuongAttentionConfig = Field(default=LuongAttentionConfig(), description="Attention over the source")


class TransformerDecoderConfig(Section):
    """A Transformer's decoder (Vaswani et al. 2017), as wide as the embedding."""

    type: Literal["transformer"] = "transformer"
    layers: Count = Field(default=3, description="Layers")
    feedforward: Count = Field(default=1024, description="Hidden units of the position-wise network")
    norm: Norm = Field(default="pre", description="Layer normalization before or after each sublayer")
    positions: Positions = Field(default="sinusoidal", description="How a position is told from another")
    attention: TransformerAttentionConfig = Field(
        default=TransformerAttentionConfig(), description="Attention over the source"
    )
    self_attention: CausalAttentionConfig = Field(
        default=CausalAttentionConfig(), description="Attention over what is already written"
    )


DecoderConfig = LSTMDecoderConfig | BahdanauDecoderConfig | LuongDecoderConfig | TransformerDecoderConfig
DecoderSection = Annotated[DecoderConfig, Field(discriminator="type"), Variant()]


# ---- the model


class EmbeddingConfig(Section):
    """Vectors of the subwords."""

    width: Count = Field(default=256, description="Width of the vectors")
    tied: Literal["none", "two_way", "three_way"] = Field(
        default="two_way",
        description="two_way: decoder embedding = output projection; three_way: = encoder embedding (joint only)",
    )


class ModelConfig(Section):
    """What is compared: encoder, decoder and attention."""

    embedding: EmbeddingConfig = Field(default=EmbeddingConfig(), description="Vectors of the subwords")
    dropout: Probability = Field(default=0.1, description="Share of units dropped in training, wherever dropout acts")
    encoder: EncoderSection = Field(description="What reads the source")
    decoder: DecoderSection = Field(description="What writes the target")

    @property
    def source_width(self) -> int:
        """Width of the states that a decoder attends to."""
        if isinstance(self.encoder, LSTMEncoderConfig):
            return self.encoder.width * (2 if self.encoder.bidirectional else 1)
        return self.embedding.width
