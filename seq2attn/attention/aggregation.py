"""Aggregation: from weights to what is averaged. Soft attention averages all positions, hard attention chooses one."""

from typing import NamedTuple, Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor


class Choice(NamedTuple):
    """What hard attention drew: log α of the position drawn, and the entropy of α in nats, for each query."""

    log_probability: Float[Tensor, "B Q"]
    entropy: Float[Tensor, "B Q"]


@runtime_checkable
class Aggregation(Protocol):
    """What `Attention` needs of an aggregation."""

    def __call__(
        self, weights: Float[Tensor, "B G Q M"], training: bool
    ) -> tuple[Float[Tensor, "B G Q M"], Choice | None]:
        """The weights that the values are averaged with, and what was drawn, if anything was."""


def expectation(weights: Float[Tensor, "B G Q M"], training: bool) -> tuple[Float[Tensor, "B G Q M"], Choice | None]:
    """Soft attention: the weights themselves (Bahdanau et al. 2015, eq. 5)."""
    return weights, None
