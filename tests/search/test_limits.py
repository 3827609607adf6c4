"""The learned limit of translations: every training pair fits with room to spare, and an odd one costs little."""

import numpy as np
import pytest

from seq2attn.search.limits import OutputLimit, learn_limit


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([(5, 5), (9, 10), (3, 6)], OutputLimit(2.0, 10)),  # like most: the limit of 0.1.0
        ([(3, 61)] * 20, OutputLimit(30.5, 10)),  # a name becomes thirty words
        ([(20, 80), (50, 200)], OutputLimit(6.0, 10)),
        ([(20, 20)] * 1000 + [(2, 250)], OutputLimit(2.0, 371)),  # the odd pair fits, and the ratio does not move
        ([(2, 1000)], OutputLimit(100.0, 1300)),
    ],
)
def test_a_limit_is_learned_from_lengths(pairs: list[tuple[int, int]], expected: OutputLimit) -> None:
    source, target = np.array(pairs).T
    limit = learn_limit(source, target)
    assert limit == expected
    assert all(limit(int(s)) >= max(1.5 * t, 2 * s + 10) for s, t in pairs)
    longest = max(t for _, t in pairs)
    assert all(limit(n) <= limit.ratio * n + 1.5 * longest + 10 for n in (1, 10, 1000))


def test_any_training_pairs_fit_with_room_to_spare() -> None:
    draw = np.random.default_rng(1)
    for _ in range(200):
        source, target = draw.geometric(draw.uniform(0.01, 0.5), (2, draw.integers(1, 50))) + 1
        limit = learn_limit(source, target)
        assert all(limit(int(s)) >= max(1.5 * t, 2 * s + 10) for s, t in zip(source, target, strict=True))
