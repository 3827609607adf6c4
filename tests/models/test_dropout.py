import pytest
import torch

from seq2attn.models.dropout import Dropout, WordDropout

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


def test_a_variational_mask_is_the_same_at_every_step_and_differs_between_sentences() -> None:
    torch.manual_seed(5)
    dropped = Dropout(0.4, variational=True)(torch.ones(6, 9, 50))
    assert torch.equal(dropped, dropped[:, :1].expand_as(dropped))
    assert not torch.equal(dropped[0], dropped[1])
    assert dropped.unique().tolist() == pytest.approx([0, 1 / 0.6], rel=1e-4)


@pytest.mark.parametrize("variational", [False, True])
def test_a_loop_over_steps_drops_as_the_whole_sequence_does(variational: bool) -> None:
    torch.manual_seed(6)
    held = Dropout(0.5, variational=variational).hold()
    steps = torch.cat([held(torch.ones(2, 1, 40)) for _ in range(5)], 1)
    assert torch.equal(steps, steps[:, :1].expand_as(steps)) is variational
    assert 0 < (steps == 0).sum() < steps.numel()


def test_words_are_dropped_whole_at_their_rate_and_only_in_training() -> None:
    torch.manual_seed(7)
    vectors = torch.randn(100, 50, 3)
    dropped = WordDropout(0.2)(vectors)
    gone = (dropped == 0).all(2)
    assert gone.double().mean().item() == pytest.approx(0.2, abs=0.03)
    torch.testing.assert_close(dropped[~gone], vectors[~gone] / 0.8, rtol=2e-4, atol=0)
    assert WordDropout(0.2).eval()(vectors) is vectors
    assert WordDropout(0.0)(vectors) is vectors
