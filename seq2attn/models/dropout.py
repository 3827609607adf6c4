"""Dropout whose random bits are cheap on a CPU."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

_LEVELS = 1 << 16


class Dropout(nn.Module):
    """In training, each number becomes 0 with probability `rate`, else it is divided by 1 − rate (Srivastava et al. 2014).

    variational: the same features are dropped at each step of a sequence, axis 1 of three (Gal & Ghahramani 2016).
    """

    def __init__(self, rate: float, *, variational: bool = False) -> None:
        super().__init__()
        self.rate = rate
        self.variational = variational

    def forward(self, states: Float[Tensor, "*N"]) -> Float[Tensor, "*N"]:
        """Drop from a tensor of any shape."""
        if not self.training or not self.rate:
            return states
        if self.variational and states.dim() == 3:
            return states * drop(torch.ones_like(states[:, :1]), self.rate)
        return drop(states, self.rate)

    def hold(self) -> Callable[[Tensor], Tensor]:
        """What drops in a loop that has one step of a sequence at a time: the same features at each, if variational."""
        if not self.training or not self.variational:
            return self
        kept: list[Tensor] = []

        def drop_step(step: Float[Tensor, "B Q D"]) -> Float[Tensor, "B Q D"]:
            if not kept:
                kept.append(drop(torch.ones_like(step[:, :1]), self.rate))
            return step * kept[0]

        return drop_step


class WordDropout(nn.Module):
    """In training, each vector of a sequence becomes 0 with probability `rate`, else it is divided by 1 − rate.

    Of embeddings: whole words are left out, as by Gal & Ghahramani (2016) and Sennrich et al. (2016, WMT), here each occurrence
    of a word for itself.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, vectors: Float[Tensor, "B T D"]) -> Float[Tensor, "B T D"]:
        """Drop words."""
        if not self.training or not self.rate:
            return vectors
        return vectors * drop(torch.ones_like(vectors[:, :, :1]), self.rate)


def drop(states: Float[Tensor, "*N"], rate: float) -> Float[Tensor, "*N"]:
    """Each number × 0 with probability `rate`, else × 1 / (1 − rate).

    On a CPU the rate is rounded to a multiple of 2⁻¹⁶, and one 64-bit draw decides four numbers. The draws are those of a
    generator that is faster than PyTorch's, whose random state gives the seed: PyTorch's own dropout makes a draw of its own
    for each number, in one thread (scripts/bench_kernels.py).
    """
    dropped = round(rate * _LEVELS)
    if not dropped:
        return states
    if states.device.type != "cpu":
        return nn.functional.dropout(states, rate)
    seed = int(torch.randint(1 << 62, ()))
    draws = np.random.SFC64(seed).random_raw(-(-states.numel() // 4)).view(np.int16)
    # NumPy compares, and bytes are converted: PyTorch is several times slower at either with truth values.
    kept = (draws >= dropped - _LEVELS // 2).view(np.uint8)
    ones = torch.from_numpy(kept)[: states.numel()].view(states.shape).to(states.dtype)
    return states * ones.mul_(_LEVELS / (_LEVELS - dropped))
