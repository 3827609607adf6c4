"""The config's attention sections: score → span → normalizer → aggregation, and what may stand around them."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from seq2attn.config.section import Count, Depth, Positive, Probability, Reach, Section, Variant

# ---- scores


Reads = Literal["content", "position", "nothing"]


class BaseScoreConfig(Section):
    """What the rules ask of a score's section.

    `maps_widths`: queries and keys may differ in width. `is_dot_product`: the score may be used with rotary positions.
    `reads`: what of a source position decides its score. The defaults are the safe ones: a new score that needs equal
    widths, and says nothing about that, is refused where the widths differ.
    """

    maps_widths: ClassVar[bool] = False
    is_dot_product: ClassVar[bool] = False
    reads: ClassVar[Reads] = "content"

    @property
    def longest_source(self) -> int | None:
        """The most source positions that have a score; None: any number."""
        return None


class DotConfig(BaseScoreConfig):
    """q · k (Luong et al. 2015, eq. 8)."""

    is_dot_product: ClassVar[bool] = True
    type: Literal["dot"] = "dot"


class ScaledDotConfig(BaseScoreConfig):
    """q · k × scale (Vaswani et al. 2017, eq. 1)."""

    is_dot_product: ClassVar[bool] = True
    type: Literal["scaled_dot"] = "scaled_dot"
    scale: Literal["auto", "learned"] | Positive = Field(
        default="auto", description="auto: 1/√width of a head; learned: a weight that starts there; or a number"
    )


class GeneralConfig(BaseScoreConfig):
    """q · W k × scale (Luong et al. 2015, eq. 8)."""

    maps_widths: ClassVar[bool] = True
    type: Literal["general"] = "general"
    scale: Literal["auto"] | Positive = Field(
        default=1.0,
        description="1: Luong's; auto: 1/√width of the query, with which Adam learns sooner where to attend",
    )


class AdditiveConfig(BaseScoreConfig):
    """v · tanh(W q + U k) (Bahdanau et al. 2015, appendix A.1.2), Luong's concat."""

    maps_widths: ClassVar[bool] = True
    type: Literal["additive"] = "additive"
    width: Count | None = Field(default=None, description="Hidden units of the score; null: the queries' width")


class LocationConfig(BaseScoreConfig):
    """W q: a score for each position, whatever word is there (Luong et al. 2015, eq. 8)."""

    maps_widths: ClassVar[bool] = True
    reads: ClassVar[Reads] = "position"
    type: Literal["location"] = "location"
    max_source: Count = Field(default=256, description="Positions that have a score")

    @property
    def longest_source(self) -> int:
        """`max_source`."""
        return self.max_source


class UniformConfig(BaseScoreConfig):
    """0: every position weighs the same. The control for all others."""

    maps_widths: ClassVar[bool] = True
    reads: ClassVar[Reads] = "nothing"
    type: Literal["uniform"] = "uniform"


ScoreConfig = DotConfig | ScaledDotConfig | GeneralConfig | AdditiveConfig | LocationConfig | UniformConfig
_CONCAT = {"concat": "additive"}  # Luong's name for it
ScoreSection = Annotated[ScoreConfig, Field(discriminator="type"), Variant(other_names=_CONCAT)]
AdditiveByDefault = Annotated[ScoreConfig, Field(discriminator="type"), Variant("additive", _CONCAT)]
GeneralByDefault = Annotated[ScoreConfig, Field(discriminator="type"), Variant("general", _CONCAT)]
ScaledDotByDefault = Annotated[ScoreConfig, Field(discriminator="type"), Variant("scaled_dot", _CONCAT)]

# ---- spans

_GATHERED = "Compute only the scores that the span allows, instead of all"


class GlobalConfig(Section):
    """Every position of the sentence."""

    type: Literal["global"] = "global"


class CausalConfig(Section):
    """Only this position and those before it; in a decoder's self-attention."""

    type: Literal["causal"] = "causal"


class WindowConfig(Section):
    """Positions near the query's own, in self-attention; in a decoder only earlier ones."""

    type: Literal["window"] = "window"
    radius: Reach = Field(default=8, description="Farthest position that is seen")
    gathered: bool = Field(default=False, description=_GATHERED)


class StridedConfig(Section):
    """The nearest positions and every stride-th, in self-attention (Child et al. 2019)."""

    type: Literal["strided"] = "strided"
    stride: Reach = Field(
        default=8, description="Distance between the far positions; best near √length of the usual sentence"
    )
    gathered: bool = Field(default=False, description=_GATHERED)


class LocalMonotonicConfig(Section):
    """A window of the source that moves one word each step: local-m (Luong et al. 2015, §3.2)."""

    type: Literal["local_monotonic"] = "local_monotonic"
    window: Reach = Field(default=10, description="Farthest position from the middle that is seen: Luong's D")
    gaussian: bool = Field(default=False, description="Weigh positions by a Gaussian around the middle")
    gathered: bool = Field(default=False, description=_GATHERED)


class LocalPredictiveConfig(Section):
    """A window of the source around a position predicted from the decoder's state: local-p (Luong et al. 2015, §3.2)."""

    type: Literal["local_predictive"] = "local_predictive"
    window: Reach = Field(default=10, description="Farthest position from the middle that is seen: Luong's D")
    gaussian: bool = Field(default=True, description="Weigh positions by a Gaussian around the middle")
    gathered: bool = Field(default=False, description=_GATHERED)


SpanConfig = GlobalConfig | CausalConfig | WindowConfig | StridedConfig | LocalMonotonicConfig | LocalPredictiveConfig
SpanSection = Annotated[SpanConfig, Field(discriminator="type"), Variant()]

# ---- normalizers


class SoftmaxConfig(Section):
    """exp(score / temperature) / Σ exp(score / temperature)."""

    type: Literal["softmax"] = "softmax"
    temperature: Positive = Field(default=1.0, description="Below 1 sharpens, above 1 flattens")


class SparsemaxConfig(Section):
    """The nearest point of the simplex: many weights are exactly 0 (Martins & Astudillo 2016)."""

    type: Literal["sparsemax"] = "sparsemax"


class EntmaxConfig(Section):
    """Between softmax (1) and sparsemax (2), and beyond (Peters et al. 2019)."""

    type: Literal["entmax"] = "entmax"
    alpha: Literal["learned"] | Annotated[float, Field(ge=1.0)] = Field(
        default=1.5,
        description="1: softmax, 2: sparsemax; learned: between 1 and 2, one for each key-value head, one for all with latent",
    )


NormalizerConfig = SoftmaxConfig | SparsemaxConfig | EntmaxConfig
NormalizerSection = Annotated[NormalizerConfig, Field(discriminator="type"), Variant(default="softmax")]

# ---- aggregation


class ExpectationConfig(Section):
    """The weighted sum: soft attention."""

    type: Literal["expectation"] = "expectation"


class ReinforceConfig(Section):
    """One position, drawn; trained by REINFORCE (Xu et al. 2015, §4.1)."""

    type: Literal["reinforce"] = "reinforce"
    weight: Positive = Field(default=1.0, description="Weight of the policy's loss beside the translation's")
    entropy: float = Field(
        default=0.01, ge=0, description="Reward for the draw's entropy at first; 0 at the last update"
    )
    soft_mix: Probability = Field(default=0.5, description="Share of the sentences trained with soft attention")
    warm: Probability = Field(
        default=0.0,
        description="Share of the training over which soft_mix falls to its value, from 1: soft attention first",
    )
    samples: Count = Field(
        default=1,
        description="Positions drawn at each step; of several, each is judged by the others (Kool et al. 2019)",
    )


class GumbelConfig(Section):
    """One position, drawn; trained by straight-through Gumbel-softmax (Jang et al. 2017)."""

    type: Literal["gumbel"] = "gumbel"
    temperature: Positive = Field(default=1.0, description="Temperature of the gradient's softmax at first")
    final: Positive = Field(default=0.3, description="Temperature at the last update")


class MarginalConfig(Section):
    """Every position makes a prediction; their mixture translates (Shankar et al. 2018)."""

    type: Literal["marginal"] = "marginal"
    top_k: Count | None = Field(default=None, description="Only the likeliest positions; null: all")


class ElboConfig(Section):
    """Trained by the expected log-likelihood over all positions; the likeliest translates (Xu et al. 2015, §4.1)."""

    type: Literal["elbo"] = "elbo"


AggregationConfig = ExpectationConfig | ReinforceConfig | GumbelConfig | MarginalConfig | ElboConfig
AggregationSection = Annotated[AggregationConfig, Field(discriminator="type"), Variant(default="expectation")]

# ---- around a whole attention


class HopsConfig(Section):
    """Reads the source several times (Sukhbaatar et al. 2015)."""

    hops: Depth = Field(default=3, description="How often the source is read")
    tying: Literal["layerwise", "adjacent"] = Field(
        default="layerwise", description="The same maps for every reading, or each one's values are the next one's keys"
    )


class HierarchicalConfig(Section):
    """Attends to words within segments, then to segments (Yang et al. 2016)."""

    length: Reach = Field(default=8, description="Words of a segment")


class LatentConfig(Section):
    """Multi-head latent attention: keys and values of all heads from one short vector (DeepSeek-V2 2024)."""

    width: Count | None = Field(default=None, description="Width of the latent vector; null: 4 × the width of a head")
    rotary: int | None = Field(
        default=None, ge=0, description="Width of the rotary part of the keys; null: half a head, 0 over the source"
    )
    query: Count | None = Field(default=None, description="Width of a latent vector of the queries; null: none")
    norm: bool = Field(default=True, description="RMS normalization of the latent vectors")


class AttentionConfig(Section):
    """One attention: a score, the positions that it may see, what makes weights of the scores, and what the weights do."""

    score: ScoreSection = Field(description="How well a query and a key fit")
    span: SpanSection = Field(default=GlobalConfig(), description="Positions that may be seen")
    normalizer: NormalizerSection = Field(default=SoftmaxConfig(), description="What makes weights of the scores")
    aggregation: AggregationSection = Field(
        default=ExpectationConfig(), description="What the weights do: average, or choose a position"
    )
    heads: Count | None = Field(
        default=None, description="Heads, each with projections of its own; null: one head without projections"
    )
    key_value_heads: Count | None = Field(
        default=None,
        description="Heads that have keys and values of their own, shared by the others; null: all",
    )
    dropout: Probability = Field(default=0.0, description="Share of the weights dropped in training")
    temporal: bool = Field(default=False, description="A position once attended to counts less (Sankaran et al. 2016)")
    sentinel: bool = Field(default=False, description="The decoder's own memory competes (adaptive; Lu et al. 2017)")
    memory: HopsConfig | None = Field(default=None, description="Read the source several times; null: once")
    hierarchical: HierarchicalConfig | None = Field(
        default=None, description="Attend to segments too; null: to words only"
    )
    latent: LatentConfig | None = Field(default=None, description="Compress keys and values; null: do not")


class BahdanauAttentionConfig(AttentionConfig):
    """Attention of the bahdanau decoder."""

    score: AdditiveByDefault = Field(default=AdditiveConfig(), description="How well a query and a key fit")


class LuongAttentionConfig(AttentionConfig):
    """Attention of the luong decoder."""

    score: GeneralByDefault = Field(default=GeneralConfig(), description="How well a query and a key fit")


class TransformerAttentionConfig(AttentionConfig):
    """A Transformer's attention over the source, or its encoder's over itself."""

    score: ScaledDotByDefault = Field(default=ScaledDotConfig(), description="How well a query and a key fit")
    heads: Count | None = Field(
        default=4, description="Heads, each with projections of its own; null: one head without projections"
    )


class CausalAttentionConfig(TransformerAttentionConfig):
    """A Transformer decoder's attention over what it has written."""

    span: SpanSection = Field(
        default=CausalConfig(), description="Positions that may be seen, never later than the query's own"
    )
