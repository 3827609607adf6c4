"""R-Drop's loss against its definition, differentiated by PyTorch."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, kl_div

from seq2attn.tokens import PAD
from seq2attn.training import r_drop
from seq2attn.training.loss import sequence_loss
from seq2attn.training.r_drop import paired_loss
from tests.laws.systems import system
from tests.training.toy import batch, trainer

TARGET = torch.tensor([[4, 6, 2, 3, PAD], [9, 3, PAD, PAD, PAD], [5, 5, 7, 8, 3]])


def inputs() -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(0)
    features, weight, bias = torch.randn(6, 5, 4), torch.randn(11, 4), torch.randn(11)
    return features.double().requires_grad_(), weight.double().requires_grad_(), bias.double().requires_grad_()


@pytest.mark.parametrize("at_once", [1 << 21, 50])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_loss_and_gradient_are_those_of_the_definition(
    monkeypatch: pytest.MonkeyPatch, at_once: int, smoothing: float
) -> None:
    monkeypatch.setattr(r_drop, "LOGITS_AT_ONCE", at_once)
    features, weight, bias = inputs()
    found = paired_loss(features, weight, bias, TARGET, smoothing=smoothing, alpha=3.0)
    real = TARGET != PAD
    first, second = ((features @ weight.T + bias)[part][real] for part in (slice(0, 3), slice(3, 6)))
    gold = TARGET[real]
    cross = sum(cross_entropy(s, gold, reduction="sum", label_smoothing=smoothing) for s in (first, second))
    p, q = first.log_softmax(1), second.log_softmax(1)
    divergence = kl_div(p, q, reduction="sum", log_target=True) + kl_div(q, p, reduction="sum", log_target=True)
    wanted = cross / 2 + 3.0 / 4 * divergence
    torch.testing.assert_close(found.smoothed, wanted, rtol=0, atol=1e-10)
    nll = sum(cross_entropy(s, gold, reduction="sum") for s in (first, second)) / 2
    torch.testing.assert_close(found.nll, nll.detach(), rtol=0, atol=1e-10)
    own = torch.autograd.grad(found.smoothed, (features, weight, bias))
    for one, other in zip(own, torch.autograd.grad(wanted, (features, weight, bias)), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-10)


def test_equal_passes_have_the_usual_loss() -> None:
    features, weight, bias = inputs()
    once = features[:3]
    usual = sequence_loss(once, weight, bias, TARGET, smoothing=0.1)
    found = paired_loss(torch.cat([once, once]), weight, bias, TARGET, smoothing=0.1, alpha=5.0)
    torch.testing.assert_close(found.smoothed, usual.smoothed, rtol=0, atol=1e-10)
    torch.testing.assert_close(found.nll, usual.nll, rtol=0, atol=1e-10)


def test_without_dropout_training_is_what_it_was() -> None:
    plain, paired = (
        trainer([batch(0, 1), batch(2, 3)], model=system("luong"), max_updates=3, r_drop=alpha) for alpha in (None, 5.0)
    )
    for each in (plain, paired):
        torch.manual_seed(1)
        for _ in range(3):
            each.update()
    for one, other in zip(plain.model.parameters(), paired.model.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-9)


def test_with_dropout_the_passes_differ() -> None:
    own = trainer([batch(0, 1)], model=system("luong", dropout=0.5), r_drop=5.0)
    own.model.train()
    source, target = batch(0, 1).source, batch(0, 1).target
    first, second = own.model(source.repeat(2, 1), target.repeat(2, 1)).chunk(2)
    assert not torch.allclose(first, second)
