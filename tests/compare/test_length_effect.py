"""How the lead over the baseline changes with length, from figures and draws that are made up."""

import numpy as np
import pytest

from seq2attn.compare.scoring import EvaluatedSystem, measure_length_effect
from tests.figures import FALLING, FLAT, run, system


def evaluated(name: str, bleus: tuple[float | None, ...], counts: tuple[int, ...], spread: float) -> EvaluatedSystem:
    """Draws that lie evenly up to `spread` around the scores."""
    drawn = [None if bleu is None else bleu + np.linspace(-spread, spread, 1000) for bleu in bleus]
    return EvaluatedSystem(system(name, run(bleus, counts=counts)), {1: ()}, drawn)


def test_it_is_the_difference_on_the_longest_less_that_on_the_shortest() -> None:
    counts = (200,) * 6
    effect = measure_length_effect(evaluated("lstm", FALLING, counts, 1.0), evaluated("luong", FLAT, counts, 3.0))
    assert effect is not None
    assert (effect.baseline, effect.system) == ("lstm", "luong")
    assert (effect.shortest, effect.longest) == (pytest.approx(13.0), pytest.approx(64.2))
    assert effect.growth == pytest.approx(51.2)
    assert effect.interval == (pytest.approx(51.2), pytest.approx(51.2))  # both ends move together


def test_its_interval_is_that_of_the_paired_draws() -> None:
    counts = (200,) * 6
    base, best = evaluated("lstm", FALLING, counts, 1.0), evaluated("luong", FLAT, counts, 3.0)
    base = EvaluatedSystem(base.result, base.hypotheses, [*base.drawn[:-1], np.full(1000, 32.0)])
    effect = measure_length_effect(base, best)
    assert effect is not None
    expected = np.percentile(51.2 + np.linspace(-3, 3, 1000) - np.linspace(-2, 2, 1000), (2.5, 97.5))
    assert effect.interval == pytest.approx(tuple(expected))


def test_small_buckets_have_no_part_in_it() -> None:
    counts = (200, 200, 100, 20, 3, 0)
    falling, flat = (*FALLING[:5], None), (*FLAT[:5], None)
    effect = measure_length_effect(evaluated("lstm", falling, counts, 1.0), evaluated("luong", flat, counts, 1.0))
    assert effect is not None
    assert effect.longest == pytest.approx(FLAT[2] - FALLING[2])
    one = (200, 20, 3, 2, 1, 0)
    assert measure_length_effect(evaluated("a", falling, one, 1.0), evaluated("b", flat, one, 1.0)) is None
