"""Laws 4 and 5, and what else every search promises, over every small model."""

import itertools

import pytest
import torch
from torch import Tensor

from seq2attn.models.seq2seq import Seq2Seq
from seq2attn.search import Beam, Greedy, Hypothesis, Sampling, Sentences
from seq2attn.search.hypothesis import length_penalty, next_logits
from seq2attn.tokens import BOS
from tests.laws.systems import DEVICE, MODELS, sentences, system

every_model = pytest.mark.parametrize("name", MODELS)
EOS = 3
BANNED = torch.arange(EOS, device=DEVICE)
LENGTHS = [4, 1, 7, 2]


def found(model: Seq2Seq, search: Greedy | Beam | Sampling, source: Tensor, limit: int) -> list[list[Hypothesis]]:
    limits = torch.full((len(source),), limit, device=DEVICE)
    return search(model, Sentences(source, limits, range(len(source))), BANNED)


def log_probability(model: Seq2Seq, source: Tensor, tokens: list[int]) -> float:
    """log p of whole token sequences by teacher forcing, among the tokens that may stand in a translation."""
    features = model(source, torch.tensor([tokens], device=DEVICE))
    log_p = next_logits(model, features, BANNED).log_softmax(-1)
    return float(log_p[0, torch.arange(len(tokens)), torch.tensor(tokens)].sum().detach())


@every_model
def test_beam_one_is_greedy(name: str) -> None:
    model = system(name)
    source = sentences(LENGTHS)
    greedy = found(model, Greedy(), source, 8)
    beam = found(model, Beam(1, 0.0), source, 8)
    for one, other in zip(greedy, beam, strict=True):
        assert one[0].tokens == other[0].tokens
        assert one[0].score == pytest.approx(other[0].score, abs=1e-9)


@every_model
@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_a_wide_enough_beam_is_exhaustive_search(name: str, alpha: float) -> None:
    model = system(name)
    with torch.no_grad():
        model.bias[7:] = -torch.inf  # three words and end-of-sentence: few enough to try all
    source, limit = sentences([3]), 3
    scores = {}
    for length in range(1, limit + 1):
        for words in itertools.product([4, 5, 6], repeat=length):
            cut = [*words] if length == limit else [*words, EOS]
            scores[words] = log_probability(model, source, cut) / length_penalty(len(cut), alpha)
    scores[()] = log_probability(model, source, [EOS]) / length_penalty(1, alpha)
    [hypotheses] = found(model, Beam(64, alpha), source, limit)
    assert {tuple(h.tokens) for h in hypotheses} == set(scores)
    for hypothesis in hypotheses:
        assert hypothesis.score == pytest.approx(scores[tuple(hypothesis.tokens)], abs=1e-9)
    assert [h.score for h in hypotheses] == pytest.approx(sorted(scores.values(), reverse=True), abs=1e-9)


@every_model
def test_a_sentence_translates_the_same_alone_and_in_any_batch(name: str) -> None:
    model = system(name)
    for search in (Greedy(), Beam(3, 1.0), Sampling(seed=5)):
        together = found(model, search, sentences(LENGTHS, padding=2), 9)
        for row, length in enumerate(LENGTHS):
            source, limits = sentences(LENGTHS)[row : row + 1, :length], torch.tensor([9], device=DEVICE)
            [alone] = search(model, Sentences(source, limits, [row]), BANNED)
            assert [h.tokens for h in alone] == [h.tokens for h in together[row]]


@every_model
@pytest.mark.parametrize("search", [Greedy(), Beam(3, 0.0), Beam(3, 3.0), Sampling(seed=5)])
def test_sentences_that_are_finished_stay_as_they_are_until_they_leave_the_batch(
    name: str, search: Greedy | Beam | Sampling
) -> None:
    """Of sixteen sentences four have to be finished before any leaves."""
    model, lengths, limits = system(name), LENGTHS * 4, torch.tensor([1, 9, 2, 4, *[9] * 12], device=DEVICE)
    with torch.no_grad():
        model.bias[EOS] += 1.0  # so that many end, and would end again
    source = sentences(lengths)
    together = search(model, Sentences(source, limits, range(16)), BANNED)
    for row, length in enumerate(lengths):
        [alone] = search(model, Sentences(source[row : row + 1, :length], limits[row : row + 1], [row]), BANNED)
        assert [h.tokens for h in alone] == [h.tokens for h in together[row]]


@every_model
def test_scores_are_the_log_probabilities_of_teacher_forcing(name: str) -> None:
    model = system(name)
    source, limit = sentences([5]), 6
    for search in (Greedy(), Beam(4, 0.0), Sampling(seed=2)):
        for hypothesis in found(model, search, source, limit)[0]:
            whole = hypothesis.tokens if len(hypothesis.tokens) == limit else [*hypothesis.tokens, EOS]
            assert hypothesis.score == pytest.approx(log_probability(model, source, whole), abs=1e-9)


@every_model
def test_no_hypothesis_is_longer_than_its_own_limit(name: str) -> None:
    model = system(name)
    source, limits = sentences(LENGTHS), torch.tensor([1, 4, 2, 6], device=DEVICE)
    for search in (Greedy(), Beam(3, 1.0), Sampling()):
        for hypotheses, limit in zip(
            search(model, Sentences(source, limits, range(4)), BANNED), limits.tolist(), strict=True
        ):
            assert hypotheses
            assert all(len(h.tokens) <= limit for h in hypotheses)
            assert all(token > EOS for h in hypotheses for token in h.tokens)


@pytest.mark.parametrize("search", [Greedy(), Beam(3, 1.0), Sampling()], ids=["greedy", "beam", "sampling"])
def test_banned_tokens_are_not_written_however_likely(search: Greedy | Beam | Sampling) -> None:
    model = system("luong")
    with torch.no_grad():
        model.bias[[5, 7]] += 50.0
    source, limits = sentences(LENGTHS), torch.full((len(LENGTHS),), 8, device=DEVICE)
    free = search(model, Sentences(source, limits, range(4)), BANNED)
    bound = search(model, Sentences(source, limits, range(4)), torch.tensor([0, 1, 2, 5, 7], device=DEVICE))
    assert all({*h.tokens} <= {5, 7} for hypotheses in free for h in hypotheses)
    assert not any({5, 7} & {*h.tokens} for hypotheses in bound for h in hypotheses)


def test_sampling_follows_the_models_distribution_and_its_seed() -> None:
    model = system("luong")
    source = sentences([4]).expand(3000, -1)
    drawn = [h[0].tokens[:1] for h in found(model, Sampling(seed=1), source, 1)]
    encoded = model.encoder(source[:1])
    memory, state = model.decoder.remember(encoded), model.decoder.start(encoded, 1)
    features, _ = model.decoder.step(torch.tensor([[BOS]], device=DEVICE), state, memory)
    p = next_logits(model, features, BANNED)[0, 0].softmax(-1)
    for token in range(3, len(p)):
        share = sum(tokens == ([] if token == EOS else [token]) for tokens in drawn) / len(drawn)
        assert share == pytest.approx(p[token].item(), abs=0.03)
    again = [h[0].tokens[:1] for h in found(model, Sampling(seed=1), source, 1)]
    other = [h[0].tokens[:1] for h in found(model, Sampling(seed=2), source, 1)]
    assert drawn == again
    assert drawn != other


def test_sampling_among_one_token_or_near_zero_temperature_is_greedy() -> None:
    model = system("bahdanau")
    source = sentences(LENGTHS)
    greedy = [h[0].tokens for h in found(model, Greedy(), source, 8)]
    assert [h[0].tokens for h in found(model, Sampling(top_k=1), source, 8)] == greedy
    assert [h[0].tokens for h in found(model, Sampling(temperature=1e-4), source, 8)] == greedy
