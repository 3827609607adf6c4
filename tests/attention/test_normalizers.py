import pytest
import torch

from seq2attn.attention import softmax

LEGAL = torch.tensor([[True, True, True, False], [False, True, False, False]])


def test_softmax_is_that_of_the_legal_scores_alone() -> None:
    scores = torch.tensor([[0.5, -1.0, 2.0, 9.0], [3.0, -7.0, 9.0, 1.0]], dtype=torch.float64)
    weights = softmax(scores, LEGAL)
    torch.testing.assert_close(weights[0, :3], scores[0, :3].softmax(0), rtol=0, atol=1e-15)
    assert weights[0, 3] == 0
    assert weights[1].tolist() == [0, 1, 0, 0]


@pytest.mark.parametrize("magnitude", [800.0, -800.0, 1e30, -1e30])
def test_large_scores_neither_overflow_nor_vanish(magnitude: float) -> None:
    scores = torch.tensor([[magnitude, magnitude, 0.0, 0.0]])
    weights = softmax(scores, torch.tensor([[True, True, False, True]]))
    assert weights.tolist() == [[0.5, 0.5, 0, 0] if magnitude > 0 else [0, 0, 0, 1]]


def test_a_row_without_a_legal_position_has_zero_weights_and_zero_gradient() -> None:
    scores = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    legal = torch.ones(3, 4, dtype=torch.bool)
    legal[1] = False
    weights = softmax(scores, legal)
    (weights * torch.randn(3, 4, dtype=torch.float64)).sum().backward()
    assert (weights[1] == 0).all()
    assert (scores.grad[1] == 0).all()
    assert (scores.grad[0] != 0).all()


def test_illegal_scores_have_no_gradient_even_when_they_are_not_finite() -> None:
    scores = torch.tensor([[1.0, torch.inf, 2.0]], dtype=torch.float64, requires_grad=True)
    softmax(scores, torch.tensor([[True, False, True]]))[0, 0].backward()
    p = torch.tensor(1.0, dtype=torch.float64).sigmoid().item()  # p of the higher one
    assert scores.grad.tolist()[0] == pytest.approx([p * (1 - p), 0, -p * (1 - p)], abs=1e-12)


def test_weights_of_bf16_scores_are_fp32() -> None:
    weights = softmax(torch.randn(2, 50).bfloat16(), torch.ones(2, 50, dtype=torch.bool))
    assert weights.dtype == torch.float32
    torch.testing.assert_close(weights.sum(-1), torch.ones(2), rtol=0, atol=1e-6)
