"""Hard attention: what is chosen, how often, and what is passed back; numbers worked out by hand."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from seq2attn.attention import Aggregation, Attention, Dot, Global, LocalMonotonic, Request, softmax
from seq2attn.attention.aggregation import Gumbel, Mixture, Reinforce, expectation, join_choices
from seq2attn.attention.marginal import Marginal

EXACT = {"rtol": 0.0, "atol": 1e-12}
B, Q, S, D = 3, 4, 6, 5
KEYS = [[1.0, 2.0], [3.0, 4.0]]  # with the query (.5, .5): scores 1.5 and 3.5
ALPHA = [0.119203, 0.880797]


def states(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64)


def mask() -> Tensor:
    return torch.arange(S) < torch.tensor([[6], [2], [4]])


def one_head(aggregation: Aggregation = expectation, **parts: object) -> Attention:
    settings = {"score": Dot(), "span": Global(), "normalizer": softmax, "context_width": D} | parts
    return Attention(aggregation=aggregation, **settings).double()  # type: ignore[arg-type]


def weights_of(scores: Tensor, aggregation: Aggregation, training: bool = True) -> Tensor:
    """The weights that `aggregation` gives to one query."""
    return aggregation(scores.softmax(-1)[None, None, None], training).weights[0, 0, 0]


def two_scores() -> Tensor:
    return torch.tensor([1.5, 3.5], dtype=torch.float64, requires_grad=True)


# ---- what is chosen


@pytest.mark.parametrize("aggregation", [Gumbel(), Gumbel(3.0), Reinforce(soft_mix=0.0)], ids=str)
def test_positions_are_drawn_as_often_as_their_weights_say(aggregation: Aggregation) -> None:
    torch.manual_seed(1)
    weights = two_scores().detach().softmax(-1).expand(1, 1, 20_000, 2)
    drawn = aggregation(weights, True).weights
    assert ((drawn == 0) | (drawn == 1)).all()
    assert (drawn.sum(-1) == 1).all()
    assert drawn.mean(2).flatten().tolist() == pytest.approx(ALPHA, abs=0.007)  # three standard deviations


@pytest.mark.parametrize("aggregation", [Gumbel(), Reinforce(soft_mix=1.0)], ids=str)
def test_without_training_the_likeliest_position_is_chosen(aggregation: Aggregation) -> None:
    chosen, choice, history = aggregation(torch.tensor([[[[0.2, 0.5, 0.3], [0.6, 0.4, 0.0]]]]), False)
    assert chosen.tolist() == [[[[0, 1, 0], [1, 0, 0]]]]
    assert choice is None
    assert history == ()


@pytest.mark.parametrize(
    "aggregation", [expectation, Gumbel(5.0), Reinforce(soft_mix=0.0)], ids=["expectation", "gumbel", "reinforce"]
)
@pytest.mark.parametrize("training", [True, False])
def test_illegal_positions_are_not_chosen_and_empty_rows_stay_empty(aggregation: Aggregation, training: bool) -> None:
    scores = states(200, 1, 2, 4).requires_grad_()
    legal = torch.tensor([[False, True, False, True], [False] * 4])
    used, choice, _ = aggregation(softmax(scores, legal), training)
    assert (used.masked_select(~legal) == 0).all()
    torch.testing.assert_close(used.sum(-1), legal.any(-1).double().expand(200, 1, 2), **EXACT)
    total = (used * states(200, 1, 2, 4)).sum()
    if choice is not None:
        total = total + choice.log_probability.sum() + choice.entropy.sum()
    if total.requires_grad:
        [gradient] = torch.autograd.grad(total, scores)
        assert torch.isfinite(gradient).all()
        assert (gradient.masked_select(~legal) == 0).all()


@pytest.mark.parametrize("aggregation", [Gumbel(), Reinforce()], ids=str)
def test_the_likeliest_of_two_states_is_the_context(aggregation: Aggregation) -> None:
    attention = one_head(aggregation, context_width=2).eval()
    memory = attention.remember(torch.tensor([KEYS], dtype=torch.float64), torch.ones(1, 2, dtype=torch.bool))
    found = attention(Request(torch.full((1, 1, 2), 0.5, dtype=torch.float64), trace=True), memory)
    assert found.context.tolist() == [[[3, 4]]]
    assert found.weights[0, 0, 0].tolist() == pytest.approx(ALPHA, abs=5e-7)  # before the choice


# ---- Gumbel


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_straight_through_equals_pytorchs(temperature: float) -> None:
    values, found = states(S), []

    def theirs(scores: Tensor) -> Tensor:
        return F.gumbel_softmax(scores.log_softmax(-1), temperature, hard=True)

    def ours(scores: Tensor) -> Tensor:
        return weights_of(scores, Gumbel(temperature))

    for function in (ours, theirs):
        torch.manual_seed(5)
        scores = states(S).requires_grad_()
        chosen = function(scores)
        [gradient] = torch.autograd.grad(chosen @ values, scores)
        assert gradient.abs().max() > 1e-3
        found.append((chosen, gradient))
    torch.testing.assert_close(found[0], found[1], **EXACT)


def test_the_temperature_falls_by_equal_factors() -> None:
    gumbel = Gumbel(2.0, 0.5)
    found = []
    for progress in (0.0, 0.25, 0.5, 1.0):
        gumbel.anneal(progress)
        found.append(gumbel.temperature)
    assert found == pytest.approx([2, 2**0.5, 1, 0.5], abs=1e-12)
    assert not gumbel.state_dict()  # the progress alone decides


# ---- Reinforce


def test_the_weight_of_the_entropy_falls_to_zero() -> None:
    policy = Reinforce(entropy=0.04)
    found = []
    for progress in (0.0, 0.25, 1.0):
        policy.anneal(progress)
        found.append(policy.entropy)
    assert found == pytest.approx([0.04, 0.03, 0], abs=1e-12)


def test_soft_attention_goes_over_into_hard() -> None:
    policy = Reinforce(soft_mix=0.2, warm=0.5)
    found = []
    for progress in (0.0, 0.25, 0.5, 1.0):
        policy.anneal(progress)
        found.append(policy.soft_mix)
    assert found == pytest.approx([1, 0.6, 0.2, 0.2], abs=1e-12)


def test_each_query_draws_as_many_positions_as_wanted_once_any_is_drawn() -> None:
    torch.manual_seed(4)
    policy, weights = Reinforce(soft_mix=0.0, warm=0.5, samples=3), states(5, 1, 7, S).softmax(-1)
    policy.anneal(0.0)
    assert torch.equal(policy(weights, True).weights, weights)  # all is soft: one block
    policy.anneal(1.0)
    used, choice, _ = policy(weights, True)
    assert used.shape == (5, 1, 21, S)
    assert ((used == 0) | (used == 1)).all()
    assert choice is not None
    assert choice.log_probability.shape == (5, 21)
    first, second, third = used.chunk(3, 2)
    assert not torch.equal(first, second)
    assert not torch.equal(second, third)
    assert policy(weights, False).weights.shape == weights.shape


def test_a_choice_has_its_log_probability_and_entropy() -> None:
    torch.manual_seed(2)
    scores = two_scores()
    policy = Reinforce(soft_mix=0.0)
    used, choice, _ = policy(scores.softmax(-1).expand(1, 1, 50, 2), True)
    assert choice is not None
    assert choice.policy is policy
    assert choice.drawn.all()
    place = used[0, 0].argmax(-1)
    assert set(place.tolist()) == {0, 1}
    torch.testing.assert_close(choice.log_probability[0], scores.log_softmax(-1)[place], **EXACT)
    assert choice.entropy.tolist()[0] == pytest.approx([0.365334] * 50, abs=5e-7)
    assert not used.requires_grad or not torch.autograd.grad(used.sum(), scores, retain_graph=True)[0].any()
    [gradient] = torch.autograd.grad(choice.log_probability[0, place.tolist().index(0)], scores)
    assert gradient.tolist() == pytest.approx([1 - ALPHA[0], -ALPHA[1]], abs=5e-7)


def test_a_sentence_is_soft_in_all_steps_or_in_none() -> None:
    torch.manual_seed(3)
    policy, weights = Reinforce(soft_mix=0.3), states(2000, 1, 2, S).softmax(-1)
    steps = [policy(weights, True)]
    for _ in range(2):
        steps.append(policy(weights, True, steps[-1].history))
    soft = torch.stack([(step.weights == weights).flatten(1).all(1) for step in steps])
    assert soft[0].double().mean().item() == pytest.approx(0.3, abs=0.03)
    assert (soft == soft[0]).all()
    for used, choice, _ in steps:
        assert choice is not None
        assert (choice.drawn == ~soft[0][:, None]).all()
        assert ((used == 0) | (used == 1))[~soft[0]].all()
    after = (policy(weights, True).weights == weights).flatten(1).all(1)
    assert (after != soft[0]).double().mean().item() == pytest.approx(0.42, abs=0.04)  # 2 · 0.3 · 0.7: independent


def test_soft_sentences_pass_their_gradient_on_and_drawn_ones_do_not() -> None:
    for soft_mix, reached in ((0.0, False), (1.0, True)):
        scores = two_scores()
        used = weights_of(scores, Reinforce(soft_mix=soft_mix))
        assert used.requires_grad == reached or not torch.autograd.grad(used[0], scores)[0].any()


def test_choices_of_successive_steps_join_in_order() -> None:
    torch.manual_seed(4)
    policy, weights = Reinforce(), states(B, 1, Q, S).softmax(-1)
    choices = [policy(weights[:, :, t : t + 1], True)[1] for t in range(Q)]
    whole = join_choices([choice for choice in choices if choice is not None])
    assert whole.policy is policy
    torch.testing.assert_close(whole.entropy, -(weights * weights.log()).sum(-1)[:, 0], **EXACT)
    assert whole.log_probability.shape == whole.drawn.shape == (B, Q)
    assert whole.log_probability[:, 2:3].equal(choices[2].log_probability)  # type: ignore[union-attr]


def test_the_baseline_is_a_running_mean_by_hand() -> None:
    policy = Reinforce().double()
    policy.observe(torch.tensor([-2.0, -4.0], dtype=torch.float64))  # .9 · 0 + .1 · −3
    assert policy.baseline.item() == pytest.approx(-0.3, abs=1e-12)
    policy.observe(torch.tensor([-1.0], dtype=torch.float64))  # .9 · −.3 + .1 · −1
    assert policy.baseline.item() == pytest.approx(-0.37, abs=1e-12)
    for nothing in (torch.empty(0), torch.tensor([math.nan, -1.0]), torch.tensor([-math.inf])):
        policy.observe(nothing)
    assert policy.baseline.item() == pytest.approx(-0.37, abs=1e-12)
    assert policy.state_dict()["baseline"] is not None


def test_a_policy_has_one_head() -> None:
    with pytest.raises(ValueError, match="2 heads"):
        Reinforce()(torch.full((1, 2, 1, 2), 0.5), True)


def test_the_same_seed_draws_the_same() -> None:
    found = []
    for _ in range(2):
        torch.manual_seed(6)
        weights = states(B, 1, Q, S).softmax(-1)
        policy = Reinforce(soft_mix=0.1)
        found.append((Gumbel()(weights, True)[0], policy(weights, True)[0], policy(weights, True)[0]))
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))
    assert not torch.equal(found[0][1], found[0][2])


# ---- limits that all of them share


def modes() -> dict[str, Attention]:
    return {
        "soft": one_head(),
        "gumbel": one_head(Gumbel()),
        "reinforce": one_head(Reinforce(soft_mix=0.0)),
        "half soft": one_head(Reinforce(soft_mix=0.5)),
    }


@pytest.mark.parametrize("case", ["one position", "one-hot weights"])
@pytest.mark.parametrize("training", [True, False])
def test_where_there_is_no_choice_every_mode_is_soft_attention(case: str, training: bool) -> None:
    torch.manual_seed(7)
    source, query = states(B, S, D), states(B, Q, D)
    legal = torch.arange(S) < (torch.ones(B, 1) if case == "one position" else torch.full((B, 1), S))
    if case == "one-hot weights":
        query = query * 1e5
    found = {}
    for name, attention in modes().items():
        attention.train(training)
        found[name] = attention(Request(query), attention.remember(source, legal)).context
    mixture = marginal(query, source, legal)
    assert found["soft"].abs().max() > 0.1
    for context in found.values():
        torch.testing.assert_close(context, found["soft"], **EXACT)
    torch.testing.assert_close(expected(mixture), found["soft"], **EXACT)
    assert (mixture.log_weights.exp().amax(-1) == 1).all()


# ---- Marginal


def marginal(query: Tensor, source: Tensor, legal: Tensor, top_k: int | None = None, **parts: object) -> Mixture:
    whole = Marginal(one_head(**parts), top_k=top_k)  # type: ignore[arg-type]
    return whole(Request(query, torch.arange(query.shape[1])), whole.remember(source, legal)).context


def expected(mixture: Mixture) -> Tensor:
    return torch.einsum("bqm,bqmv->bqv", mixture.log_weights.exp(), mixture.values)


def test_a_mixture_holds_all_values_and_their_log_weights() -> None:
    query, source = states(B, Q, D), states(B, S, D)
    attention = Marginal(one_head())
    found = attention(Request(query, trace=True), attention.remember(source, mask()))
    assert found.context.values.shape == (B, Q, S, D)
    assert (found.context.values == source[:, None]).all()
    torch.testing.assert_close(found.context.log_weights.exp(), found.weights[:, 0], **EXACT)
    soft = one_head()
    torch.testing.assert_close(
        expected(found.context), soft(Request(query), soft.remember(source, mask())).context, **EXACT
    )
    assert (found.context.log_weights.exp()[1, :, 2:] == 0).all()
    assert attention(Request(query), attention.remember(source, mask())).weights is None


def test_the_gradient_of_the_log_weights_is_that_of_log_softmax() -> None:
    source = torch.eye(S, dtype=torch.float64)[None]  # the query is the scores
    query, factor = states(1, 1, S).requires_grad_(), states(S)
    attention = Marginal(one_head(context_width=S))
    logs = attention(Request(query), attention.remember(source, torch.ones(1, S, dtype=torch.bool))).context.log_weights
    own = torch.autograd.grad(logs[0, 0] @ factor, query)
    theirs = torch.autograd.grad(query[0, 0].log_softmax(0) @ factor, query)
    torch.testing.assert_close(own, theirs, **EXACT)


def test_the_likeliest_positions_are_normalized_again_by_hand() -> None:
    weights = torch.tensor([0.1, 0.6, 0.0, 0.3], dtype=torch.float64)
    source = torch.eye(4, dtype=torch.float64)[None]
    query = weights.clamp_min(1e-300).log()[None, None]
    found = marginal(query, source, torch.ones(1, 4, dtype=torch.bool), top_k=2, context_width=4)
    torch.testing.assert_close(found.log_weights.exp()[0, 0], torch.tensor([2 / 3, 1 / 3]).double(), rtol=0, atol=1e-7)
    assert found.values[0, 0].tolist() == [[0, 1, 0, 0], [0, 0, 0, 1]]


@pytest.mark.parametrize("top_k", [S, S + 5])
def test_as_many_positions_as_there_are_is_the_exact_mixture(top_k: int) -> None:
    query, source = states(B, Q, D), states(B, S, D)
    exact, top = marginal(query, source, mask()), marginal(query, source, mask(), top_k)
    torch.testing.assert_close(top.log_weights.sort(2).values, exact.log_weights.sort(2).values, **EXACT)
    torch.testing.assert_close(expected(top), expected(exact), **EXACT)


def test_padding_is_invisible_to_the_likeliest_positions() -> None:
    query, source = states(B, Q, D), states(B, S, D)
    batch = marginal(query, source, mask(), 3)
    for row, length in enumerate((6, 2, 4)):
        one = slice(row, row + 1)
        alone = marginal(query[one], source[one, :length], mask()[one, :length], 3)
        torch.testing.assert_close(expected(batch)[one], expected(alone), **EXACT)
        torch.testing.assert_close(batch.log_weights.logsumexp(-1), torch.zeros(B, Q).double(), **EXACT)


@pytest.mark.parametrize("top_k", [None, 2])
def test_a_gathered_window_makes_the_mixture_of_a_masked_one(top_k: int | None) -> None:
    query, source = states(B, Q, D), states(B, S, D)
    found = [
        marginal(query, source, mask(), top_k, span=LocalMonotonic(window=1, gathered=gathered))
        for gathered in (False, True)
    ]
    assert found[1].values.shape[2] == (top_k or 3)
    torch.testing.assert_close(expected(found[0]), expected(found[1]), **EXACT)


@pytest.mark.parametrize("attention", [lambda: one_head(Gumbel()), lambda: one_head(dropout=0.1)])
def test_a_mixture_of_chosen_or_dropped_positions_is_refused(attention: Callable[[], Attention]) -> None:
    with pytest.raises(ValueError, match="neither chooses"):
        Marginal(attention())
