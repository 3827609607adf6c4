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
_AT_ONCE = 200  # draws whose keys are in memory together


@dataclass(frozen=True)
class WidthStatistics:
    """Means over all draws at width `d` of query and keys.

    `variance`: of the scores q · k; `entropy_…`: of their softmax weights, in nats; `jacobian_…`: the Frobenius norm of
    ∂weights/∂scores, through which every gradient passes. Unscaled scores are q · k, scaled ones q · k / √d.
    """

    d: int
    variance: float
    entropy_unscaled: float
    entropy_scaled: float
    jacobian_unscaled: float
    jacobian_scaled: float


@dataclass(frozen=True)
class Scaling:
    """The measurements at every width; `draws` queries were drawn at each."""

    draws: int
    seed: int
    widths: tuple[WidthStatistics, ...]

    @property
    def growth(self) -> float:
        """a of variance ∝ d^a, by least squares over logarithms: 1 is linear."""
        d, variance = [math.log(width.d) for width in self.widths], [math.log(width.variance) for width in self.widths]
        return linear_regression(d, variance).slope

    @property
    def verdict(self) -> str:
        """The law that the variances follow, in a sentence."""
        law = f"var(q · k) grows as d^{self.growth:.2f}"
        if abs(self.growth - 1) > 0.1:
            return f"{law}: too few draws to tell a law; raise --draws."
        return f"{law}: linearly with d, not exponentially. Divided by √d, the scores keep variance 1 at every width."

    def to_json(self) -> dict[str, Any]:
        """`widths` has one entry for each width; entropies are in nats, `growth` is the exponent a of variance ∝ d^a."""
        setting = {"keys": KEYS, "uniform_entropy": math.log(KEYS)}
        return asdict(self) | setting | {"growth": self.growth, "verdict": self.verdict}

    def to_text(self) -> str:
        """A table with a row for each width, what its columns mean above it, and the verdict below."""
        header = ("d", "var(q · k)", "entropy", "entropy, scaled", "Jacobian", "Jacobian, scaled")
        rows = tuple(
            (str(w.d), f"{w.variance:.2f}", *(f"{number:.3f}" for number in astuple(w)[2:])) for w in self.widths
        )
        return f"""\
Softmax over {KEYS} keys. The entries of q and k are drawn from N(0, 1); every figure is a mean of {self.draws:,} draws.
Entropy in nats: equal weights have ln {KEYS} = {math.log(KEYS):.3f}, all the weight on one key 0. Scaled: q · k / √d.
Jacobian: the Frobenius norm of ∂weights/∂scores; near 0, hardly any gradient passes.

{text_table(Table(header, rows))}

{self.verdict}"""


def measure_scaling(*, draws: int, seed: int) -> Scaling:
    """Draw `draws` queries at each width, each with KEYS keys; every width begins with the same seed."""
    return Scaling(draws, seed, tuple(_measure_width(width, draws, seed) for width in WIDTHS))


def _measure_width(width: int, draws: int, seed: int) -> WidthStatistics:
    generator = torch.Generator().manual_seed(seed)
    pieces = [_draw(width, min(_AT_ONCE, draws - start), generator) for start in range(0, draws, _AT_ONCE)]
    return WidthStatistics(width, *torch.cat(pieces).mean(0).tolist())


def _draw(width: int, draws: int, generator: torch.Generator) -> Float[Tensor, "N 5"]:
    """A row of `WidthStatistics` for each draw. The mean of q · k is 0, so its mean square is its variance."""
    query, keys = (torch.randn(draws, rows, width, generator=generator) for rows in (1, KEYS))
    unscaled, scaled = (Dot(scale=scale)(query, keys)[:, 0] for scale in (1.0, width**-0.5))
    weights = [softmax(scores, torch.ones_like(scores, dtype=torch.bool)) for scores in (unscaled, scaled)]
    return torch.stack([unscaled.square().mean(1), *map(entropy, weights), *map(jacobian_norm, weights)], 1)


def jacobian_norm(weights: Float[Tensor, "N S"]) -> Float[Tensor, " N"]:
    """‖diag(w) − w wᵀ‖_F, the norm of the Jacobian of softmax where its weights are w."""
    return torch.linalg.matrix_norm(weights.diag_embed() - weights[:, :, None] * weights[:, None, :])
