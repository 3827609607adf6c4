"""Beam search's pieces, each on tensors small enough to see."""

import pytest
import torch
from torch import Tensor

from seq2attn.search.beam import Extensions, add, extend, finish, is_settled, prune
from seq2attn.search.hypothesis import Hypothesis, Likeliest
from seq2attn.tensors import find_largest
from seq2attn.tokens import EOS

INF = torch.inf


def extensions(scores: list[float], parents: list[int], tokens: list[int]) -> Extensions:
    """Those of one sentence."""
    return Extensions(torch.tensor([scores], dtype=torch.float32), torch.tensor([parents]), torch.tensor([tokens]))


def lists(found: Extensions) -> list[list[list[float]]]:
    return [tensor.tolist() for tensor in found]


def test_the_best_extensions_come_from_any_hypothesis() -> None:
    score = torch.tensor([[-1.0, -2.0]])
    log_p = torch.tensor([[[-4.0, -0.5, -3.0], [-0.25, -INF, -1.0]]])
    assert lists(extend(score, Likeliest(*log_p.sort(descending=True)), 3)) == [
        [[-1.5, -2.25, -3.0]],
        [[0, 1, 1]],
        [[1, 0, 2]],
    ]


def test_there_are_no_more_extensions_than_tokens_to_extend_with() -> None:
    log_p = torch.tensor([[[-1.0, -2.0]], [[-2.0, -1.0]]])
    found = extend(torch.zeros(2, 1), Likeliest(*log_p.sort(descending=True)), 10)
    assert found.token.tolist() == [[0, 1], [1, 0]]


def test_the_best_that_do_not_end_live_on() -> None:
    living = prune(extensions([-1, -2, -3, -4], [0, 1, 0, 1], [EOS, 7, 8, 9]), 2)
    assert lists(living) == [[[-2, -3]], [[1, 0]], [[7, 8]]]


def test_what_ended_fills_the_places_of_living_ones_with_no_chance() -> None:
    living = prune(extensions([-1, -2], [0, 1], [EOS, 7]), 2)
    assert living.score.tolist() == [[-2, -INF]]


def finished(found: Extensions, at_limit: bool, width: int = 2, norm: float = 1.0) -> list[Hypothesis]:
    written: Tensor = torch.tensor([[[4], [5]]])
    pools: list[list[Hypothesis]] = [[]]
    finish(pools, written, found, prune(found, width), torch.tensor([at_limit]), width=width, norm=norm)
    return pools[0]


@pytest.mark.parametrize(
    ("tokens", "at_limit", "expected"),
    [
        ([EOS, 7, EOS, 8], False, [([4], -0.5)]),  # the second end of sentence is not among the first two
        ([7, 8, 9, EOS], False, []),
        ([7, EOS, 8, 9], True, [([4, 7], -0.5), ([5], -1.0)]),  # the third extension would be the third best
        ([7, 8, 9, EOS], True, [([4, 7], -0.5), ([5, 8], -1.0)]),
    ],
)
def test_what_finishes_at_a_step(tokens: list[int], at_limit: bool, expected: list[tuple[list[int], float]]) -> None:
    found = extensions([-1, -2, -3, -4], [0, 1, 0, 1], tokens)
    assert finished(found, at_limit, norm=2.0) == [Hypothesis(*pair) for pair in expected]


def test_a_pool_holds_the_best_and_nothing_impossible() -> None:
    pool: list[Hypothesis] = []
    for score in (-3.0, -INF, -1.0, -2.0):
        add(pool, Hypothesis([], score), 2)
    assert [hypothesis.score for hypothesis in pool] == [-1, -2]


@pytest.mark.parametrize(
    ("scores", "ceiling", "settled"), [([-1.0, -2.0], -2.0, True), ([-1.0, -2.0], -1.9, False), ([-1.0], -9.0, False)]
)
def test_a_sentence_is_settled_when_no_other_can_be_better(scores: list[float], ceiling: float, settled: bool) -> None:
    assert is_settled([Hypothesis([], score) for score in scores], 2, ceiling) == settled


@pytest.mark.parametrize("size", [6000, 8000, 512, 97, 8191, 12])
@pytest.mark.parametrize("count", [1, 4, 10])
def test_the_largest_of_a_row_are_those_of_topk(size: int, count: int) -> None:
    torch.manual_seed(size)
    scores = torch.randn(7, size)
    scores[0] = -torch.inf
    scores[0, size // 2] = 1.0
    scores[1, : size // 2] = -torch.inf
    values, places = find_largest(scores, count)
    assert torch.equal(values, scores.topk(count).values)
    assert torch.equal(scores.gather(1, places), values)
    assert all(len(set(row)) == count for row in places.tolist())
