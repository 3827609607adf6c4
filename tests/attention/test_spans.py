import pytest
import torch

from seq2attn.attention import Causal, Global

QUERY = torch.zeros(2, 1, 3, 5)
MASK = torch.tensor([[True, True, True, False], [True, False, False, False]])


def test_a_global_span_is_every_real_position_for_every_query() -> None:
    legal = Global()(QUERY, MASK, None).legal
    assert legal.shape == (2, 1, 1, 4)
    assert torch.equal(legal[:, 0, 0], MASK)
    assert torch.equal(Global()(QUERY[:, :, :2], MASK, torch.tensor([2, 0])).legal, legal)


def test_a_causal_span_is_every_real_position_up_to_the_querys_own() -> None:
    legal = Causal()(QUERY, MASK, torch.tensor([0, 1, 3])).legal
    assert legal[:, 0].int().tolist() == [
        [[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0]],
        [[1, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0]],
    ]


def test_a_causal_span_needs_positions() -> None:
    with pytest.raises(ValueError, match="positions"):
        Causal()(QUERY, MASK, None)


def test_spans_are_equal_by_value() -> None:
    assert Global() == Global()
    assert Causal() == Causal()
    assert Global() != Causal()
