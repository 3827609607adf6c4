"""The trial before training."""

import re

import torch

from seq2attn.training.trial import estimate_training
from tests.laws.systems import system
from tests.training.toy import batch, trainer


def test_a_trial_leaves_weights_and_random_state_alone() -> None:
    own = trainer([batch(0, 1), batch(2, 3)], model=system("reinforce", dropout=0.3), max_updates=10)
    before = {name: tensor.clone() for name, tensor in own.model.state_dict().items()}
    random = torch.get_rng_state()
    said = estimate_training(own, own.epoch, accumulation=2)
    assert re.match(r"2 batches an epoch, so 10 epochs; estimated from 2 of them: about ", said)
    assert all(torch.equal(tensor, before[name]) for name, tensor in own.model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)
    assert all(parameter.grad is None for parameter in own.model.parameters())
    assert (own.position.update, own.position.batch) == (0, 0)
