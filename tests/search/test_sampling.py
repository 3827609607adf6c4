"""The random numbers of sampling: each sentence has its own, and no two pairs of seed and sentence share theirs."""

import itertools

import numpy as np
import torch

from seq2attn.search.sampling import Sampling, make_generator


def first(seed: int, sentence: int) -> int:
    return int(make_generator(seed, sentence).integers(2**63))


def test_seeds_and_sentences_never_collide() -> None:
    pairs = [(1, 1_000_003), (2, 0), (1, 0), (0, 1), (1, 2**40), (1, 2**32), (2**32, 1), (11, 1), (1, 11)]
    pairs += list(itertools.product(range(3, 30), range(2, 300)))
    assert len({first(*pair) for pair in pairs}) == len(pairs)


def test_the_same_pair_draws_the_same() -> None:
    assert first(3, 7) == first(3, 7)


def test_tokens_are_drawn_as_often_as_the_temperature_says() -> None:
    log_p = torch.tensor([0.2, 0.5, 0.3]).log()
    for temperature, expected in ((1.0, [0.2, 0.5, 0.3]), (0.5, [4 / 38, 25 / 38, 9 / 38])):
        generators = [make_generator(1, sentence) for sentence in range(20_000)]
        drawn = Sampling(temperature).draw(log_p.expand(20_000, -1), generators)
        np.testing.assert_allclose(np.bincount(drawn, minlength=3) / 20_000, expected, atol=0.011)


def test_only_the_likeliest_tokens_are_drawn() -> None:
    log_p = torch.tensor([0.2, 0.5, 0.3]).log().expand(500, -1)
    drawn = Sampling(top_k=2).draw(log_p, [make_generator(1, sentence) for sentence in range(500)])
    assert set(drawn.tolist()) == {1, 2}
