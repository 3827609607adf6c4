"""The p of a difference in BLEU is that of sacrebleu's paired bootstrap."""

import random

import pytest
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.significance import PairedTest

from seq2attn.evaluation.significance import find_largest_p, paired_bootstrap

REFERENCES = [" ".join(random.Random(i).choices("abcdefghijklmnop", k=5 + i % 30)) for i in range(150)]


def damage(lines: list[str], share: float, seed: int) -> list[str]:
    """The lines with that share of their words replaced by x."""
    draw = random.Random(seed)
    return [" ".join(word if draw.random() > share else "x" for word in line.split()) for line in lines]


def test_p_equals_that_of_sacrebleus_paired_test() -> None:
    baseline, better = damage(REFERENCES, 0.31, 1), damage(REFERENCES, 0.29, 2)
    ours = paired_bootstrap(baseline, better, REFERENCES, metric=BLEU(force=True), resamples=300)
    paired = PairedTest(
        [("a", baseline), ("b", better)], {"BLEU": BLEU(force=True)}, [REFERENCES], test_type="bs", n_samples=300
    )
    assert ours == paired()[1]["BLEU"][1].p_value
    assert 0.01 < ours < 1


def test_p_is_small_for_a_clear_difference_and_one_for_none() -> None:
    worse, metric = damage(REFERENCES, 0.5, 1), BLEU(force=True)
    clear = paired_bootstrap(worse, REFERENCES, REFERENCES, metric=metric, resamples=200)
    assert clear == pytest.approx(1 / 201)
    assert paired_bootstrap(worse, worse, REFERENCES, metric=metric, resamples=200) == 1.0


def test_lines_that_cannot_be_paired_are_refused() -> None:
    with pytest.raises(ValueError, match="2, 1 and 2 lines cannot be paired"):
        paired_bootstrap(["a", "b"], ["a"], ["a", "b"], metric=BLEU())


def test_the_largest_p_of_the_shared_seeds_is_taken() -> None:
    metric = BLEU(force=True)
    baseline = {seed: damage(REFERENCES, 0.31, 1) for seed in (1, 2)}
    clear, close, unshared = REFERENCES, damage(REFERENCES, 0.3, 3), damage(REFERENCES, 0.31, 1)
    expected = paired_bootstrap(baseline[2], close, REFERENCES, metric=metric)
    assert 0.01 < expected < 1
    largest = find_largest_p(baseline, {1: clear, 2: close, 3: unshared}, REFERENCES, metric=metric)
    assert largest == expected
    assert find_largest_p(baseline, {3: unshared}, REFERENCES, metric=metric) is None
