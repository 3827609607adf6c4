"""Whatever the rules accept can be built, trained and searched; drawn at random from all that a config can say."""

import random
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from seq2attn.build.model import build_seq2seq
from seq2attn.config.model import ModelConfig
from seq2attn.config.rules import find_model_problems
from seq2attn.search import Beam, Sentences
from seq2attn.training.loss import sequence_loss
from tests.laws.systems import DEVICE, VOCABULARY, sentences
from tests.laws.test_model_laws import EXACT, at_once, steps

GATHERED = [{"gathered": False}, {"gathered": True}]
SCORES: list[Any] = ["dot", "scaled_dot", "general", {"type": "additive", "width": 3}, "uniform"]
SCORES += [{"type": "scaled_dot", "scale": "learned"}, {"type": "location", "max_source": 30}]
NEAR: list[Any] = [{"type": "window", "radius": 2}, {"type": "strided", "stride": 2}]
LOCAL: list[Any] = [{"type": f"local_{kind}", "window": 2} for kind in ("monotonic", "predictive")]
NORMALIZERS: list[Any] = [{"type": "softmax", "temperature": 0.5}, "sparsemax", {"type": "entmax", "alpha": 1.3}]
NORMALIZERS += [{"type": "entmax", "alpha": "learned"}]
AGGREGATIONS: list[Any] = ["reinforce", "gumbel", {"type": "marginal", "top_k": 2}, "elbo"]
AROUND: list[dict[str, Any]] = [{"temporal": True}, {"sentinel": True}, {"hierarchical": {"length": 3}}]
AROUND += [{"memory": {"hops": 2, "tying": tying}} for tying in ("layerwise", "adjacent")]
POSITIONS = ["sinusoidal", "learned", "rotary", "none"]


def attention(draw: random.Random, spans: list[Any], source: bool) -> dict[str, Any]:
    """One part of each kind, most of them left to their default."""
    found: dict[str, Any] = {"score": draw.choice(SCORES), "heads": draw.choice([None, 1, 2, 4])}
    if draw.random() < 0.5:
        found["span"] = draw.choice(spans) | draw.choice(GATHERED)
    if draw.random() < 0.4:
        found["normalizer"] = draw.choice(NORMALIZERS)
    if draw.random() < 0.2:
        found["dropout"] = 0.1
    if found["heads"] and draw.random() < 0.3:
        found["key_value_heads"] = draw.choice([1, 2])
    if draw.random() < 0.15:
        found["latent"] = {"width": 5, "query": draw.choice([None, 3])}
    if source and draw.random() < 0.3:
        found["aggregation"] = draw.choice(AGGREGATIONS)
    if source and draw.random() < 0.4:
        found |= draw.choice(AROUND)
    return found


def drawn(seed: int) -> ModelConfig:
    """The first config of this seed that the rules accept."""
    draw = random.Random(seed)
    while True:
        own = [attention(draw, NEAR, source=False) for _ in range(2)]
        stack = {"type": "transformer", "layers": 1, "feedforward": 6}
        encoders = [
            {"type": "lstm", "width": draw.choice([4, 6])},
            stack | {"positions": draw.choice(POSITIONS), "self_attention": own[0]},
            {"type": "conv", "layers": 1},
        ]
        decoders: list[dict[str, Any]] = [
            {"type": "bahdanau", "width": draw.choice([8, 12])},
            {"type": "luong", "width": draw.choice([8, 12]), "input_feeding": draw.random() < 0.5},
            stack | {"positions": draw.choice(POSITIONS), "self_attention": own[1]},
        ]
        parts = {
            "encoder": draw.choice(encoders),
            "decoder": draw.choice(decoders) | {"attention": attention(draw, LOCAL, source=True)},
        }
        try:
            config = ModelConfig.model_validate({"embedding": {"width": 8}} | parts)
        except ValidationError:
            continue
        if not list(find_model_problems(config)):
            return config


@pytest.mark.parametrize("seed", range(40))
def test_what_the_rules_accept_trains_and_translates(seed: int) -> None:
    config = drawn(seed)
    torch.manual_seed(1)
    model = build_seq2seq(config, source_size=VOCABULARY, target_size=VOCABULARY, max_length=40).to(DEVICE)
    source, target = sentences([3, 7, 1]), sentences([5, 2, 4])
    with torch.autocast(DEVICE.type, torch.bfloat16):
        loss = sequence_loss(model(source, target), model.output, model.bias, target, smoothing=0.1).smoothed
    loss.backward()
    assert loss.isfinite()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())
    model.double().eval()
    torch.testing.assert_close(at_once(model, source, target), steps(model, source, target), **EXACT)
    asked = Sentences(source, torch.tensor([4, 4, 4], device=DEVICE), range(3))
    for hypotheses in Beam(3, 1.0)(model, asked, torch.arange(3, device=DEVICE)):
        assert len(hypotheses) == 3
