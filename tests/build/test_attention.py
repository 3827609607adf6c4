"""What a config's defaults and aliases become."""

from typing import Any

import pytest
import torch

from seq2attn.attention import Attention, Dot, Entmax, Latent, MultiHead, softmax, sparsemax
from seq2attn.build.attention import build_attention
from seq2attn.config.attention import TransformerAttentionConfig


def made(over: str, **section: Any) -> Any:
    config = TransformerAttentionConfig.model_validate(section)
    return build_attention(config, over=over, query_width=32, key_width=32)  # type: ignore[arg-type]


@pytest.mark.parametrize(("over", "rotary"), [("encoder", 4), ("source", 0)])
def test_the_default_widths_of_latent_attention(over: str, rotary: int) -> None:
    found = made(over, heads=4, latent={})
    assert isinstance(found, Latent)
    assert (found.head_width, found.latent_width, found.rotary_width) == (8, 4 * 8, rotary)
    assert found.attention.score.dot_scale == pytest.approx((8 + rotary) ** -0.5)


@pytest.mark.parametrize(("scale", "value"), [("auto", 8**-0.5), (0.25, 0.25), ("learned", 8**-0.5)])
def test_a_scale_is_automatic_a_number_or_learned(scale: Any, value: float) -> None:
    score = made("encoder", heads=4, score={"type": "scaled_dot", "scale": scale}).attention.score
    assert isinstance(score, Dot)
    assert torch.as_tensor(score.scale).item() == pytest.approx(value)
    assert len(list(score.parameters())) == (scale == "learned")


@pytest.mark.parametrize(("scale", "value"), [(1.0, 1), (0.5, 0.5), ("auto", 32**-0.5)])
def test_the_scale_of_a_general_score_is_a_number_or_that_of_the_query(scale: Any, value: float) -> None:
    score = made("source", heads=None, score={"type": "general", "scale": scale}).score
    assert score.dot_scale == score.scale == pytest.approx(value)


def test_a_scaled_product_of_one_feature_is_the_product() -> None:
    score = made("encoder", heads=32).attention.score
    assert isinstance(score, Dot)
    assert score.scale == 1


@pytest.mark.parametrize(("alpha", "normalizer"), [(1.0, softmax), (1.5, Entmax(1.5)), (2.0, sparsemax)])
def test_entmax_of_one_is_softmax_and_of_two_sparsemax(alpha: float, normalizer: object) -> None:
    found = made("encoder", normalizer={"type": "entmax", "alpha": alpha})
    assert isinstance(found, MultiHead)
    assert found.attention.normalizer == normalizer


def test_no_heads_are_an_attention_without_projections() -> None:
    assert type(made("encoder", heads=None)) is Attention
