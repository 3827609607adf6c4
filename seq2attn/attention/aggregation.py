"""Aggregation: from weights to what is averaged. Soft attention averages all positions, hard attention chooses one.

A row of weights that is all 0 (no legal position) stays all 0 in every aggregation.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from seq2attn.attention.normalizers import softmax
from seq2attn.tensors import Tree


class Mixture(NamedTuple):
    """M alternatives for each query, and the logarithms of their probabilities, which sum to 1."""

    values: Float[Tensor, "B Q M V"]
    log_weights: Float[Tensor, "B Q M"]


class Elbo(Mixture):
    """A mixture that is trained by Σ_m w_m log p_m, which is at most log Σ_m w_m p_m (Xu et al. 2015, §4.1)."""


class Choice(NamedTuple):
    """What hard attention drew for each query, and what its policy needs to learn from it.

    log_probability: log α of the drawn position, in nats.
    entropy: that of α, in nats.
    drawn: False at the queries of a sentence that used the soft weights instead.
    policy: what drew, with its baseline and its factors.
    """

    log_probability: Float[Tensor, "B Q"]
    entropy: Float[Tensor, "B Q"]
    drawn: Bool[Tensor, "B Q"]
    policy: "Reinforce"


def join_choices(choices: Sequence[Choice]) -> Choice:
    """The choices of successive steps as one."""
    return Choice(
        torch.cat([choice.log_probability for choice in choices], 1),
        torch.cat([choice.entropy for choice in choices], 1),
        torch.cat([choice.drawn for choice in choices], 1),
        choices[0].policy,
    )


class Aggregated(NamedTuple):
    """What an aggregation makes of the weights.

    weights: those that the values are averaged with.
    choice: what was drawn, if a policy has to learn from it.
    history: what the aggregation has to know at the next step, leaves "B W …".
    """

    weights: Float[Tensor, "B G Q M"]
    choice: Choice | None = None
    history: Tree = ()


@runtime_checkable
class Aggregation(Protocol):
    """What `Attention` needs of an aggregation."""

    def __call__(self, weights: Float[Tensor, "B G Q M"], training: bool, past: Tree = ()) -> Aggregated:
        """Aggregate the `weights` of every query.

        past: what this aggregation returned as its history at the last step of the same target; () at the first step.
        """


def expectation(weights: Float[Tensor, "B G Q M"], training: bool, past: Tree = ()) -> Aggregated:
    """Soft attention: the weights themselves (Bahdanau et al. 2015, eq. 5)."""
    return Aggregated(weights)


@runtime_checkable
class Annealed(Protocol):
    """A part of a model with a setting that changes in the course of training."""

    def anneal(self, progress: float) -> None:
        """Set what changes to its value at `progress`, from 0 at the first update to 1 at the last.

        Nothing but `progress` may decide the value: a training that goes on from a checkpoint calls it with that alone.
        """


class Gumbel(nn.Module):
    """Straight-through Gumbel-softmax: y = softmax((log α + g) / τ), g ~ Gumbel(0, 1) (Jang et al. 2017, eq. 2 and §2.2).

    In training the position argmax y is chosen, which is a draw from α, and the gradient goes through y as if y had been
    used: it is biased, but varies little, and the less biased the lower τ. At test the position argmax α is chosen. τ goes from
    `temperature` to `final` by the same factor at each update.
    """

    def __init__(self, temperature: float = 1.0, final: float = 0.3) -> None:
        super().__init__()
        self.temperature = self._first = temperature
        self._final = final

    def anneal(self, progress: float) -> None:
        """τ = temperature^(1 − progress) · final^progress."""
        self.temperature = self._first ** (1 - progress) * self._final**progress

    def forward(self, weights: Float[Tensor, "B G Q M"], training: bool, past: Tree = ()) -> Aggregated:
        """One-hot weights: 1 at the chosen position."""
        if not training:
            return Aggregated(one_hot(weights, weights.argmax(-1, keepdim=True)))
        gumbel = -torch.empty_like(weights).exponential_().log()
        relaxed = softmax((logarithm(weights) + gumbel) / self.temperature, weights > 0)
        return Aggregated(one_hot(weights, relaxed.argmax(-1, keepdim=True)) + (relaxed - relaxed.detach()))


class Reinforce(nn.Module):
    """One position z ~ Cat(α) in training, argmax α at test (Xu et al. 2015, §4.1); one head.

    What `training.policy` minimizes beside the likelihood: −weight · (R − b) · log α_z − entropy · H(α), summed over the
    draws; `entropy` falls to 0 in the course of training. With probability `soft_mix` a whole sentence uses the soft weights,
    and the policy learns nothing from it; over the share `warm` of the training that probability falls to `soft_mix` from 1.
    Each query draws `samples` positions, one block of Q queries after the other. The baseline b of a draw is the mean R of the
    query's other draws, which knows how hard the token is (Kool et al. 2019, §2.1); of a single draw, a running mean of R.
    Raises ValueError for more than one head.
    """

    baseline: Float[Tensor, ""]

    def __init__(
        self,
        *,
        weight: float = 1.0,
        entropy: float = 0.01,
        soft_mix: float = 0.5,
        warm: float = 0.0,
        samples: int = 1,
    ) -> None:
        super().__init__()
        self.weight = weight
        self.entropy = self._first = entropy
        self.soft_mix = self._last = soft_mix
        self._warm = warm
        self._samples = samples
        self.register_buffer("baseline", torch.zeros(()))

    def forward(self, weights: Float[Tensor, "B G Q M"], training: bool, past: Tree = ()) -> Aggregated:
        """One-hot weights; in training the soft sentences keep their weights, and the choice says what was drawn.

        With several draws the weights are those of so many blocks of queries; with all sentences soft there is one. The history
        "B W" says which sentences are soft: it is drawn at a target's first step and holds for all of its steps.
        """
        if not training:
            return Aggregated(one_hot(weights, weights.argmax(-1, keepdim=True)))
        if weights.shape[1] != 1:
            raise ValueError(f"a policy draws one position, not one for each of {weights.shape[1]} heads")
        if self.soft_mix < 1:
            weights = weights.repeat(1, 1, self._samples, 1)
        sentences, _, queries, _ = weights.shape
        if isinstance(past, Tensor):
            soft = past
        else:
            soft = (torch.rand(sentences, device=weights.device) < self.soft_mix)[:, None].expand(-1, queries)
        # The least of independent exponential times with rates α is that of z with probability α_z.
        place = (weights.detach() / torch.empty_like(weights).exponential_()).argmax(-1, keepdim=True)
        used = torch.where(soft[:, None, :, None], weights, one_hot(weights, place))
        logs = logarithm(weights)
        choice = Choice(logs.gather(3, place)[:, 0, :, 0], -(weights * logs).sum(3)[:, 0], ~soft, self)
        return Aggregated(used, choice, soft)

    def anneal(self, progress: float) -> None:
        """entropy = its first value · (1 − progress); soft_mix = 1 − (1 − its last value) · progress / warm, then its last."""
        self.entropy = self._first * (1 - progress)
        self.soft_mix = self._last if progress >= self._warm else 1 - (1 - self._last) * progress / self._warm

    @torch.no_grad()
    def observe(self, rewards: Float[Tensor, " N"]) -> None:
        """Update the baseline with the rewards of a batch: b ← 0.9 b + 0.1 mean R, unless that mean is not finite."""
        mean = rewards.mean()
        self.baseline.copy_(torch.where(mean.isfinite(), 0.9 * self.baseline + 0.1 * mean, self.baseline))


def logarithm(weights: Float[Tensor, "*R M"]) -> Float[Tensor, "*R M"]:
    """log α; at α = 0 a very low number, and no gradient, instead of −∞ and NaN."""
    return weights.clamp_min(torch.finfo(weights.dtype).tiny).log()


def one_hot(weights: Float[Tensor, "*R M"], place: Int[Tensor, "*R 1"]) -> Float[Tensor, "*R M"]:
    """1 at `place` and 0 elsewhere; 0 everywhere if the weight at `place` is 0, so the place illegal."""
    return torch.zeros_like(weights).scatter(-1, place, 1.0) * (weights > 0)
