"""What is said of a config that is legal but seldom meant."""

from pathlib import Path
from typing import Any

import pytest

from seq2attn.config.advice import give_advice
from seq2attn.config.model import ModelConfig
from seq2attn.runs.train import plan_training
from tests.tiny import tiny


def lines(encoder: Any, decoder: Any) -> list[str]:
    return list(give_advice(ModelConfig.model_validate({"encoder": encoder, "decoder": decoder})))


def test_usual_models_need_no_advice() -> None:
    for encoder in ("lstm", "transformer", "conv"):
        for decoder in ("lstm", "bahdanau", "luong", {"type": "transformer", "attention": {"latent": {"width": 64}}}):
            assert lines(encoder, decoder) == []


def test_advice_is_said_before_training(corpus: Path) -> None:
    config = tiny(corpus, "model.encoder={type: conv, layers: 1, positions: none}")
    [line] = give_advice(config.model)
    assert line in plan_training(config, corpus / "run", device="cpu").splitlines()


@pytest.mark.parametrize("kind", ["transformer", "conv"])
def test_an_encoder_without_positions_does_not_know_the_order(kind: str) -> None:
    assert lines({"type": kind, "positions": "none"}, "lstm") == [
        f"key `model.encoder.positions` is none, which leaves the {kind} encoder without the order of words; "
        "with sinusoidal it knows the order"
    ]


@pytest.mark.parametrize("normalizer", ["sparsemax", {"type": "entmax", "alpha": 2.0}])
def test_sparsemax_of_products_that_are_not_scaled(normalizer: Any) -> None:
    attention = {"score": "dot", "normalizer": normalizer}
    assert lines("lstm", {"type": "luong", "attention": attention}) == [
        "key `model.decoder.attention.score` is dot, which is not scaled, so that sparse weights soon leave one position "
        "and no gradient; use scaled_dot"
    ]
    assert not lines("lstm", {"type": "luong", "attention": attention | {"score": "scaled_dot"}})


@pytest.mark.parametrize(("width", "said"), [(511, False), (512, True)])
def test_a_wide_latent_vector_saves_nothing(width: int, said: bool) -> None:
    found = lines({"type": "transformer", "self_attention": {"latent": {"width": width}}}, "lstm")
    expected = (
        f"key `model.encoder.self_attention.latent.width` is {width}, which is no less than the 512 numbers of plain keys "
        "and values; a smaller one saves memory"
    )
    assert found == [expected] * said
