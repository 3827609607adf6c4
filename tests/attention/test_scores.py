"""Scores against loops written by hand."""

import pytest
import torch
from torch import Tensor

from seq2attn.attention import Additive, Dot, General, Score

B, G, Q, S, D, K = 2, 3, 4, 5, 6, 7


def states(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64)


def by_hand(score: Score, query: Tensor, key: Tensor) -> Tensor:
    match score:
        case Dot():
            return score.dot_scale * sum(q * k for q, k in zip(query, key, strict=True))
        case General():
            return sum(
                query[i] * score.weight.weight[i, j] * key[j] for i in range(len(query)) for j in range(len(key))
            )
        case Additive():
            total = query.new_zeros(())
            for unit in range(score.vector.shape[1]):
                inner = score.query.weight[unit] @ query + score.key.weight[unit] @ key + score.key.bias[unit]
                total = total + score.vector[0, unit] * torch.tanh(inner)
            return total
    raise AssertionError(score)


@pytest.mark.parametrize(
    ("score", "key_width"),
    [
        (Dot(), D),
        (Dot(scale=0.3), D),
        (General(query_width=D, key_width=K), K),
        (Additive(query_width=D, key_width=K, width=3), K),
    ],
    ids=["dot", "scaled dot", "general", "additive"],
)
def test_every_score_is_its_formula(score: Score, key_width: int) -> None:
    assert isinstance(score, torch.nn.Module)
    score.double()
    if isinstance(score, Additive):
        torch.nn.init.normal_(score.key.bias)
    query, source = states(B, G, Q, D), states(B, G, S, key_width)
    scores = score(query, score.keys(source))
    for place in torch.cartesian_prod(*map(torch.arange, (B, G, Q, S))).tolist():
        b, g, q, s = place
        expected = by_hand(score, query[b, g, q], source[b, g, s])
        torch.testing.assert_close(scores[b, g, q, s], expected, rtol=0, atol=1e-12)


def test_general_with_the_identity_is_dot() -> None:
    general = General(query_width=D, key_width=D).double()
    torch.nn.init.eye_(general.weight.weight)
    query, source = states(B, 1, Q, D), states(B, 1, S, D)
    torch.testing.assert_close(general(query, general.keys(source)), Dot()(query, source), rtol=0, atol=0)


def test_only_scores_that_are_dot_products_say_so() -> None:
    assert Dot(scale=0.5).dot_scale == 0.5
    assert General(query_width=2, key_width=2).dot_scale == 1.0
    assert Additive(query_width=2, key_width=2, width=2).dot_scale is None
