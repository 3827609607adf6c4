import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2attn.data.batches import plan, round_length
from seq2attn.errors import DataError

lengths = st.lists(st.tuples(st.integers(1, 50), st.integers(1, 50)), min_size=1, max_size=300)


def planned(pairs: list[tuple[int, int]], **changes: object) -> list[np.ndarray]:
    source, target = np.array(pairs).T
    chosen = {"batch_tokens": 200, "seed": 1, "epoch": 0, "fingerprint": "corpus"}
    return plan(source, target, **{**chosen, **changes})


@given(pairs=lengths, seed=st.integers(0, 2**32), epoch=st.integers(0, 1000))
@settings(deadline=None)
def test_every_pair_is_in_exactly_one_batch(pairs: list[tuple[int, int]], seed: int, epoch: int) -> None:
    batches = planned(pairs, seed=seed, epoch=epoch)
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(pairs)))


@given(pairs=lengths, share=st.floats(0.001, 1), epoch=st.integers(0, 100))
@settings(deadline=None)
def test_a_share_of_the_pairs_are_the_shortest_ones(pairs: list[tuple[int, int]], share: float, epoch: int) -> None:
    come_in = np.concatenate(planned(pairs, share=share, epoch=epoch)).tolist()
    longest = np.max(pairs, axis=1)
    assert len(come_in) == len(set(come_in)) == math.ceil(share * len(pairs))
    assert sorted(longest[come_in]) == sorted(longest)[: len(come_in)]


@given(pairs=lengths, batch_tokens=st.integers(50, 1000), seed=st.integers(0, 100))
@settings(deadline=None)
def test_the_padded_size_never_exceeds_the_bound(pairs: list[tuple[int, int]], batch_tokens: int, seed: int) -> None:
    for batch in planned(pairs, batch_tokens=batch_tokens, seed=seed):
        longest = max(max(pairs[index]) for index in batch)
        assert len(batch) * round_length(longest, len(batch)) <= batch_tokens


def test_batches_come_in_few_padded_sizes() -> None:
    source, target = corpus_lengths(29_000)
    batches = plan(source, target, batch_tokens=2000, seed=1, epoch=0, fingerprint="corpus")
    sides = [
        len(batch) * round_length(int(lengths[batch].max()), len(batch))
        for lengths in (source, target)
        for batch in batches
    ]
    assert len(set(sides)) < len(sides) / 10
    assert len({size for size in sides if size % 16}) <= 2  # of the last batches, which hold what is left


@pytest.mark.parametrize(
    ("length", "pairs", "padded"),
    [(13, 128, 13), (13, 104, 14), (13, 100, 16), (13, 99, 13), (13, 36, 13), (50, 36, 52)],
)
def test_a_side_is_padded_a_little_where_that_makes_its_size_round(length: int, pairs: int, padded: int) -> None:
    assert round_length(length, pairs) == padded


@given(pairs=lengths, seed=st.integers(0, 100), epoch=st.integers(0, 100))
@settings(deadline=None)
def test_a_plan_is_a_function_of_its_arguments(pairs: list[tuple[int, int]], seed: int, epoch: int) -> None:
    first, second = (planned(pairs, seed=seed, epoch=epoch) for _ in range(2))
    assert [batch.tolist() for batch in first] == [batch.tolist() for batch in second]


def corpus_lengths(pairs: int) -> tuple[np.ndarray, np.ndarray]:
    """Like Multi30k's: 16 subwords a sentence, the two sides correlated."""
    random = np.random.default_rng(0)
    source = np.clip(random.normal(15, 5, pairs), 3, 80).astype(int)
    return source, np.clip(source * random.normal(1.05, 0.2, pairs), 3, 80).astype(int)


@pytest.mark.parametrize("change", [{"seed": 2}, {"epoch": 1}, {"fingerprint": "other"}])
def test_seed_epoch_and_corpus_change_the_order_and_the_company(change: dict[str, object]) -> None:
    source, target = corpus_lengths(2000)
    settings = {"batch_tokens": 500, "seed": 1, "epoch": 0, "fingerprint": "corpus"}
    first = plan(source, target, **settings)
    second = plan(source, target, **{**settings, **change})
    assert [len(batch) for batch in first] != [len(batch) for batch in second]
    together = {frozenset(batch.tolist()) for batch in first} & {frozenset(batch.tolist()) for batch in second}
    assert len(together) < len(first) / 10


def test_little_of_a_batch_is_padding() -> None:
    source, target = corpus_lengths(29_000)
    batches = plan(source, target, batch_tokens=2000, seed=1, epoch=0, fingerprint="corpus")
    for lengths in (source, target):
        area = sum(len(batch) * lengths[batch].max() for batch in batches)
        assert lengths.sum() / area > 0.9
    assert sum(len(batch) * max(source[batch].max(), target[batch].max()) for batch in batches) > 0.9 * 2000 * len(
        batches
    )


def test_short_and_long_batches_are_mixed() -> None:
    source, target = corpus_lengths(10_000)
    batches = plan(source, target, batch_tokens=1000, seed=1, epoch=0, fingerprint="corpus")
    sizes = np.array([len(batch) for batch in batches], dtype=float)
    assert abs(np.corrcoef(sizes, np.arange(len(sizes)))[0, 1]) < 0.3


def test_a_pair_longer_than_a_batch_is_named() -> None:
    with pytest.raises(DataError, match="batch_tokens: 200 is less than pair 2 alone: 7 source and 201 target"):
        planned([(5, 5), (7, 201)])


def test_a_pair_as_long_as_a_batch_is_a_batch() -> None:
    assert sorted(map(len, planned([(200, 3), (3, 200), (1, 1)]))) == [1, 1, 1]


def test_no_pairs_make_no_batches() -> None:
    empty = np.array([], dtype=np.int64)
    assert plan(empty, empty, batch_tokens=10, seed=1, epoch=0, fingerprint="corpus") == []
