"""What a decoder may ask of each attention: what one cannot use, it refuses; and the example in the docstring runs."""

import doctest
from collections.abc import Callable
from typing import Any

import pytest
import torch

from seq2attn.attention import (
    Adaptive,
    Attention,
    Dot,
    Global,
    Gumbel,
    Hops,
    Latent,
    LocalMonotonic,
    Marginal,
    MultiHead,
    Request,
    Segments,
    attention,
    softmax,
)

B, Q, S, D = 2, 3, 5, 4
WIDTHS = {"query_width": D, "key_width": D}
QUERY, MASK = torch.zeros(B, Q, D), torch.ones(B, S, dtype=torch.bool)
HISTORY, SENTINEL = torch.zeros(B, Q, 1, S), torch.zeros(B, Q, D)


def one(temporal: bool = False, **parts: Any) -> Attention:
    settings = {"score": Dot(), "span": Global(), "normalizer": softmax, "context_width": D} | parts
    return Attention(**settings, temporal=temporal)


MODULES: dict[str, Callable[[Attention], Any]] = {
    "one head": lambda inside: inside,
    "heads": lambda inside: MultiHead(inside, heads=1, **WIDTHS, value_width=D, width=D),
    "mixture": Marginal,
    "adaptive": lambda inside: Adaptive(inside, sentinel_width=D, key_width=D),
    "hops": lambda inside: Hops(inside, hops=2, tying="layerwise", **WIDTHS, value_width=D),
    "latent": lambda inside: Latent(inside, heads=1, **WIDTHS, latent_width=D, head_width=D),
    "segments": lambda inside: Segments(inside, inside, length=2),
}


def ask(name: str, **request: Any) -> None:
    module = MODULES[name](one())
    module(Request(QUERY, **request), module.remember(torch.zeros(B, S, D), MASK))


@pytest.mark.parametrize("name", MODULES)
def test_a_history_that_cannot_be_used_is_refused(name: str) -> None:
    sentinel = SENTINEL if name == "adaptive" else None
    ask(name, past=MODULES[name](one()).start(MASK, Q), sentinel=sentinel)
    with pytest.raises(ValueError, match="history"):
        ask(name, past=(HISTORY, ()), sentinel=sentinel)


@pytest.mark.parametrize("name", [name for name in MODULES if name != "adaptive"])
def test_a_sentinel_is_refused_by_all_but_adaptive_attention(name: str) -> None:
    with pytest.raises(ValueError, match="sentinel"):
        ask(name, sentinel=SENTINEL)


def test_temporal_attention_needs_a_history_that_it_began() -> None:
    module = one(temporal=True)
    with pytest.raises(ValueError, match="`start` begins"):
        module(Request(QUERY, past=()), module.remember(torch.zeros(B, S, D), MASK))


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("adaptive", {"aggregation": Gumbel()}),
        ("hops", {"aggregation": Gumbel()}),
        ("hops", {"temporal": True}),
        ("latent", {"aggregation": Gumbel()}),
        ("latent", {"temporal": True}),
        ("segments", {"aggregation": Gumbel()}),
        ("segments", {"temporal": True}),
        ("segments", {"dropout": 0.1}),
        ("segments", {"span": LocalMonotonic(window=1)}),
    ],
)
def test_parts_that_would_be_ignored_are_refused(name: str, parts: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"averages|averaged"):
        MODULES[name](one(**parts))


def test_the_example_of_the_docstring_runs() -> None:
    outcome = doctest.testmod(attention, globs={"torch": torch})
    assert outcome.attempted == 5
    assert outcome.failed == 0
