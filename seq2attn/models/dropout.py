"""Dropout whose random bits are cheap on a CPU."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

_LEVELS = 1 << 16


class Dropout(nn.Module):
    """In training, each number becomes 0 with probability `rate`, else it is divided by 1 − rate (Srivastava et al. 2014).

    On a CPU the rate is rounded to a multiple of 2⁻¹⁶, and one 64-bit draw decides four numbers. The draws are those of a
    generator that is faster than PyTorch's, whose random state gives the seed: PyTorch's own dropout makes a draw of its own
    for each number, in one thread (scripts/bench_kernels.py).
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self._dropped = round(rate * _LEVELS)

    def forward(self, states: Float[Tensor, "*N"]) -> Float[Tensor, "*N"]:
        """Drop from a tensor of any shape."""
        if not self.training or not self._dropped:
            return states
        if states.device.type != "cpu":
            return nn.functional.dropout(states, self.rate)
        seed = int(torch.randint(1 << 62, ()))
        draws = np.random.SFC64(seed).random_raw(-(-states.numel() // 4)).view(np.int16)
        # NumPy compares, and bytes are converted: PyTorch is several times slower at either with truth values.
        kept = (draws >= self._dropped - _LEVELS // 2).view(np.uint8)
        ones = torch.from_numpy(kept)[: states.numel()].view(states.shape).to(states.dtype)
        return states * ones.mul_(_LEVELS / (_LEVELS - self._dropped))
