import math
from collections.abc import Callable

import pytest

from seq2attn.training.schedule import Plateau, Schedule, constant, cosine, inverse_sqrt


@pytest.mark.parametrize(
    ("rate", "values"),
    [
        (constant(0.5, 0), {1: 0.5, 1000: 0.5}),
        (constant(0.5, 4), {1: 0.125, 3: 0.375, 4: 0.5, 5: 0.5}),
        (inverse_sqrt(0.2, 4), {1: 0.05, 2: 0.1, 4: 0.2, 16: 0.1, 64: 0.05}),
        (inverse_sqrt(0.2, 0), {1: 0.2, 4: 0.1, 100: 0.02}),
        (cosine(0.8, 2, 10, 0.0), {1: 0.4, 2: 0.8, 4: 0.4 * (1 + math.sqrt(0.5)), 6: 0.4, 10: 0.0, 11: 0.0}),
        (cosine(0.8, 0, 10, 0.25), {5: 0.8 * 0.625, 10: 0.2}),
    ],
)
def test_rates_are_those_computed_by_hand(rate: Callable[[int], float], values: dict[int, float]) -> None:
    schedule = Schedule(rate)
    schedule.observe({"loss": 1.0})
    assert {update: schedule.rate(update) for update in values} == pytest.approx(values, abs=1e-12)


def plateau(patience: int = 2, metric: str = "loss") -> Plateau:
    return Plateau(1.0, warmup=0, factor=0.5, patience=patience, metric=metric)


def rates(schedule: Plateau, metric: str, values: list[float]) -> list[float]:
    found = []
    for value in values:
        schedule.observe({"loss": 1.0, metric: value})
        found.append(schedule.rate(7))
    return found


def test_plateau_halves_after_patience_validations_without_improvement() -> None:
    # better, as good (1 bad), better, worse (1), worse (2: halve), worse (1), worse (2: halve), best, worse (1)
    losses = [3.0, 3.0, 2.5, 2.6, 2.7, 2.8, 2.9, 2.0, 2.1]
    assert rates(plateau(), "loss", losses) == [1, 1, 1, 1, 0.5, 0.5, 0.25, 0.25, 0.25]


def test_plateau_of_bleu_wants_more() -> None:
    assert rates(plateau(metric="bleu"), "bleu", [10.0, 11.0, 12.0, 11.5, 11.9]) == [1, 1, 1, 1, 0.5]


def test_plateau_warms_up() -> None:
    schedule = Plateau(1.0, warmup=4, factor=0.5, patience=1, metric="loss")
    assert [schedule.rate(update) for update in (1, 2, 4, 8)] == [0.25, 0.5, 1.0, 1.0]


def test_a_restored_plateau_goes_on_as_if_nothing_had_happened() -> None:
    losses = [3.0, 3.1, 3.2, 3.3, 2.9, 3.0, 3.0, 3.0]
    whole = rates(plateau(), "loss", losses)
    for cut in range(len(losses)):
        first, second = plateau(), plateau()
        before = rates(first, "loss", losses[:cut])
        second.restore(first.state())
        assert before + rates(second, "loss", losses[cut:]) == whole


def test_plateau_counts_a_lower_loss_at_equal_bleu() -> None:
    schedule, seen = plateau(metric="bleu"), []
    for loss in (5.0, 4.0, 3.0, 2.0, 2.0, 2.5):
        schedule.observe({"bleu": 0.0, "loss": loss})
        seen.append(schedule.rate(7))
    assert seen == [1, 1, 1, 1, 1, 0.5]


def test_a_plateau_of_0_1_0_goes_on_without_counting_ties() -> None:
    schedule = plateau(metric="bleu")
    schedule.restore({"scale": 1.0, "best": 7.0, "bad": 0})
    for bleu in (7.0, 7.0):
        schedule.observe({"bleu": bleu, "loss": 1.0})
    assert schedule.rate(7) == 0.5
