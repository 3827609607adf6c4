import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from seq2attn.data.batches import Batch
from seq2attn.errors import DivergedError
from seq2attn.tokens import PAD
from seq2attn.training.schedule import Schedule, inverse_sqrt
from seq2attn.training.trainer import MAX_SKIPPED, Callback, Trainer
from tests.laws.systems import system
from tests.training.toy import SOURCE, TARGET, batch, trainer


def flat(model: torch.nn.Module) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.AdamW])
def test_accumulated_batches_make_the_weights_of_one_large_batch(optimizer: Any) -> None:
    found = []
    for batches, accumulation in (([batch(0, 1, 2, 3)], 1), ([batch(0), batch(1, 2, 3)], 2)):
        model = system("bahdanau")
        own = trainer(batches, model=model, optimizer=optimizer(model.parameters(), 0.1), accumulation=accumulation)
        own.run([])
        found.append((flat(model), own.tokens, own.position.update))
    torch.testing.assert_close(found[0][0], found[1][0], rtol=0, atol=1e-10)
    assert found[0][1:] == found[1][1:] == (4 * int((TARGET != PAD).sum()), 4)


def test_the_gradient_is_that_of_the_mean_over_target_tokens() -> None:
    model, before = system("luong"), system("luong")
    own = trainer([batch(0, 1), batch(2, 3)], model=model, accumulation=2)
    own.update()
    [step] = own.read_steps()
    logits = before.logits(before(SOURCE, TARGET)).transpose(1, 2)
    loss = F.cross_entropy(logits, TARGET, ignore_index=PAD, label_smoothing=0.1)
    loss.backward()
    for own, start in zip(model.parameters(), before.parameters(), strict=True):
        torch.testing.assert_close(own, start - 0.1 * start.grad, rtol=0, atol=1e-10)
    nll = F.cross_entropy(logits, TARGET, ignore_index=PAD, reduction="sum")
    assert step.nll == pytest.approx(nll.item(), abs=1e-9)
    assert step.tokens == int((TARGET != PAD).sum())


def test_a_long_gradient_is_clipped_and_a_short_one_is_not() -> None:
    changes = {}
    for clip in (1e-3, 1e3, math.inf):
        model, before = system("luong"), system("luong")
        trainer([batch(0, 1)], model=model, clip_norm=clip).update()
        changes[clip] = flat(model) - flat(before)
    assert changes[1e-3].norm().item() == pytest.approx(0.1 * 1e-3, rel=1e-3)
    assert torch.nn.functional.cosine_similarity(changes[1e-3], changes[math.inf], 0) > 1 - 1e-9
    torch.testing.assert_close(changes[1e3], changes[math.inf], rtol=0, atol=0)


class Watch(torch.nn.Module):
    """Writes down how far training is."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[float] = []

    def anneal(self, progress: float) -> None:
        self.seen.append(progress)


@pytest.mark.parametrize(("updates", "seen"), [(1, [0.0]), (5, [0.0, 0.25, 0.5, 0.75, 1.0])])
def test_what_is_annealed_hears_before_each_update_how_far_training_is(updates: int, seen: list[float]) -> None:
    model, watch = system("luong"), Watch()
    model.add_module("watch", watch)
    trainer([batch(0)], model=model, max_updates=updates).run([])
    assert watch.seen == seen


def test_every_update_has_its_schedules_rate_counted_from_one() -> None:
    rate = inverse_sqrt(0.2, 2)
    own = trainer([batch(0)], schedule=Schedule(rate))
    for _ in range(3):
        own.update()
    steps = own.read_steps()
    assert [step.learning_rate for step in steps] == [rate(1), rate(2), rate(3)]
    assert own.optimizer.param_groups[0]["lr"] == rate(3)
    assert all(step.seconds > 0 for step in steps)
    assert own.seconds == pytest.approx(sum(step.seconds for step in steps))


def test_epochs_follow_one_another_also_inside_an_update() -> None:
    asked: list[int] = []
    seen: list[int] = []
    own = trainer([], accumulation=2)
    differentiate = own.differentiate

    def plan_epoch(number: int) -> list[Batch]:
        asked.append(number)
        return [batch(0), batch(1), batch(2)]

    def record(part: Batch, tokens: int) -> torch.Tensor:
        seen.append(int(part.indices[0]))
        return differentiate(part, tokens)

    own._plan_epoch = plan_epoch
    own.differentiate = record  # type: ignore[method-assign]
    own.run([])
    assert asked == [0, 1, 2]
    assert seen == [0, 1, 2, 0, 1, 2, 0, 1]
    assert vars(own.position) == {"update": 4, "epoch": 2, "batch": 2, "skipped": 0, "skipped_in_a_row": 0}


class Recorder(Callback):
    """Notes its calls; stops training at an update."""

    def __init__(self, name: str, calls: list[str], stop_at: int | None = None) -> None:
        self.name, self.calls, self.stop_at = name, calls, stop_at

    def after_update(self, trainer: Trainer) -> None:
        self.calls.append(f"{self.name} {trainer.position.update}")
        if trainer.position.update == self.stop_at:
            trainer.stop.early = True

    def at_end(self, trainer: Trainer) -> None:
        self.calls.append(f"{self.name} end")


def test_callbacks_are_called_in_their_order_until_one_stops() -> None:
    calls: list[str] = []
    own = trainer([batch(0)], max_updates=9)
    callbacks = [Recorder("a", calls, stop_at=2), Recorder("b", calls)]
    own.run(callbacks)
    own.finish(callbacks)
    assert calls == ["a 1", "b 1", "a 2", "b 2", "a end", "b end"]


def broken(own: Trainer, when: set[int]) -> None:
    """Gradients that are not finite in these updates."""
    own.model.bias.register_hook(lambda gradient: gradient * (math.nan if own.position.update in when else 1.0))


def test_an_update_without_a_finite_gradient_changes_nothing_and_training_goes_on() -> None:
    model = system("luong")
    own = trainer([batch(0, 1)], model=model, optimizer=torch.optim.AdamW(model.parameters(), 0.1))
    broken(own, {2})
    own.update()
    after_one = flat(model)
    own.update()
    assert torch.equal(flat(model), after_one)
    assert own.position.update == 2
    assert (own.position.skipped, own.position.skipped_in_a_row) == (1, 1)
    own.update()
    assert (own.position.skipped, own.position.skipped_in_a_row) == (1, 0)
    assert not torch.equal(flat(model), after_one)
    assert torch.isfinite(flat(model)).all()


def test_ten_updates_in_a_row_without_a_finite_gradient_end_the_run() -> None:
    own = trainer([batch(2, 1)], max_updates=100, locate=lambda index: f"train.en:{index + 1}")
    broken(
        own, {*range(1, MAX_SKIPPED), *range(MAX_SKIPPED + 1, 100)}
    )  # one good update in between starts the count anew
    with pytest.raises(
        DivergedError, match=r"update 20: 10 updates .* rate 0\.1; .* 2 .* pairs: train\.en:3, train\.en:2\)"
    ) as caught:
        own.run([])
    assert caught.value.exit_code == 3
    assert "learning_rate" in caught.value.hint


def test_training_makes_the_loss_fall(tmp_path: Path) -> None:
    model = system("transformer")
    own = trainer([batch(0, 1, 2, 3)], model=model, optimizer=torch.optim.AdamW(model.parameters(), 0.1), clip_norm=1.0)
    for _ in range(12):
        own.update()
    losses = [step.nll for step in own.read_steps()]
    assert losses[-1] < 0.7 * losses[0]
