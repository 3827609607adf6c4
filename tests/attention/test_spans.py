import pytest
import torch

from seq2attn.attention import Causal, Global

MASK = torch.tensor([[True, True, True, False], [True, False, False, False]])


def test_a_global_span_is_every_real_position_for_every_query() -> None:
    legal = Global().legal(MASK, None)
    assert legal.shape == (2, 1, 1, 4)
    assert torch.equal(legal[:, 0, 0], MASK)
    assert torch.equal(Global().legal(MASK, torch.tensor([2, 0])), legal)


def test_a_causal_span_is_every_real_position_up_to_the_querys_own() -> None:
    legal = Causal().legal(MASK, torch.tensor([0, 1, 3]))
    assert legal[:, 0].int().tolist() == [
        [[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0]],
        [[1, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0]],
    ]


def test_a_causal_span_needs_positions() -> None:
    with pytest.raises(ValueError, match="positions"):
        Causal().legal(MASK, None)


def test_spans_are_equal_by_value() -> None:
    assert Global() == Global()
    assert Causal() == Causal()
    assert Global() != Causal()
