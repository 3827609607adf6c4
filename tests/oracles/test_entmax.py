"""The sparse normalizers against the `entmax` library."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor

from seq2attn.attention.normalizers import Entmax, LearnedEntmax, Normalizer, sparsemax

entmax = pytest.importorskip("entmax")

G, N, S = 3, 40, 30
EXACT = {"rtol": 0, "atol": 1e-11}


def draw(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("length", [1, 2, 7, S])
@pytest.mark.parametrize("spread", [0.1, 1.0, 20.0])
@pytest.mark.parametrize(
    ("own", "theirs"),
    [
        (sparsemax, entmax.sparsemax),
        (Entmax(1.5), entmax.entmax15),
        *((Entmax(alpha), partial(entmax.entmax_bisect, alpha=alpha)) for alpha in (1.01, 1.3, 1.5, 2.0, 3.0)),
    ],
    ids=["sparsemax", "entmax15", "1.01", "1.3", "1.5", "2", "3"],
)
def test_weights_and_gradients_are_the_librarys(
    own: Normalizer, theirs: Callable[[Tensor], Tensor], spread: float, length: int
) -> None:
    """Theirs has no mask: it is given the legal scores alone."""
    scores = (spread * draw(N, S, seed=1)).requires_grad_()
    weights = own(scores, (torch.arange(S) < length).expand(N, S))
    (weights * draw(N, S, seed=2)).sum().backward()
    legal = scores.detach()[:, :length].clone().requires_grad_()
    expected = theirs(legal)
    (expected * draw(N, S, seed=2)[:, :length]).sum().backward()
    torch.testing.assert_close(weights[:, :length], expected, **EXACT)
    torch.testing.assert_close(scores.grad[:, :length], legal.grad, **EXACT)


def test_the_gradient_of_a_learned_alpha_is_the_librarys() -> None:
    learned = LearnedEntmax(G).double()
    with torch.no_grad():
        learned.logit.copy_(torch.tensor([-3.0, 0.0, 2.0])[:, None, None])
    scores, target = draw(2, G, N, S, seed=1), draw(2, G, N, S, seed=2)
    (learned(scores, torch.ones(2, G, N, S, dtype=torch.bool)) * target).sum().backward()
    logit = learned.logit.detach().clone().requires_grad_()
    (entmax.entmax_bisect(scores, 1 + logit.sigmoid()) * target).sum().backward()
    torch.testing.assert_close(learned.logit.grad, logit.grad, rtol=1e-10, atol=0)
