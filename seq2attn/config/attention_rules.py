"""Which parts of an attention go together, and where each may stand."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from seq2attn.config.attention import (
    AttentionConfig,
    CausalConfig,
    DotConfig,
    EntmaxConfig,
    GlobalConfig,
    LocalMonotonicConfig,
    LocalPredictiveConfig,
    LocationConfig,
    ScaledDotConfig,
    SoftmaxConfig,
    StridedConfig,
    UniformConfig,
    WindowConfig,
)


class Problem(NamedTuple):
    """An illegal value: its dotted key, the value, why it is illegal, and the nearest legal choice."""

    key: str
    value: object
    reason: str
    hint: str


class Place(NamedTuple):
    """Where an attention stands: over the source, or over an encoder's or decoder's own states; `owner` sets the width."""

    over: Literal["source", "encoder", "decoder"]
    decoder: Literal["bahdanau", "luong", "transformer"]
    owner: str
    queries: int
    keys: int
    positions: str = ""
    input_feeding: bool = False

    @property
    def recurrent(self) -> bool:
        """Whether a recurrent decoder asks."""
        return self.decoder != "transformer"


def attention_problems(key: str, attention: AttentionConfig, place: Place) -> Iterator[Problem]:
    """Everything that is illegal in one attention section."""
    yield from _heads(key, attention, place)
    yield from _score(key, attention, place)
    yield from _span(key, attention, place)
    yield from _normalizer(key, attention)
    yield from _aggregation(key, attention, place)
    yield from _around(key, attention, place)
    yield from _latent(key, attention, place)


def _heads(key: str, attention: AttentionConfig, place: Place) -> Iterator[Problem]:
    heads, groups = attention.heads, attention.groups
    if heads is not None and place.queries % heads:
        width = f"{place.owner}.width, which is {place.queries}"
        yield Problem(f"{key}.heads", heads, f"does not divide {width}", f"use {nearest_divisor(place.queries, heads)}")
    if heads is None and not place.recurrent and place.queries != place.keys:
        reason = (
            f"gives contexts as wide as the encoder's states, {place.keys}, but the Transformer is {place.queries} wide"
        )
        yield Problem(f"{key}.heads", "null", reason, "use 1")
    if groups is not None and heads is None:
        yield Problem(
            f"{key}.groups", groups, "needs heads that share them", f"set {key}.heads to a multiple of {groups}"
        )
    if groups is not None and heads is not None and heads % groups:
        hint = f"use {nearest_divisor(heads, groups)}"
        yield Problem(f"{key}.groups", groups, f"does not divide {key}.heads, which is {heads}", hint)
    if place.positions == "rotary" and not attention.latent:
        turned = place.queries // heads if heads else 0
        if not isinstance(attention.score, DotConfig | ScaledDotConfig) or not heads or turned % 2:
            reason = "with rotary positions needs heads of even width and a dot product"
            hint = "use scaled_dot with heads, or positions: sinusoidal"
            yield Problem(f"{key}.score", attention.score.type, reason, hint)


def _score(key: str, attention: AttentionConfig, place: Place) -> Iterator[Problem]:
    score, kind = attention.score, attention.score.type
    needs_equal = (
        isinstance(score, DotConfig | ScaledDotConfig) and attention.heads is None and attention.memory is None
    )
    if needs_equal and place.queries != place.keys:
        widths = f"the decoder has {place.queries} and the encoder's states {place.keys}"
        hint = f"use general, or set {place.owner}.width to {place.keys}"
        yield Problem(f"{key}.score", kind, f"needs queries as wide as keys, but {widths}", hint)
    if isinstance(score, LocationConfig) and place.over != "source":
        yield Problem(f"{key}.score", kind, "scores positions of the source, not a sequence's own", "use scaled_dot")
    elif isinstance(score, LocationConfig) and getattr(attention.span, "gathered", False):
        yield Problem(
            f"{key}.span.gathered", "true", "takes keys from their places, which location scores", "use false"
        )


_SPANS = {
    "source": (GlobalConfig, LocalMonotonicConfig, LocalPredictiveConfig),
    "encoder": (GlobalConfig, WindowConfig, StridedConfig),
    "decoder": (CausalConfig, WindowConfig, StridedConfig),
}
_WHY = {
    "source": "would hide the rest of the source",
    "encoder": "is not for a sequence that attends to itself",
    "decoder": "would see words not yet written",
}


def _span(key: str, attention: AttentionConfig, place: Place) -> Iterator[Problem]:
    span = attention.span
    if not isinstance(span, _SPANS[place.over]):
        local = isinstance(span, LocalMonotonicConfig | LocalPredictiveConfig)
        near = isinstance(span, WindowConfig | StridedConfig)
        legal = {"source": "local_monotonic" if near else "global", "encoder": "window" if local else "global"}
        hint = f"use {legal.get(place.over, 'window' if local else 'causal')}"
        why = _WHY["encoder" if local else place.over]
        yield Problem(f"{key}.span", span.type, why, hint)
    elif isinstance(span, LocalPredictiveConfig) and (attention.heads or not place.recurrent):
        yield Problem(f"{key}.span", span.type, "predicts one position, for one head", "use local_monotonic")


def _normalizer(key: str, attention: AttentionConfig) -> Iterator[Problem]:
    normalizer = attention.normalizer
    if isinstance(normalizer, EntmaxConfig) and normalizer.alpha != "learned" and 0 < normalizer.alpha - 1 < 1e-3:
        yield Problem(f"{key}.normalizer.alpha", normalizer.alpha, "is too near 1 to be computed", "use softmax")


def _aggregation(key: str, attention: AttentionConfig, place: Place) -> Iterator[Problem]:
    kind, where = attention.aggregation.type, f"{key}.aggregation"
    if kind == "expectation":
        return
    plain = _is_softmax(attention) and attention.heads is None
    if place.over != "source":
        yield Problem(where, kind, "chooses a position of the source", "use expectation")
    elif kind in ("reinforce", "marginal", "elbo") and not (place.recurrent and plain):
        yield Problem(where, kind, "needs a recurrent decoder, softmax and one head", "use gumbel, or heads: null")
    elif kind in ("marginal", "elbo") and (place.decoder != "luong" or place.input_feeding):
        reason = "needs a recurrent state that knows nothing of the position"
        yield Problem(where, kind, reason, "use a luong decoder with input_feeding: false")
    elif kind in ("marginal", "elbo") and attention.dropout:
        yield Problem(f"{key}.dropout", attention.dropout, "drops no position from a mixture of all", "use 0")


def _around(key: str, attention: AttentionConfig, place: Place) -> Iterator[Problem]:
    wrappers = {
        "temporal": attention.temporal,
        "sentinel": attention.sentinel,
        "memory": attention.memory is not None,
        "hierarchical": attention.hierarchical is not None,
        "latent": attention.latent is not None,
    }
    used = [name for name, on in wrappers.items() if on]
    if not used:
        return
    name = used[0]
    values = {"temporal": "true", "sentinel": "true"}
    value = values.get(name, "set")
    if len(used) > 1:
        yield Problem(f"{key}.{name}", value, f"does not go with {used[1]}", f"leave out {used[1]}")
    if attention.aggregation.type != "expectation":
        yield Problem(f"{key}.{name}", value, f"does not go with {attention.aggregation.type}", "use expectation")
    legal: dict[str, tuple[bool, str, str]] = {
        "temporal": (
            place.over == "source"
            and place.recurrent
            and attention.groups is None
            and _is_softmax(attention)
            and isinstance(attention.span, GlobalConfig | LocalMonotonicConfig)
            and not getattr(attention.span, "gathered", False),
            "needs a recurrent decoder, softmax, no groups, and a span that is global or local_monotonic and not gathered",
            "use the luong or bahdanau decoder with softmax, groups: null and span: global",
        ),
        "sentinel": (
            place.decoder == "luong"
            and attention.heads is None
            and not isinstance(attention.span, LocalPredictiveConfig)
            and not getattr(attention.span, "gaussian", False)
            and not isinstance(attention.score, LocationConfig | UniformConfig),
            "needs an LSTM that attends after its step, one head, a score of content, and no span with a gaussian",
            "use the luong decoder with score: additive, heads: null and span: global",
        ),
        "memory": (
            place.decoder == "luong" and attention.heads is None,
            "needs a decoder that goes on with the last query, and one head",
            "use the luong decoder with heads: null",
        ),
        "hierarchical": (
            place.over == "source"
            and isinstance(attention.span, GlobalConfig)
            and attention.heads is None
            and not attention.dropout
            and not isinstance(attention.score, LocationConfig),
            "needs the whole source, one head, a score of content and no dropout of weights",
            "use span: global, heads: null and dropout: 0",
        ),
        "latent": (
            not place.recurrent
            and attention.heads is not None
            and attention.groups is None
            and isinstance(attention.score, ScaledDotConfig)
            and attention.score.scale == "auto",
            "needs a Transformer with heads, without groups, and scaled_dot",
            "use a Transformer with score: scaled_dot, heads and groups: null",
        ),
    }
    fits, reason, hint = legal[name]
    if not fits:
        yield Problem(f"{key}.{name}", value, reason, hint)


def _latent(key: str, attention: AttentionConfig, place: Place) -> Iterator[Problem]:
    if attention.latent is None:
        return
    rotary = attention.latent.rotary
    if place.over == "source" and rotary:
        reason = "cannot compare positions of two languages"
        yield Problem(f"{key}.latent.rotary", rotary, reason, "use 0")
    elif rotary is not None and rotary % 2:
        yield Problem(f"{key}.latent.rotary", rotary, "must be even: positions turn pairs", f"use {rotary + 1}")


def _is_softmax(attention: AttentionConfig) -> bool:
    return isinstance(attention.normalizer, SoftmaxConfig)


def nearest_divisor(number: int, wanted: int) -> int:
    """The divisor of `number` nearest to `wanted`."""
    divisors = [count for count in range(1, number + 1) if number % count == 0]
    return min(divisors, key=lambda count: (abs(count - wanted), count))
