"""Which parts of an attention go together, and where in a model each may be used."""

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

from seq2attn.config.attention import (
    AttentionConfig,
    CausalConfig,
    EntmaxConfig,
    GlobalConfig,
    LocalMonotonicConfig,
    LocalPredictiveConfig,
    ReinforceConfig,
    ScaledDotConfig,
    SoftmaxConfig,
    StridedConfig,
    WindowConfig,
)


class Problem(NamedTuple):
    """An illegal value: its dotted key, the value, why it is illegal ("key … is …, which …"), and what to write instead."""

    key: str
    value: object
    reason: str
    hint: str


class AttentionSite(NamedTuple):
    """One attention of a model: its section under `key`, and what is around it.

    `over`: the states it attends to, the source's or an encoder's or decoder's own. `width_key`: the key that sets
    `query_width`. `positions`: how the states know theirs. `input_feeding`: of a luong decoder.
    """

    key: str
    section: AttentionConfig
    over: Literal["source", "encoder", "decoder"]
    decoder: Literal["bahdanau", "luong", "gnmt", "transformer"]
    width_key: str
    query_width: int
    key_width: int
    positions: str = ""
    input_feeding: bool = False

    @property
    def is_recurrent(self) -> bool:
        """Whether the queries are the states of an LSTM."""
        return self.decoder != "transformer"

    @property
    def is_softmax(self) -> bool:
        """Whether softmax makes the weights."""
        return isinstance(self.section.normalizer, SoftmaxConfig)

    @property
    def is_gathered(self) -> bool:
        """Whether the span takes its keys out of the others."""
        return getattr(self.section.span, "gathered", False)


def find_attention_problems(site: AttentionSite) -> Iterator[Problem]:
    """Everything that is illegal in one attention section."""
    yield from _check_heads(site)
    yield from _check_rotary(site)
    yield from _check_score(site)
    yield from _check_span(site)
    yield from _check_normalizer(site)
    yield from _check_aggregation(site)
    yield from _check_wrappers(site)
    yield from _check_latent(site)


def _check_heads(site: AttentionSite) -> Iterator[Problem]:
    key, heads, shared = site.key, site.section.heads, site.section.key_value_heads
    if heads is not None and site.query_width % heads:
        reason = f"does not divide {site.width_key}, which is {site.query_width}"
        yield Problem(f"{key}.heads", heads, reason, f"use {nearest_divisor(site.query_width, heads)}")
    if heads is None and not site.is_recurrent and site.query_width != site.key_width:
        reason = (
            f"gives contexts as wide as the encoder's states, {site.key_width}, "
            f"but the Transformer is {site.query_width} wide"
        )
        yield Problem(f"{key}.heads", "null", reason, "use 1")
    if shared is not None and heads is None:
        hint = f"set {key}.heads to a multiple of {shared}"
        yield Problem(f"{key}.key_value_heads", shared, "needs heads that share them", hint)
    if shared is not None and heads is not None and heads % shared:
        reason = f"does not divide {key}.heads, which is {heads}"
        yield Problem(f"{key}.key_value_heads", shared, reason, f"use {nearest_divisor(heads, shared)}")


def _check_rotary(site: AttentionSite) -> Iterator[Problem]:
    score, heads = site.section.score, site.section.heads
    if site.positions != "rotary" or site.section.latent is not None:  # latent keys have a rotary part of their own
        return
    if not score.is_dot_product or not heads or site.query_width // heads % 2:
        reason = "with rotary positions needs a dot product and heads of even width"
        hint = "use scaled_dot with heads, or positions: sinusoidal"
        yield Problem(f"{site.key}.score", score.type, reason, hint)


def _check_score(site: AttentionSite) -> Iterator[Problem]:
    section, key = site.section, f"{site.key}.score"
    score, kind = section.score, section.score.type
    maps_widths = score.maps_widths or section.heads is not None or section.memory is not None
    if not maps_widths and site.query_width != site.key_width:
        widths = f"the decoder has {site.query_width} and the encoder's states {site.key_width}"
        hint = f"use general, or set {site.width_key} to {site.key_width}"
        yield Problem(key, kind, f"needs queries as wide as keys, but {widths}", hint)
    if score.reads == "position" and site.over != "source":
        yield Problem(
            key, kind, "scores the positions of the source, but here a sequence attends to itself", "use scaled_dot"
        )
    elif score.reads == "position" and site.is_gathered:
        reason = "takes keys away from their positions, which location scores"
        yield Problem(f"{site.key}.span.gathered", "true", reason, "use false")


_SPANS = {
    "source": (GlobalConfig, LocalMonotonicConfig, LocalPredictiveConfig),
    "encoder": (GlobalConfig, WindowConfig, StridedConfig),
    "decoder": (CausalConfig, WindowConfig, StridedConfig),
}
_REFUSED = {
    "source": "would hide the rest of the source",
    "encoder": "is not for a sequence that attends to itself",
    "decoder": "would see words that are not yet written",
}


def _check_span(site: AttentionSite) -> Iterator[Problem]:
    span, key = site.section.span, f"{site.key}.span"
    if not isinstance(span, _SPANS[site.over]):
        is_local = isinstance(span, LocalMonotonicConfig | LocalPredictiveConfig)
        is_near = isinstance(span, WindowConfig | StridedConfig)
        legal = {
            "source": "local_monotonic" if is_near else "global",
            "encoder": "window" if is_local else "global",
            "decoder": "window" if is_local else "causal",
        }
        yield Problem(key, span.type, _REFUSED["encoder" if is_local else site.over], f"use {legal[site.over]}")
    elif isinstance(span, LocalPredictiveConfig) and (site.section.heads or not site.is_recurrent):
        reason = "predicts one position from an LSTM's state, for one head"
        yield Problem(key, span.type, reason, "use local_monotonic")


def _check_normalizer(site: AttentionSite) -> Iterator[Problem]:
    normalizer = site.section.normalizer
    if isinstance(normalizer, EntmaxConfig) and normalizer.alpha != "learned" and 0 < normalizer.alpha - 1 < 1e-3:
        reason = "is too near 1 to be computed"
        yield Problem(f"{site.key}.normalizer.alpha", normalizer.alpha, reason, "use 1, which is softmax")


def _check_aggregation(site: AttentionSite) -> Iterator[Problem]:
    section, key = site.section, f"{site.key}.aggregation"
    kind = section.aggregation.type
    if kind == "expectation":
        return
    is_plain = site.is_recurrent and site.is_softmax and section.heads is None
    if site.over != "source":
        reason = "chooses a position of the source, but here a sequence attends to itself"
        yield Problem(key, kind, reason, "use expectation")
    elif kind in ("reinforce", "marginal", "elbo") and not is_plain:
        reason = "needs a recurrent decoder, softmax and one head"
        yield Problem(key, kind, reason, "use gumbel; or the luong decoder with normalizer: softmax and heads: null")
    elif kind in ("marginal", "elbo") and (site.decoder != "luong" or site.input_feeding):
        reason = "needs a decoder whose state does not depend on the position that was read"
        yield Problem(key, kind, reason, "use the luong decoder with input_feeding: false")
    elif isinstance(section.aggregation, ReinforceConfig) and section.aggregation.samples > 1:
        if site.decoder != "luong" or site.input_feeding:
            reason = "needs a decoder whose state does not depend on the position that was read"
            yield Problem(
                f"{key}.samples", section.aggregation.samples, reason, "use 1; or luong with input_feeding: false"
            )
        elif getattr(section.span, "gathered", False):
            reason = "draws several positions of all, but the span gathers a few for each step"
            yield Problem(
                f"{key}.samples", section.aggregation.samples, reason, f"use 1, or {site.key}.span.gathered: false"
            )
    elif kind in ("marginal", "elbo") and section.dropout:
        reason = f"would drop positions, but {kind} mixes the predictions of all"
        yield Problem(f"{site.key}.dropout", section.dropout, reason, "use 0")


# ---- what may be around a whole attention


class _Condition(NamedTuple):
    """What one of the wrappers needs of the rest; the hint may name the attention's {key} and the queries' {width}."""

    wrapper: str
    holds: Callable[[AttentionSite], bool]
    needs: str
    hint: str


_ONE_HEAD = "set {key}.heads to null"
_CONDITIONS = (
    _Condition(
        "temporal",
        lambda site: site.is_recurrent,
        "needs a recurrent decoder",
        "use the luong, bahdanau or gnmt decoder",
    ),
    _Condition("temporal", lambda site: site.is_softmax, "needs softmax", "set {key}.normalizer to softmax"),
    _Condition(
        "temporal",
        lambda site: site.section.key_value_heads is None,
        "needs keys of its own for each head",
        "set {key}.key_value_heads to null",
    ),
    _Condition(
        "temporal",
        lambda site: isinstance(site.section.span, GlobalConfig | LocalMonotonicConfig),
        "needs a span that is global or local_monotonic",
        "set {key}.span to global",
    ),
    _Condition(
        "temporal",
        lambda site: not site.is_gathered,
        "needs a span that is not gathered",
        "set {key}.span.gathered to false",
    ),
    _Condition(
        "sentinel",
        lambda site: site.decoder == "luong",
        "needs an LSTM that attends after its step",
        "use the luong decoder",
    ),
    _Condition("sentinel", lambda site: site.section.heads is None, "needs one head", _ONE_HEAD),
    _Condition(
        "sentinel",
        lambda site: site.section.score.reads == "content",
        "needs a score that reads what is at a position",
        "set {key}.score to additive",
    ),
    _Condition(
        "sentinel",
        lambda site: (
            not isinstance(site.section.span, LocalPredictiveConfig)
            and not getattr(site.section.span, "gaussian", False)
        ),
        "needs a span that neither predicts its middle nor weighs by a gaussian",
        "set {key}.span to global",
    ),
    _Condition(
        "memory",
        lambda site: site.decoder == "luong",
        "needs a decoder that goes on with the query of the last reading",
        "use the luong decoder",
    ),
    _Condition("memory", lambda site: site.section.heads is None, "needs one head", _ONE_HEAD),
    _Condition(
        "hierarchical",
        lambda site: site.over == "source",
        "cuts the source into segments, but here a sequence attends to itself",
        "set {key}.hierarchical to null",
    ),
    _Condition(
        "hierarchical",
        lambda site: isinstance(site.section.span, GlobalConfig),
        "needs the whole source",
        "set {key}.span to global",
    ),
    _Condition("hierarchical", lambda site: site.section.heads is None, "needs one head", _ONE_HEAD),
    _Condition(
        "hierarchical",
        lambda site: not site.section.dropout,
        "needs weights that are not dropped",
        "set {key}.dropout to 0",
    ),
    _Condition(
        "hierarchical",
        lambda site: site.section.score.reads != "position",
        "needs a score that does not depend on a word's position",
        "set {key}.score to additive",
    ),
    _Condition("latent", lambda site: not site.is_recurrent, "needs a Transformer", "set {key}.latent to null"),
    _Condition(
        "latent", lambda site: site.section.heads is not None, "needs heads", "set {key}.heads to a divisor of {width}"
    ),
    _Condition(
        "latent",
        lambda site: site.section.key_value_heads is None,
        "is shared by all heads already",
        "set {key}.key_value_heads to null",
    ),
    _Condition(
        "latent",
        lambda site: isinstance(site.section.score, ScaledDotConfig) and site.section.score.scale == "auto",
        "needs the score scaled_dot with scale: auto",
        "set {key}.score to scaled_dot",
    ),
)


def _check_wrappers(site: AttentionSite) -> Iterator[Problem]:
    section = site.section
    values: dict[str, object] = {
        "temporal": "true" if section.temporal else None,
        "sentinel": "true" if section.sentinel else None,
        "memory": section.memory and "set",
        "hierarchical": section.hierarchical and "set",
        "latent": section.latent and "set",
    }
    used = [name for name, value in values.items() if value is not None]
    if not used:
        return
    name, *others = used
    for other in others:
        yield Problem(f"{site.key}.{name}", values[name], f"does not go with {other}", f"leave out {other}")
    if section.aggregation.type != "expectation":
        reason, hint = f"does not go with aggregation: {section.aggregation.type}", "use aggregation: expectation"
        yield Problem(f"{site.key}.{name}", values[name], reason, hint)
    for condition in _CONDITIONS:
        if condition.wrapper == name and not condition.holds(site):
            hint = condition.hint.format(key=site.key, width=site.query_width)
            yield Problem(f"{site.key}.{name}", values[name], condition.needs, hint)


def _check_latent(site: AttentionSite) -> Iterator[Problem]:
    if site.section.latent is None:
        return
    key, rotary = f"{site.key}.latent.rotary", site.section.latent.rotary
    if site.over == "source" and rotary:
        yield Problem(key, rotary, "cannot compare the positions of two languages", "use 0")
    elif rotary is not None and rotary % 2:
        yield Problem(key, rotary, "must be even: rotary positions turn pairs of numbers", f"use {rotary + 1}")


def nearest_divisor(number: int, wanted: int) -> int:
    """The divisor of `number` nearest to `wanted`."""
    divisors = [count for count in range(1, number + 1) if number % count == 0]
    return min(divisors, key=lambda count: (abs(count - wanted), count))
