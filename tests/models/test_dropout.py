import pytest
import torch

from seq2attn.models.dropout import Dropout

ONES = torch.ones(300, 401, dtype=torch.float64)  # not a multiple of four numbers


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_it_drops_at_its_rate_and_scales_what_it_keeps(rate: float) -> None:
    torch.manual_seed(1)
    dropped = Dropout(rate)(ONES)
    assert dropped.shape == ONES.shape
    assert (dropped == 0).double().mean().item() == pytest.approx(rate, abs=0.006)  # four standard deviations
    kept = dropped[dropped != 0].unique()
    assert kept.tolist() == pytest.approx([1 / (1 - rate)], rel=2e-4)
    assert dropped.mean().item() == pytest.approx(1, abs=0.04)


def test_neighbors_are_dropped_independently() -> None:
    torch.manual_seed(2)
    zeros = (Dropout(0.5)(torch.ones(400_000)) == 0).view(-1, 4).double()
    together = zeros.T @ zeros / len(zeros)
    expected = 0.25 + 0.25 * torch.eye(4, dtype=torch.float64)
    torch.testing.assert_close(together, expected, rtol=0, atol=0.006)


def test_it_is_the_identity_in_evaluation_and_at_rate_zero() -> None:
    assert Dropout(0.5).eval()(ONES) is ONES
    assert Dropout(0.0)(ONES) is ONES


def test_the_same_seed_drops_the_same_and_the_next_call_others() -> None:
    drop = Dropout(0.5)
    torch.manual_seed(3)
    first, second = drop(ONES), drop(ONES)
    torch.manual_seed(3)
    assert torch.equal(drop(ONES), first)
    assert not torch.equal(first, second)


def test_the_gradient_is_that_of_what_was_kept() -> None:
    torch.manual_seed(4)
    states = torch.randn(9, 3, dtype=torch.float64, requires_grad=True)
    dropped = Dropout(0.4)(states)
    dropped.sum().backward()
    assert torch.equal(states.grad == 0, dropped == 0)
    torch.testing.assert_close(states.grad * states.detach(), dropped.detach())


@pytest.mark.parametrize("shape", [(), (1,), (0, 4), (2, 3, 5)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_any_shape_and_type_comes_back(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    dropped = Dropout(0.5)(torch.ones(shape, dtype=dtype))
    assert (dropped.shape, dropped.dtype) == (shape, dtype)
