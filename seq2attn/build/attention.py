"""From the config's attention sections to attention modules: the only place that knows both."""

from typing import Literal, assert_never

from seq2attn.attention import (
    Adaptive,
    Additive,
    Aggregation,
    Attention,
    AttentionModule,
    Causal,
    Dot,
    Entmax,
    General,
    Global,
    Gumbel,
    Hops,
    Latent,
    LearnedEntmax,
    LocalMonotonic,
    LocalPredictive,
    Location,
    Marginal,
    MultiHead,
    Normalizer,
    Reinforce,
    Score,
    Segments,
    Softmax,
    Span,
    Strided,
    Uniform,
    Window,
    expectation,
    softmax,
    sparsemax,
)
from seq2attn.config import attention as ca


def build_attention(
    section: ca.AttentionConfig,
    *,
    over: Literal["source", "encoder", "decoder"],
    query_width: int,
    key_width: int,
    rotary: bool = False,
) -> AttentionModule:
    """Attention over the source, or over an encoder's or decoder's own states, which the keys and values are made of.

    A decoder's spans all end at the query. `rotary`: queries and keys are turned by their positions.
    """
    heads, causal = section.heads, over == "decoder"
    if section.latent is not None:
        return _build_latent(section, section.latent, over, query_width, key_width)
    if heads is not None:
        width = query_width // heads
        key_value_heads = section.key_value_heads or heads
        return MultiHead(
            _build_one(section, width, width, width, causal, key_value_heads),
            heads=heads,
            key_value_heads=key_value_heads,
            query_width=query_width,
            key_width=key_width,
            value_width=key_width,
            width=query_width,
            rotary=rotary,
        )
    if section.memory is not None:
        return Hops(
            _build_one(section, query_width, query_width, query_width, causal),
            hops=section.memory.hops,
            tying=section.memory.tying,
            query_width=query_width,
            key_width=key_width,
            value_width=key_width,
        )
    one = _build_one(section, query_width, key_width, key_width, causal)
    if section.hierarchical is not None:
        segments = _build_one(section, query_width, key_width, key_width, causal)
        return Segments(one, segments, length=section.hierarchical.length)
    if section.sentinel:
        return Adaptive(one, sentinel_width=query_width, key_width=one.score.key_width(key_width))
    if isinstance(section.aggregation, ca.MarginalConfig):
        return Marginal(one, top_k=section.aggregation.top_k)
    if isinstance(section.aggregation, ca.ElboConfig):
        return Marginal(one, elbo=True)
    return one


def _build_one(
    section: ca.AttentionConfig, query: int, key: int, value: int, causal: bool, heads: int = 1
) -> Attention:
    return Attention(
        score=_build_score(section.score, query, key),
        span=_build_span(section.span, query, causal),
        normalizer=_build_normalizer(section.normalizer, heads),
        aggregation=_build_aggregation(section.aggregation),
        context_width=value,
        temporal=section.temporal,
        dropout=section.dropout,
    )


def _build_score(section: ca.ScoreConfig, query: int, key: int) -> Score:
    match section:
        case ca.DotConfig():
            return Dot()
        case ca.ScaledDotConfig():
            scale = key**-0.5 if isinstance(section.scale, str) else section.scale
            return Dot(scale=scale, learned=section.scale == "learned")
        case ca.GeneralConfig():
            scale = query**-0.5 if section.scale == "auto" else section.scale
            return General(query_width=query, key_width=key, scale=scale)
        case ca.AdditiveConfig():
            return Additive(query_width=query, key_width=key, width=section.width or query)
        case ca.LocationConfig():
            return Location(query_width=query, max_source=section.max_source)
        case ca.UniformConfig():
            return Uniform()
        case _:
            assert_never(section)


def _build_span(section: ca.SpanConfig, query: int, causal: bool) -> Span:
    match section:
        case ca.GlobalConfig():
            return Global()
        case ca.CausalConfig():
            return Causal()
        case ca.WindowConfig():
            return Window(section.radius, causal=causal, gathered=section.gathered)
        case ca.StridedConfig():
            return Strided(section.stride, causal=causal, gathered=section.gathered)
        case ca.LocalMonotonicConfig():
            return LocalMonotonic(window=section.window, gaussian=section.gaussian, gathered=section.gathered)
        case ca.LocalPredictiveConfig():
            gaussian, gathered = section.gaussian, section.gathered
            return LocalPredictive(query_width=query, window=section.window, gaussian=gaussian, gathered=gathered)
        case _:
            assert_never(section)


def _build_normalizer(section: ca.NormalizerConfig, heads: int) -> Normalizer:
    match section:
        case ca.SoftmaxConfig(temperature=1.0) | ca.EntmaxConfig(alpha=1.0):
            return softmax
        case ca.SoftmaxConfig():
            return Softmax(section.temperature)
        case ca.SparsemaxConfig() | ca.EntmaxConfig(alpha=2.0):
            return sparsemax
        case ca.EntmaxConfig():
            return LearnedEntmax(heads) if section.alpha == "learned" else Entmax(section.alpha)
        case _:
            assert_never(section)


def _build_aggregation(section: ca.AggregationConfig) -> Aggregation:
    match section:
        case ca.ExpectationConfig():
            return expectation
        case ca.MarginalConfig() | ca.ElboConfig():  # `Marginal` stands around the whole attention
            return expectation
        case ca.ReinforceConfig():
            return Reinforce(
                weight=section.weight,
                entropy=section.entropy,
                soft_mix=section.soft_mix,
                warm=section.warm,
                samples=section.samples,
            )
        case ca.GumbelConfig():
            return Gumbel(section.temperature, section.final)
        case _:
            assert_never(section)


def _build_latent(
    section: ca.AttentionConfig, latent: ca.LatentConfig, over: str, query_width: int, key_width: int
) -> Latent:
    assert section.heads is not None
    width = query_width // section.heads
    usual = 0 if over == "source" else width // 4 * 2
    rotary = usual if latent.rotary is None else latent.rotary
    return Latent(
        _build_one(section, width + rotary, width + rotary, width, causal=over == "decoder"),
        heads=section.heads,
        query_width=query_width,
        key_width=key_width,
        latent_width=latent.width or 4 * width,
        head_width=width,
        rotary_width=rotary,
        query_latent=latent.query,
        norm=latent.norm,
    )
