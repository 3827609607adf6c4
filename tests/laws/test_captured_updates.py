"""On a GPU: updates that replay captured graphs make the weights that plain ones make."""

import numpy as np
import pytest
import torch

from seq2attn.data.batches import Batch
from seq2attn.training.schedule import Schedule, constant
from seq2attn.training.trainer import Trainer
from tests.laws.systems import DEVICE, MODELS, sentences, system

pytestmark = pytest.mark.skipif(DEVICE.type != "cuda", reason="SEQ2ATTN_TEST_DEVICE is not cuda")


def train(name: str, *, captured: bool) -> tuple[Trainer, list[float]]:
    """Eight updates, with batches of two shapes, one of them larger than what was captured before."""
    model, pairs = system(name).train(), [([4, 6, 1], [5, 2, 4]), ([9, 12], [11, 3])]
    batches = [
        Batch(sentences(source).cpu(), sentences(target).cpu(), np.arange(len(source))) for source, target in pairs
    ]
    trainer = Trainer(
        model,
        torch.optim.AdamW(model.parameters(), 0.01, fused=True),
        Schedule(constant(0.01, 1)),
        lambda _: batches,
        max_updates=8,
        accumulation=1,
        clip_norm=1.0,
        label_smoothing=0.1,
        autocast=lambda: torch.autocast("cuda", enabled=False),
    )
    if not captured:
        trainer.captured = None
    trainer.run([])
    return trainer, [step.nll for step in trainer.read_steps()]


@pytest.mark.parametrize("name", MODELS)
def test_captured_updates_equal_plain_ones(name: str) -> None:
    own, losses = train(name, captured=True)
    plain, right = train(name, captured=False)
    if name in ("reinforce", "gumbel", "marginal", "elbo", "location", "transformer, local-m with drawn positions"):
        assert own.captured is None
        return
    assert own.captured is not None
    assert own.captured.failure is None
    assert own.captured.graphs == 2
    assert losses == pytest.approx(right, abs=1e-8)
    for a, b in zip(own.model.parameters(), plain.model.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-7)


def test_an_update_without_a_finite_loss_changes_nothing() -> None:
    trainer, _ = train("luong", captured=True)
    before = {key: parameter.detach().clone() for key, parameter in trainer.model.named_parameters()}
    with torch.no_grad():
        trainer.model.bias[5] = torch.nan
    trainer.max_updates = 100
    for _ in range(3):
        trainer.update()
    trainer.read_steps()
    assert trainer.position.skipped == 3
    for key, parameter in trainer.model.named_parameters():
        assert key == "bias" or torch.equal(parameter, before[key])
