import itertools
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from seq2attn.errors import DivergedError, NotFiniteError
from seq2attn.training.callbacks import EarlyStopping, Metrics, TrainLog, Validation
from seq2attn.training.checkpoint import Checkpoints, LogState, ValidationState, copy_weights
from seq2attn.training.saving import Saving
from seq2attn.training.schedule import Plateau
from seq2attn.training.trainer import DIVERGED_HINT, Step, Trainer
from tests.laws.systems import system
from tests.training.toy import batch, trainer


def events(metrics: Metrics) -> list[dict[str, Any]]:
    return [json.loads(line) for line in metrics.path.read_text().splitlines()]


def silent(update: int, values: Mapping[str, float]) -> None:
    pass


@pytest.fixture
def metrics(tmp_path: Path) -> Metrics:
    return Metrics(tmp_path / "metrics.jsonl")


def test_metrics_are_lines_of_json_that_can_be_cut_off(metrics: Metrics) -> None:
    metrics.cut(0)
    assert metrics.size() == 0
    metrics.write("train", 3, loss=0.1 + 0.2)
    size = metrics.size()
    metrics.write("end", 4)
    assert events(metrics) == [{"event": "train", "update": 3, "loss": 0.1 + 0.2}, {"event": "end", "update": 4}]
    metrics.cut(size)
    assert len(events(metrics)) == 1


def logged(log: TrainLog, own: Trainer, updates: range) -> None:
    for update in updates:
        own.position.update = update
        own.seconds = 10.0 * update
        own._steps.append(Step(nll=6.0 * update, tokens=2 + update, learning_rate=0.1 * update, seconds=0.5))
        log.after_update(own)


def test_a_train_event_holds_the_mean_since_the_last_one_and_comes_at_the_end_too(metrics: Metrics) -> None:
    shown: list[int] = []
    own, log = trainer([]), TrainLog(metrics, 2, lambda update, values: shown.append(update))
    logged(log, own, range(1, 6))
    log.at_end(own)
    log.at_end(own)
    first, second, last = events(metrics)
    assert first == {
        "event": "train",
        "update": 2,
        "loss": 18 / 7,
        "learning_rate": 0.2,
        "skipped": 0,
        "seconds": 20.0,
        "target_tokens_per_second": 7.0,
    }
    assert (second["update"], second["loss"]) == (4, 42 / 11)
    assert (last["update"], last["loss"], last["target_tokens_per_second"]) == (5, 30 / 7, 14.0)
    assert shown == [2, 4, 5]


def test_a_restored_log_goes_on_in_the_middle_of_its_sums(metrics: Metrics, tmp_path: Path) -> None:
    other = Metrics(tmp_path / "other.jsonl")
    own, whole, first, second = trainer([]), *(TrainLog(m, 4, silent) for m in (metrics, other, other))
    logged(whole, own, range(1, 9))
    logged(first, own, range(1, 3))
    second.restore(LogState.model_validate_json(first.state(own).model_dump_json()))
    logged(second, own, range(3, 9))
    assert events(other) == events(metrics)


def losses(*values: float) -> Any:
    found = iter(values)
    return lambda: {"loss": next(found), "bleu": torch.rand(()).item()}


def validated(callbacks: list[Any], own: Trainer, updates: range) -> list[int]:
    """The updates after which each callback was called, up to the one that stopped training."""
    for update in updates:
        own.position.update = update
        for callback in callbacks:
            callback.after_update(own)
        if own.stop:
            return [*range(updates.start, update + 1)]
    return [*updates]


def test_validation_comes_every_so_often_and_once_at_the_end(metrics: Metrics) -> None:
    own, validation = trainer([]), Validation(losses(3.0, 2.0, 1.0), metrics, 2, silent)
    validated([validation], own, range(1, 6))
    validation.at_end(own)
    validation.at_end(own)
    assert [(event["event"], event["update"], event["loss"]) for event in events(metrics)] == [
        ("validation", 2, 3.0),
        ("validation", 4, 2.0),
        ("validation", 5, 1.0),
    ]
    assert {update: values["loss"] for update, values in validation.history.items()} == {2: 3.0, 4: 2.0, 5: 1.0}
    again = Validation(losses(), metrics, 2, silent)
    again.restore(ValidationState.model_validate_json(validation.state().model_dump_json()))
    assert again.history == validation.history


def test_a_validation_without_a_finite_loss_ends_the_run(metrics: Metrics) -> None:
    own, validation = trainer([]), Validation(losses(math.nan), metrics, 1, silent)
    with pytest.raises(DivergedError, match=r"update 1: the validation loss is not finite \(learning rate 0.1\)"):
        validated([validation], own, range(1, 2))
    assert not metrics.path.exists()


def test_scores_in_validation_that_are_not_numbers_are_divergence(metrics: Metrics) -> None:
    def validate() -> dict[str, float]:
        raise NotFiniteError("the model's scores are not numbers", "its weights are damaged, or training diverged")

    with pytest.raises(DivergedError, match=r"update 1: in validation, .* not numbers \(learning rate 0.1\)") as caught:
        validated([Validation(validate, metrics, 1, silent)], trainer([]), range(1, 2))
    assert caught.value.hint == DIVERGED_HINT


def test_validation_tells_the_schedule_and_leaves_the_random_state_alone(metrics: Metrics) -> None:
    own = trainer([], schedule=Plateau(1.0, warmup=0, factor=0.5, patience=2, metric="loss"))
    before = torch.get_rng_state()
    validated([Validation(losses(1.0, 2.0, 3.0), metrics, 1, silent)], own, range(1, 4))
    assert own.schedule.rate(4) == 0.5
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("values", "stops"), [((5, 4, 4, 4, 3, 2), 4), ((5, 6, 4, 6, 5, 2), 5), ((6, 5, 4, 3, 2, 1), 6), ((1, 2, 3), 3)]
)
def test_early_stopping_waits_for_patience_validations_without_improvement(
    metrics: Metrics, values: tuple[float, ...], stops: int
) -> None:
    own, validation = trainer([]), Validation(losses(*map(float, values)), metrics, 1, silent)
    callbacks = [validation, EarlyStopping(validation, "loss", 2)]
    assert validated(callbacks, own, range(1, len(values) + 1)) == [*range(1, stops + 1)]


def test_early_stopping_by_bleu_goes_on_while_the_loss_falls(metrics: Metrics) -> None:
    figures = iter([{"bleu": 0.0, "loss": loss} for loss in (5.4, 4.9, 4.6, 4.4, 4.5, 4.6)])
    own, validation = trainer([]), Validation(lambda: next(figures), metrics, 1, silent)
    callbacks = [validation, EarlyStopping(validation, "bleu", 2)]
    assert validated(callbacks, own, range(1, 7)) == [1, 2, 3, 4, 5, 6]
    assert own.stop.early


def saving(folder: Path, metrics: Metrics, validation: Validation, **settings: Any) -> Saving:
    own = {"metric": "loss", "keep_last": 1, "keep_best": 1, **settings}
    return Saving(Checkpoints(folder), metrics, TrainLog(metrics, 99, silent), validation, **own)


@pytest.mark.parametrize(
    ("settings", "kept", "best"),
    [
        ({"keep_last": 1, "keep_best": 1}, [2, 4, 5], [2, 4, 5]),  # never fewer than two, should one be damaged
        ({"keep_last": 3, "keep_best": 1}, [2, 3, 4, 5], [2, 4, 3, 5]),
        ({"keep_last": 1, "keep_best": 3}, [2, 3, 4, 5], [2, 4, 3, 5]),  # of the equal 1 and 3 the newer
        ({"keep_last": 1, "keep_best": 2, "metric": "bleu"}, [3, 4, 5], [4, 3, 5]),
    ],
)
def test_the_newest_and_the_best_checkpoints_are_kept(
    tmp_path: Path, metrics: Metrics, settings: dict[str, Any], kept: list[int], best: list[int]
) -> None:
    figures = [(3, 0), (1, 1), (3, 7), (2, 9), (4, 2)]
    found = iter([{"loss": float(loss), "bleu": float(bleu)} for loss, bleu in figures])
    own, validation = trainer([]), Validation(lambda: next(found), metrics, 1, silent)
    own_saving = saving(tmp_path / "c", metrics, validation, **settings)
    validated([validation, own_saving], own, range(1, 6))
    assert Checkpoints(tmp_path / "c").updates() == kept
    assert own_saving.best() == best


def test_a_checkpoint_is_saved_when_asked_for_and_does_not_displace_those_after_validations(
    tmp_path: Path, metrics: Metrics
) -> None:
    own, validation = trainer([]), Validation(losses(1.0, 2.0, 3.0), metrics, 2, silent)
    own_saving = saving(tmp_path / "c", metrics, validation, keep_last=2)
    callbacks = [validation, own_saving]
    validated(callbacks, own, range(1, 5))
    own.stop.signal = 15
    assert validated(callbacks, own, range(5, 9)) == [5]
    assert own.stop
    assert Checkpoints(tmp_path / "c").updates() == [2, 4, 5]
    own.stop.signal = None
    validated(callbacks, own, range(6, 7))
    assert Checkpoints(tmp_path / "c").updates() == [2, 4, 6]


def test_a_checkpoint_by_time_goes_with_the_next(tmp_path: Path, metrics: Metrics) -> None:
    own, validation = trainer([]), Validation(losses(3.0, 2.0, 1.0), metrics, 4, silent)
    now = itertools.count(step=30.0)  # seconds: each look at the clock is half a minute after the last
    own_saving = saving(tmp_path / "c", metrics, validation, every_minutes=1.0, clock=lambda: next(now))
    kept = {}
    for update in range(1, 13):
        validated([validation, own_saving], own, range(update, update + 1))
        kept[update] = Checkpoints(tmp_path / "c").updates()
    assert [update for update in kept if kept[update] and kept[update][-1] == update] == [2, 4, 6, 8, 10, 12]
    assert kept[10] == [4, 8, 10]
    assert kept[12] == [8, 12]
    assert [event["update"] for event in events(metrics) if event["event"] == "checkpoint"] == [4, 8, 12]


def test_the_end_is_saved_once(tmp_path: Path, metrics: Metrics) -> None:
    own, validation = trainer([]), Validation(losses(3.0, 2.0), metrics, 2, silent)
    own_saving = saving(tmp_path / "c", metrics, validation)
    validated([validation, own_saving], own, range(1, 4))
    for callback in (validation, own_saving, own_saving):
        callback.at_end(own)
    assert [(event["event"], event["update"]) for event in events(metrics)] == [
        ("validation", 2),
        ("checkpoint", 2),
        ("validation", 3),
        ("checkpoint", 3),
    ]


def dropping(name: str) -> Trainer:
    model = system(name, dropout=0.3)
    return trainer(
        [batch(0, 1), batch(2), batch(3, 0)],
        model=model,
        optimizer=torch.optim.AdamW(model.parameters(), 0.01, fused=True),
        schedule=Plateau(0.01, warmup=3, factor=0.5, patience=1, metric="loss"),
        accumulation=2,
        max_updates=8,
    )


def callbacks_of(folder: Path, own: Trainer) -> tuple[list[Any], Saving]:
    folder.mkdir(exist_ok=True)
    metrics = Metrics(folder / "metrics.jsonl")
    validation = Validation(lambda: {"loss": float(own.model.bias.abs().sum().detach())}, metrics, 2, silent)
    log = TrainLog(metrics, 3, silent)
    last = Saving(
        Checkpoints(folder / "checkpoints"),
        metrics,
        log,
        validation,
        metric="loss",
        keep_last=1,
        keep_best=1,
    )
    return [log, validation, last], last


@pytest.mark.parametrize("name", ["luong", "reinforce", "gumbel"])
@pytest.mark.parametrize("cut", [1, 2, 5, 7])
def test_stopping_and_resuming_equals_not_stopping(tmp_path: Path, cut: int, name: str) -> None:
    torch.manual_seed(4)
    whole = dropping(name)
    torch.manual_seed(4)
    whole.run(callbacks_of(tmp_path / "whole", whole)[0])

    first = dropping(name)
    torch.manual_seed(4)
    callbacks, last = callbacks_of(tmp_path / "parts", first)
    for _ in range(cut):
        first.update()
        for callback in callbacks:
            callback.after_update(first)
    last.at_end(first)
    last._metrics.write("train", 99, loss=0.0)  # written after the checkpoint: to be forgotten

    second = dropping(name)
    torch.manual_seed(1000)
    callbacks, last = callbacks_of(tmp_path / "parts", second)
    last.resume(second, cut)
    second.run(callbacks)

    assert vars(second.position) == vars(whole.position)
    assert second.tokens == whole.tokens
    for name, weight in copy_weights(whole.model).items():
        assert torch.equal(weight, copy_weights(second.model)[name]), name
    timeless = [
        [
            {k: v for k, v in event.items() if "second" not in k}
            for event in events(Metrics(tmp_path / p / "metrics.jsonl"))
        ]
        for p in ("whole", "parts")
    ]
    assert timeless[1] == timeless[0]


@pytest.mark.parametrize("kind", ["plain", "momentum", "adam"])
def test_the_optimizers_state_is_saved_and_restored(tmp_path: Path, kind: str) -> None:
    def made() -> Trainer:
        model = system("lstm")
        optimizers: dict[str, Any] = {
            "plain": lambda: torch.optim.SGD(model.parameters(), 0.1),
            "momentum": lambda: torch.optim.SGD(model.parameters(), 0.1, 0.9),
            "adam": lambda: torch.optim.Adam(model.parameters(), 0.1),
        }
        return trainer([batch(0, 1)], model=model, optimizer=optimizers[kind](), max_updates=4)

    whole, first, second = made(), made(), made()
    whole.run([])
    first.max_updates = 2
    first.run([])
    callbacks_of(tmp_path, first)[1].save(first)
    callbacks_of(tmp_path, second)[1].resume(second, 2)
    second.run([])
    for name, weight in copy_weights(whole.model).items():
        assert torch.equal(weight, copy_weights(second.model)[name]), name
