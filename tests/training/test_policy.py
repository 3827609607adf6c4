"""What hard attention learns from: numbers by hand, and expectations over every draw."""

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor

from seq2attn.attention import Additive, Aggregated, Attention, Choice, Global, expectation, softmax
from seq2attn.attention.aggregation import Gumbel, Reinforce
from seq2attn.attention.marginal import Marginal
from seq2attn.models.bahdanau_decoder import BahdanauDecoder
from seq2attn.models.embedding import Embedding, token_embedding
from seq2attn.models.lstm_encoder import LstmEncoder
from seq2attn.models.luong_decoder import LuongDecoder
from seq2attn.models.seq2seq import Drawn, Seq2Seq
from seq2attn.search.hypothesis import next_logits
from seq2attn.tensors import Tree, take
from seq2attn.tokens import PAD
from seq2attn.training.loss import Loss, sequence_loss
from seq2attn.training.policy import policy_loss, rewards
from tests.training.toy import SOURCE, TARGET, batch, trainer

EXACT = {"rtol": 0.0, "atol": 1e-10}
ELBO, ELBO_GRADIENT = -1.430147, [0.157918, -0.157918]


def fp64(values: Any) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def model(aggregation: Any, decoder: str = "luong", top_k: int | None = None) -> Seq2Seq:
    """A small fp64 model in training mode; `aggregation` "marginal" is the mixture, "elbo" its bound."""
    torch.manual_seed(7)
    source, target = token_embedding(11, 4), token_embedding(11, 4)
    parts: dict[str, Any] = {"score": Additive(query_width=6, key_width=6, width=5), "span": Global()}
    if aggregation in ("marginal", "elbo"):
        plain = Attention(**parts, normalizer=softmax, context_width=6)
        one = Marginal(plain, top_k=top_k, elbo=aggregation == "elbo")
    else:
        one = Attention(**parts, normalizer=softmax, context_width=6, aggregation=aggregation)  # type: ignore[assignment]
    own = {"attention": one, "final_width": 6, "width": 6, "layers": 1, "dropout": 0.0}
    table = Embedding(target, dropout=0.0)
    made = (
        BahdanauDecoder(table, **own)
        if decoder == "bahdanau"
        else LuongDecoder(table, **own, input_feeding=decoder == "luong, fed")
    )
    encoder = LstmEncoder(Embedding(source, dropout=0.0), width=3, layers=1, bidirectional=True)
    whole = Seq2Seq(encoder=encoder, decoder=made, output=target).double()
    with torch.no_grad():
        for parameter in whole.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.5)
    return whole


def loss(whole: Seq2Seq, source: Tensor, target: Tensor, smoothing: float = 0.0) -> Loss:
    return sequence_loss(whole(source, target), whole.output, whole.bias, target, smoothing=smoothing)


# ---- by hand


def test_rewards_to_go_by_hand() -> None:
    log_p = fp64([[-1.0, -2.0, -4.0], [-3.0, -0.5, 0.0]])  # the second sentence has two tokens
    assert rewards(log_p, to_go=False).tolist() == log_p.tolist()
    assert rewards(log_p, to_go=True).tolist() == [[-7, -6, -4], [-3.5, -0.5, 0]]


@pytest.mark.parametrize(
    ("recurrent", "value", "baseline"),
    [
        # b = −1; weight 2: −2 Σ (R + 1) log α − 3 Σ H over the three drawn real steps; b ← .9 b + .1 mean R
        (True, -2 * (-6 * -0.5 + -5 * -0.25 + -3 * -1.5) - 3 * 0.6, -0.9 - 0.1 * 17 / 3),
        (False, -2 * (0 * -0.5 + -1 * -0.25 + -3 * -1.5) - 3 * 0.6, -0.9 - 0.1 * 7 / 3),
    ],
)
def test_the_policys_loss_by_hand(recurrent: bool, value: float, baseline: float) -> None:
    policy = Reinforce(weight=2.0, entropy=3.0).double()
    policy.baseline.fill_(-1.0)
    choice = Choice(
        fp64([[-0.5, -0.25, -1.5], [-0.1, -0.2, -0.3], [-9, -9, -9]]),
        fp64([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6], [9, 9, 9]]),
        torch.tensor([[True] * 3, [False] * 3, [True] * 3]),  # the second sentence is soft, the third is padding
        policy,
    )
    real = torch.tensor([[True] * 3, [True, True, False], [False] * 3])
    log_p = fp64([[-1.0, -2.0, -4.0], [-3.0, -0.5, 0.0], [0.0, 0.0, 0.0]])
    found = policy_loss(Drawn(torch.zeros(3, 3, 1), choice, recurrent), log_p, real)
    assert found.item() == pytest.approx(value, abs=1e-12)
    assert policy.baseline.item() == pytest.approx(baseline, abs=1e-12)


# ---- two positions with scores (1.5, 3.5); the token has probability .9 from one and .2 from the other

WEIGHT, BIAS, TOKEN = fp64([[0.0], [1.0], [0.0]]), fp64([-1e3, 0.0, 0.0]), torch.tensor([[1]])
FEATURES = fp64([0.9 / 0.1, 0.2 / 0.8]).log()


@pytest.mark.parametrize("baseline", [0.0, -1.0, ELBO])
def test_the_policys_expected_gradient_is_that_of_the_expected_likelihood(baseline: float) -> None:
    scores = fp64([1.5, 3.5]).requires_grad_()
    log_alpha, objective, nll = scores.log_softmax(0), fp64(0.0), 0.0
    for z in range(2):
        policy = Reinforce(entropy=0.0).double()
        policy.baseline.fill_(baseline)
        choice = Choice(log_alpha[z].view(1, 1), fp64([[0.0]]), torch.tensor([[True]]), policy)
        found = sequence_loss(Drawn(FEATURES[z].view(1, 1, 1), choice, False), WEIGHT, BIAS, TOKEN)
        alpha = log_alpha[z].exp().detach()
        objective = objective + alpha * found.smoothed
        nll += float(alpha * found.nll)
    assert -nll == pytest.approx(ELBO, abs=5e-7)
    [gradient] = torch.autograd.grad(-objective, scores)
    assert gradient.tolist() == pytest.approx(ELBO_GRADIENT, abs=5e-7)
    elbo = scores.softmax(0) @ fp64([0.9, 0.2]).log()
    torch.testing.assert_close(gradient, torch.autograd.grad(elbo, scores)[0], **EXACT)


# ---- every draw of a whole model


class Scripted:
    """Draws the positions that it is told to, step by step."""

    def __init__(self, policy: Reinforce, places: Tensor) -> None:
        self.policy, self.places, self.step = policy, places, 0

    def __call__(self, weights: Tensor, training: bool, past: Tree = ()) -> Aggregated:
        steps = weights.shape[2]
        place = self.places[self.step : self.step + steps].view(1, 1, steps, 1)
        self.step += steps
        log_p = weights.log().gather(3, place)[:, 0, :, 0]
        entropy = -(weights * weights.log()).sum(3)[:, 0]
        drawn = torch.ones_like(log_p, dtype=torch.bool)
        choice = Choice(log_p, entropy, drawn, self.policy)
        return Aggregated(torch.zeros_like(weights).scatter(3, place, 1.0), choice)


@pytest.mark.parametrize("decoder", ["luong", "luong, fed", "bahdanau"])
@pytest.mark.parametrize("baseline", [0.0, -3.0])
def test_over_all_draws_the_policy_follows_the_expected_likelihood(decoder: str, baseline: float) -> None:
    source, target = torch.tensor([[4, 5]]), torch.tensor([[6, 7, 3]])
    objective, truth = fp64(0.0), fp64(0.0)
    whole = model(expectation, decoder)
    for places in itertools.product(range(2), repeat=3):
        policy = Reinforce(entropy=0.0).double()
        policy.baseline.fill_(baseline)
        whole.decoder.attention.aggregation = Scripted(policy, torch.tensor(places))  # type: ignore[attr-defined]
        drawn = whole(source, target)
        probability = drawn.choice.log_probability.sum().exp()
        found = sequence_loss(drawn, whole.output, whole.bias, target)
        objective = objective + probability.detach() * found.smoothed
        log_p = whole.logits(drawn.features).log_softmax(-1).gather(2, target[..., None]).sum()
        truth = truth - probability * log_p
    parameters = list(whole.parameters())
    gradients = torch.autograd.grad(objective, parameters, retain_graph=True)
    for own, right in zip(gradients, torch.autograd.grad(truth, parameters), strict=True):
        torch.testing.assert_close(own, right, **EXACT)


class ScriptedTwice(Scripted):
    """Draws two positions at each step, first those of one block, then those of the other."""

    def __call__(self, weights: Tensor, training: bool, past: Tree = ()) -> Aggregated:
        return super().__call__(weights.repeat(1, 1, 2, 1), training, past)


def test_over_all_pairs_of_draws_the_policy_follows_the_expected_likelihood() -> None:
    source, target = torch.tensor([[4, 5]]), torch.tensor([[6, 7, 3]])
    objective, truth = fp64(0.0), fp64(0.0)
    whole = model(expectation)
    for places in itertools.product(range(2), repeat=6):
        policy = Reinforce(entropy=0.0).double()
        policy.baseline.fill_(100.0)  # not used
        whole.decoder.attention.aggregation = ScriptedTwice(policy, torch.tensor(places))  # type: ignore[attr-defined]
        drawn = whole(source, target)
        assert drawn.draws == 2
        probability = drawn.choice.log_probability.sum().exp()
        objective = objective + probability.detach() * sequence_loss(drawn, whole.output, whole.bias, target).smoothed
        log_p = whole.logits(drawn.features).log_softmax(-1).gather(2, target.repeat(1, 2)[..., None]).sum()
        truth = truth - probability * log_p / 2
        assert policy.baseline == 100
    parameters = list(whole.parameters())
    gradients = torch.autograd.grad(objective, parameters, retain_graph=True)
    for own, right in zip(gradients, torch.autograd.grad(truth, parameters), strict=True):
        torch.testing.assert_close(own, right, **EXACT)


def test_of_two_draws_each_is_judged_by_the_other() -> None:
    policy = Reinforce(entropy=0.0).double()
    log_alpha = fp64([[-0.5, -0.1, -0.7, -0.2]]).requires_grad_()  # two steps of the first draw, two of the second
    choice = Choice(log_alpha, torch.zeros(1, 4), torch.ones(1, 4, dtype=torch.bool), policy)
    log_p, real = fp64([[-1.0, -3.0, -4.0, 0.0]]), torch.tensor([[True, True, True, False]])
    found = policy_loss(Drawn(torch.zeros(1, 4, 1), choice, False, 2), log_p, real)
    assert found.item() == pytest.approx(-((-1 + 4) * -0.5 + (-3 - 0) * -0.1 + (-4 + 1) * -0.7))


def test_the_bound_is_what_the_policy_expects_over_all_draws() -> None:
    source, target = torch.tensor([[4, 5]]), torch.tensor([[6, 7, 3]])
    drawing, bound, truth = model(expectation), model("elbo"), fp64(0.0)
    for places in itertools.product(range(2), repeat=3):
        drawing.decoder.attention.aggregation = Scripted(Reinforce(), torch.tensor(places))  # type: ignore[attr-defined]
        drawn = drawing(source, target)
        log_p = drawing.logits(drawn.features).log_softmax(-1).gather(2, target[..., None]).sum()
        truth = truth - drawn.choice.log_probability.sum().exp() * log_p
    found = loss(bound, source, target)
    torch.testing.assert_close(found.smoothed, truth, **EXACT)
    gradients = torch.autograd.grad(found.smoothed, list(bound.parameters()))
    for own, right in zip(gradients, torch.autograd.grad(truth, list(drawing.parameters())), strict=True):
        torch.testing.assert_close(own, right, **EXACT)


# ---- in training


@pytest.mark.parametrize("decoder", ["luong", "luong, fed", "bahdanau"])
def test_the_loss_is_the_likelihood_plus_the_policys_loss(decoder: str) -> None:
    policy, real = Reinforce(), TARGET != PAD
    whole = model(policy, decoder)
    drawn = whole(SOURCE, TARGET)
    assert drawn.recurrent == (decoder != "luong")
    found = sequence_loss(drawn, whole.output, whole.bias, TARGET, smoothing=0.1)
    log_p = whole.logits(drawn.features).log_softmax(-1)
    gold = log_p.gather(2, TARGET[..., None])[..., 0] * real
    torch.testing.assert_close(found.nll, -gold.sum(), **EXACT)
    assert not found.nll.requires_grad
    policy.baseline.zero_()  # as it was before
    beside = policy_loss(drawn, gold.detach(), real)
    assert beside.abs() > 0.01
    torch.testing.assert_close(found.smoothed, -0.9 * gold.sum() - 0.1 * log_p[real].mean(1).sum() + beside, **EXACT)


@pytest.mark.parametrize("decoder", ["luong", "luong, fed", "bahdanau"])
def test_soft_sentences_are_trained_as_soft_attention_is(decoder: str) -> None:
    soft, mixed = model(expectation, decoder), model(Reinforce(soft_mix=1.0), decoder)
    found = []
    for whole in (soft, mixed):
        own = loss(whole, SOURCE, TARGET, smoothing=0.1)
        found.append((own.smoothed, own.nll, *torch.autograd.grad(own.smoothed, list(whole.parameters()))))
    torch.testing.assert_close(found[0], found[1], **EXACT)
    assert mixed.decoder.attention.aggregation.baseline == 0  # type: ignore[attr-defined]


@pytest.mark.parametrize("decoder", ["luong", "luong, fed", "bahdanau"])
def test_a_pass_that_is_given_up_leaves_nothing_to_the_next(decoder: str) -> None:
    torch.manual_seed(1)
    whole = model(Reinforce(soft_mix=0.5), decoder)
    source, target = SOURCE[:1].expand(200, -1), TARGET[:1].expand(200, -1)
    first, second = (whole(source, target).choice.drawn[:, 0] for _ in range(2))  # without a loss in between
    assert 60 < (first != second).sum() < 140


@pytest.mark.parametrize("decoder", ["luong, fed", "bahdanau"])
def test_soft_sentences_are_part_of_the_decoders_state(decoder: str) -> None:
    torch.manual_seed(1)
    whole = model(Reinforce(soft_mix=0.5), decoder).decoder
    encoded = model(expectation, decoder).encoder(SOURCE)
    memory, state = whole.remember(encoded), whole.start(encoded, 2)
    token = torch.full((len(SOURCE), 2), 4)
    _, first = whole.step(token, state, memory)
    rows = torch.arange(len(SOURCE)).flip(0)
    _, second = whole.step(token, take(first, rows), take(memory, rows))
    assert first.history.drawn.shape == (len(SOURCE), 2)
    assert first.history.drawn.any()
    assert not first.history.drawn.all()
    assert torch.equal(second.history.drawn, first.history.drawn.flip(0))


@pytest.mark.parametrize("aggregation", ["reinforce", "gumbel", "marginal"])
def test_the_same_seed_trains_the_same(aggregation: str) -> None:
    ends = []
    for seed in (1, 1, 2):
        made: Any = {"reinforce": Reinforce(), "gumbel": Gumbel(), "marginal": "marginal"}[aggregation]
        whole = model(made)
        torch.manual_seed(seed)
        own = trainer([batch(0, 1), batch(2, 3)], model=whole, max_updates=4)
        own.run([])
        ends.append(torch.cat([tensor.detach().flatten() for tensor in whole.state_dict().values()]))
    assert torch.equal(ends[0], ends[1])
    assert torch.equal(ends[0], ends[2]) == (aggregation == "marginal")  # which draws nothing


@pytest.mark.parametrize("aggregation", ["reinforce", "gumbel", "marginal", "elbo"])
def test_training_makes_the_loss_fall(aggregation: str) -> None:
    made: Any = {"reinforce": Reinforce(), "gumbel": Gumbel()}.get(aggregation, aggregation)
    whole = model(made, top_k=2)
    torch.manual_seed(1)
    own = trainer([batch(0, 1, 2, 3)], model=whole, optimizer=torch.optim.AdamW(whole.parameters(), 0.1))
    for _ in range(15):
        own.update()
    losses = [step.nll for step in own.read_steps()]
    assert sum(losses[-3:]) < 0.7 * sum(losses[:3])


# ---- mixtures through decoders


@pytest.mark.parametrize("top_k", [None, 2])
def test_a_mixture_of_teacher_forcing_equals_that_of_stepping(top_k: int | None) -> None:
    whole = model("marginal", top_k=top_k).eval()
    together, encoded = whole.logits(whole(SOURCE, TARGET)), whole.encoder(SOURCE)
    memory, state = whole.decoder.remember(encoded), whole.decoder.start(encoded, 1)
    token = torch.full_like(TARGET[:, :1], 2)
    for step in range(TARGET.shape[1]):
        features, state = whole.decoder.step(token, state, memory)
        torch.testing.assert_close(whole.logits(features)[:, 0], together[:, step], **EXACT)
        token = TARGET[:, step : step + 1]


def test_the_exact_marginal_is_never_below_the_expected_likelihood() -> None:
    whole = model("marginal")
    mixture = whole(SOURCE, TARGET)
    log_p = whole.logits(mixture.values).log_softmax(-1)
    elbo = (mixture.log_weights.exp()[..., None] * log_p).sum(2)
    assert (whole.logits(mixture) >= elbo - 1e-12).all()
    assert (whole.logits(mixture) > elbo + 0.01).any()


def test_the_bound_is_below_the_mixture_and_translates_from_the_likeliest_position() -> None:
    whole, mixed, hard = model("elbo"), model("marginal"), model(Reinforce())
    assert loss(mixed, SOURCE, TARGET).nll < loss(whole, SOURCE, TARGET).nll - 0.01
    assert torch.equal(whole.eval()(SOURCE, TARGET), hard.eval()(SOURCE, TARGET))


def test_the_next_tokens_of_a_mixture_are_distributed_as_it_is() -> None:
    whole = model("marginal")
    mixture = whole(SOURCE, TARGET)
    p = (mixture.log_weights.exp()[..., None] * whole.logits(mixture.values).softmax(-1)).sum(2)
    torch.testing.assert_close(p.sum(-1), torch.ones_like(p[..., 0]), **EXACT)
    torch.testing.assert_close(whole.logits(mixture).exp(), p, **EXACT)
    p = p.detach()
    p[..., :3] = 0  # padding, unknown, begin
    found = next_logits(whole, mixture, torch.arange(3)).softmax(-1)
    torch.testing.assert_close(found, p / p.sum(-1, keepdim=True), **EXACT)


@pytest.mark.parametrize("decoder", ["luong, fed", "bahdanau"])
def test_a_mixture_cannot_be_fed_back(decoder: str) -> None:
    with pytest.raises(ValueError, match="does not depend"):
        model("marginal", decoder)
