"""Scores against loops written by hand."""

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from seq2attn.attention import Request
from seq2attn.attention import scores as scores_module
from seq2attn.attention.attention import Attention
from seq2attn.attention.normalizers import Normalizer, softmax, sparsemax
from seq2attn.attention.scores import Additive, Dot, General, Location, Score, Uniform
from seq2attn.attention.spans import Global, Span, Window
from seq2attn.errors import DataError

B, G, Q, S, D, K = 2, 3, 4, 5, 6, 7


def states(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64)


def by_hand(score: Score, query: Tensor, key: Tensor, place: int) -> Tensor:
    match score:
        case Dot():
            return score.scale * sum(q * k for q, k in zip(query, key, strict=True))
        case General():
            weight = score.weight.weight
            return score.scale * sum(
                query[i] * weight[i, j] * key[j] for i in range(len(query)) for j in range(len(key))
            )
        case Additive():
            total = query.new_zeros(())
            for unit in range(score.vector.shape[1]):
                inner = score.query.weight[unit] @ query + score.key.weight[unit] @ key + score.key.bias[unit]
                total = total + score.vector[0, unit] * torch.tanh(inner)
            return total
        case Location():
            return score.weight.weight[place] @ query
        case Uniform():
            return query.new_zeros(())
    raise AssertionError(score)


@pytest.mark.parametrize(
    ("score", "key_width"),
    [
        (Dot(), D),
        (Dot(scale=0.3), D),
        (Dot(scale=0.3, learned=True), D),
        (General(query_width=D, key_width=K), K),
        (General(query_width=D, key_width=K, scale=0.3), K),
        (Additive(query_width=D, key_width=K, width=3), K),
        (Location(query_width=D, max_source=S + 2), K),
        (Uniform(), K),
    ],
    ids=["dot", "scaled dot", "learned scale", "general", "scaled general", "additive", "location", "uniform"],
)
def test_every_score_is_its_formula(score: Score, key_width: int) -> None:
    assert isinstance(score, torch.nn.Module)
    score.double()
    if isinstance(score, Additive):
        torch.nn.init.normal_(score.key.bias)
    query, source = states(B, G, Q, D), states(B, G, S, key_width)
    scores = score(query, score.keys(source))
    assert scores.shape == (B, G, Q, S)
    for place in torch.cartesian_prod(*map(torch.arange, (B, G, Q, S))).tolist():
        b, g, q, s = place
        expected = by_hand(score, query[b, g, q], source[b, g, s], s)
        torch.testing.assert_close(scores[b, g, q, s], expected, rtol=0, atol=1e-12)
    each_its_own = score(query[..., None, :], score.keys(source)[:, :, None])  # as gathered keys are scored
    torch.testing.assert_close(each_its_own[..., 0, :], scores, rtol=0, atol=1e-12)


def test_general_with_the_identity_is_dot() -> None:
    general = General(query_width=D, key_width=D).double()
    torch.nn.init.eye_(general.weight.weight)
    query, source = states(B, 1, Q, D), states(B, 1, S, D)
    torch.testing.assert_close(general(query, general.keys(source)), Dot()(query, source), rtol=0, atol=0)


def test_additive_scores_without_a_vector_weigh_every_word_exactly_the_same() -> None:
    score = Additive(query_width=D, key_width=K, width=3).double()
    torch.nn.init.zeros_(score.vector)
    attention = Attention(score=score, span=Global(), normalizer=softmax, context_width=K)
    real = torch.arange(S) < torch.tensor([S, 3])[:, None]
    weights = attention(Request(states(B, Q, D), trace=True), attention.remember(states(B, S, K), real)).weights
    expected = real.double() / real.sum(1, keepdim=True)
    assert torch.equal(weights, expected[:, None, None].expand(B, 1, Q, S))


def test_additive_scores_that_hardly_bend_are_linear_in_query_and_key() -> None:
    score = Additive(query_width=D, key_width=K, width=3).double()
    query, source, small = states(B, 1, Q, D), states(B, 1, S, K), 1e-4
    linear = score.vector[0] @ (score.query(query)[..., None, :] + score.key(source)[..., None, :, :])[..., None]
    with torch.no_grad():
        for shrunk in (score.query.weight, score.key.weight):
            shrunk.mul_(small)
        score.vector.div_(small)
    torch.testing.assert_close(score(query, score.keys(source)), linear[..., 0], rtol=0, atol=1e-6)


def test_the_parameters_of_additive_scores_are_counted() -> None:
    score = Additive(query_width=D, key_width=K, width=9)
    assert sum(parameter.numel() for parameter in score.parameters()) == 9 * (D + K) + 2 * 9


def test_only_scores_that_are_dot_products_say_so() -> None:
    assert Dot(scale=0.5).dot_scale == 0.5
    assert General(query_width=2, key_width=2).dot_scale == 1.0
    assert Additive(query_width=2, key_width=2, width=2).dot_scale is None
    assert Location(query_width=2, max_source=2).dot_scale is None
    assert Uniform().dot_scale is None
    assert Dot(scale=0.5, learned=True).dot_scale is None


def test_a_learned_scale_starts_as_given_and_has_a_gradient() -> None:
    score = Dot(scale=0.25, learned=True).double()
    query, source = states(B, 1, Q, D), states(B, 1, S, D)
    torch.testing.assert_close(score(query, source), Dot(scale=0.25)(query, source), rtol=0, atol=0)
    score(query, source).sum().backward()
    assert dict(score.named_parameters()).keys() == {"scale"}
    torch.testing.assert_close(score.scale.grad, (query @ source.mT).sum(), rtol=0, atol=1e-12)
    assert not list(Dot(scale=0.25).parameters())


class Largest(TorchDispatchMode):
    """The largest tensor that any operation makes."""

    numbers = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        made = function(*args, **(kwargs or {}))
        if isinstance(made, Tensor):
            self.numbers = max(self.numbers, made.numel())
        return made


@pytest.mark.parametrize("queries", [1, 7, 16])
def test_in_inference_additive_scores_take_bounded_memory(queries: int, monkeypatch: pytest.MonkeyPatch) -> None:
    score = Additive(query_width=D, key_width=K, width=16).double()
    query, keys = states(B, G, queries, D), score.keys(states(B, G, S, K)).detach()
    expected = score(query, keys)
    bound = 4 * B * G * S * 16  # the hidden layer of four queries in every row
    monkeypatch.setattr(scores_module, "HIDDEN_AT_ONCE", bound)
    with torch.no_grad(), Largest() as largest:
        found = score(query, keys)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    assert largest.numbers == bound * min(queries, 4) // 4


def test_a_source_longer_than_location_scores_is_refused() -> None:
    score = Location(query_width=D, max_source=S)
    score.keys(torch.zeros(B, 1, S, D))
    with pytest.raises(DataError, match=f"a source of {S + 1} positions.* only {S}") as error:
        score.keys(torch.zeros(B, 1, S + 1, D))
    assert "max_source" in error.value.hint


@pytest.mark.parametrize("normalizer", [softmax, sparsemax])
@pytest.mark.parametrize(
    ("span", "reach"),
    [(Global(), S), (Window(1), 1), (Window(1, gathered=True), 1)],
    ids=["all", "masked", "gathered"],
)
def test_uniform_scores_average_what_the_span_allows(normalizer: Normalizer, span: Span, reach: int) -> None:
    attention = Attention(score=Uniform(), span=span, normalizer=normalizer, context_width=D)
    source, real, positions = states(B, S, D), torch.arange(S) < torch.tensor([S, 3])[:, None], torch.arange(Q)
    output = attention(Request(states(B, Q, D), positions, trace=True), attention.remember(source, real))
    legal = real[:, None] & ((positions[:, None] - torch.arange(S)).abs() <= reach)
    expected = legal.double() / legal.sum(-1, keepdim=True)
    torch.testing.assert_close(output.weights[:, 0], expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(output.context, expected @ source, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "score",
    [
        Dot(),
        General(query_width=D, key_width=K),
        Additive(query_width=D, key_width=K, width=3),
        Location(query_width=D, max_source=S),
        Uniform(),
    ],
    ids=["dot", "general", "additive", "location", "uniform"],
)
def test_a_score_knows_how_wide_it_makes_a_key(score: Score) -> None:
    assert score.key_width(K) == score.keys(torch.zeros(B, S, K)).shape[-1]


class Cosine(Score):
    """The least that a class of one's own has to say."""

    def forward(self, query: Tensor, keys: Tensor) -> Tensor:
        return torch.nn.functional.normalize(query, dim=-1) @ torch.nn.functional.normalize(keys, dim=-1).mT


def test_a_score_of_ones_own_needs_forward_alone() -> None:
    attention = Attention(score=Cosine(), span=Global(), normalizer=softmax, context_width=D)
    source, query = states(B, S, D), states(B, Q, D)
    memory = attention.remember(source, torch.ones(B, S, dtype=torch.bool))
    weights = attention(Request(query, trace=True), memory).weights[:, 0]
    expected = torch.nn.functional.cosine_similarity(query[:, :, None], source[:, None], -1).softmax(-1)
    torch.testing.assert_close(weights, expected, rtol=0, atol=1e-12)
    assert Cosine().key_width(D) == D
