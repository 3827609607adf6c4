"""The moving average of the weights."""

import pytest
import torch
from torch import nn

from seq2attn.training.ema import MovingAverage


def test_the_average_by_hand() -> None:
    model = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        model.weight.fill_(1.0)
    average = MovingAverage(model, 0.5)
    expected = 1.0
    for number, value in enumerate((2.0, 4.0, -3.0, 7.0, 0.5, 1.5, 9.0, 3.0, 2.0, 8.0), start=1):
        with torch.no_grad():
            model.weight.fill_(value)
        changed = number != 4
        average.update(number, torch.tensor(changed))
        decay = min(0.5, (1 + number) / (10 + number))
        expected = decay * expected + (1 - decay) * value if changed else expected
        with average.in_place():
            assert model.weight.item() == pytest.approx(expected, abs=1e-6)
        assert model.weight.item() == value


def test_a_decay_of_almost_0_is_the_weights_themselves() -> None:
    model = nn.Linear(2, 3)
    average = MovingAverage(model, 1e-9)
    with torch.no_grad():
        model.bias.add_(1)
    average.update(1, torch.tensor(True))
    before = {name: weights.clone() for name, weights in model.named_parameters()}
    with average.in_place():
        assert all(torch.allclose(weights, before[name]) for name, weights in model.named_parameters())
    assert all(torch.equal(weights, before[name]) for name, weights in model.named_parameters())


def test_it_goes_on_from_what_was_saved() -> None:
    torch.manual_seed(0)
    model, other = nn.Linear(2, 3), nn.Linear(2, 3)
    average = MovingAverage(model, 0.9)
    with torch.no_grad():
        model.weight.mul_(3)
    average.update(1, torch.tensor(True))
    other.load_state_dict(average.weights())
    restored = MovingAverage(other, 0.9)
    restored.restore(dict(model.named_parameters()))
    assert torch.equal(other.weight, model.weight)
    with average.in_place(), restored.in_place():
        assert torch.equal(other.weight, model.weight)
