"""Why scores are divided by √d: what grows with the width of query and key, and what softmax makes of it."""

import math
from dataclasses import asdict, astuple, dataclass
from statistics import linear_regression
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from seq2attn.attention import Dot, softmax
from seq2attn.probes.worked import entropy
from seq2attn.tables import Table, text_table

KEYS = 32
WIDTHS = (4, 16, 64, 256, 1024)
_AT_ONCE = 200  # draws: the keys of as many stay in memory


@dataclass(frozen=True)
class Width:
    """Means over all draws at width d: the variance of q · k, and of its softmax weights the entropy in nats and the
    Frobenius norm of the Jacobian ∂weights/∂scores, which every gradient must pass."""

    d: int
    variance: float
    entropy_unscaled: float
    entropy_scaled: float
    jacobian_unscaled: float
    jacobian_scaled: float


@dataclass(frozen=True)
class Scaling:
    """The measurements at every width."""

    draws: int
    seed: int
    widths: tuple[Width, ...]

    @property
    def growth(self) -> float:
        """a of variance ∝ d^a, by least squares over logarithms: 1 is linear."""
        d, variance = [math.log(width.d) for width in self.widths], [math.log(width.variance) for width in self.widths]
        return linear_regression(d, variance).slope

    @property
    def verdict(self) -> str:
        """What the figures say."""
        law = f"var(q · k) grows as d^{self.growth:.2f}"
        if abs(self.growth - 1) > 0.1:
            return f"{law}: too few draws to tell a law; raise --draws."
        return f"{law}: linearly with d, not exponentially. Divided by √d, the scores keep variance 1 at every width."

    def to_json(self) -> dict[str, Any]:
        """All figures."""
        own = {"keys": KEYS, "uniform_entropy": math.log(KEYS), "growth": self.growth, "verdict": self.verdict}
        return asdict(self) | own

    def to_text(self) -> str:
        """For a terminal."""
        header = ("d", "var(q · k)", "entropy", "entropy, scaled", "Jacobian", "Jacobian, scaled")
        rows = tuple(
            (str(w.d), f"{w.variance:.2f}", *(f"{number:.3f}" for number in astuple(w)[2:])) for w in self.widths
        )
        return f"""\
Softmax over {KEYS} keys; the entries of q and k are drawn from N(0, 1); means of {self.draws:,} draws.
Entropy in nats: uniform weights have ln {KEYS} = {math.log(KEYS):.3f}, one key alone 0. Scaled: q · k / √d.
Jacobian: Frobenius norm of ∂weights/∂scores; near 0, hardly any gradient passes.

{text_table(Table(header, rows))}

{self.verdict}"""


def measure(*, draws: int, seed: int) -> Scaling:
    """Draw `draws` queries at each width, each with keys of its own."""
    return Scaling(draws, seed, tuple(_measured(width, draws, seed) for width in WIDTHS))


def _measured(width: int, draws: int, seed: int) -> Width:
    generator = torch.Generator().manual_seed(seed)
    pieces = [_piece(width, min(_AT_ONCE, draws - start), generator) for start in range(0, draws, _AT_ONCE)]
    return Width(width, *torch.cat(pieces).mean(0).tolist())


def _piece(width: int, draws: int, generator: torch.Generator) -> Float[Tensor, "N 5"]:
    """One row for each draw, in the order of `Width`. The mean of q · k is 0, so its mean square is its variance."""
    query, keys = (torch.randn(draws, rows, width, generator=generator) for rows in (1, KEYS))
    unscaled, scaled = (Dot(scale=scale)(query, keys)[:, 0] for scale in (1.0, width**-0.5))
    weights = [softmax(scores, torch.ones_like(scores, dtype=torch.bool)) for scores in (unscaled, scaled)]
    return torch.stack([unscaled.square().mean(1), *map(entropy, weights), *map(jacobian_norm, weights)], 1)


def jacobian_norm(weights: Float[Tensor, "N S"]) -> Float[Tensor, " N"]:
    """‖diag(w) − w wᵀ‖_F: the Jacobian of softmax."""
    return torch.linalg.matrix_norm(weights.diag_embed() - weights[:, :, None] * weights[:, None, :])
