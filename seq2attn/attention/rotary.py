"""Rotary positions: a query and a key turned by their positions have a product that depends on the distance alone."""

from functools import lru_cache

import torch
from jaxtyping import Float, Int
from torch import Tensor

BASE = 10000.0


def rotate(states: Float[Tensor, "B G T D"], positions: Int[Tensor, " T"], length: int) -> Float[Tensor, "B G T D"]:
    """Turn each pair (x_2j, x_2j+1) by the angle p · 10000^(−2j/D) (Su et al. 2021, eq. 34).

    D must be even, and every position p below `length`, so that no device has to be asked for the largest one.
    """
    dtype = torch.promote_types(states.dtype, torch.float32)
    table = make_table(states.shape[-1], 1 << (length - 1).bit_length(), states.device, dtype)
    cosine, sine = (rows[positions] for rows in table)
    even, odd = states[..., 0::2].to(dtype), states[..., 1::2].to(dtype)
    return torch.stack([even * cosine - odd * sine, even * sine + odd * cosine], -1).flatten(-2).to(states.dtype)


@lru_cache(maxsize=64)
def make_table(width: int, length: int, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Cosine and sine "length D/2" of every angle: computed in fp64 on the CPU, since not every device has fp64, then moved."""
    with torch.inference_mode(False):  # a tensor made in inference mode cannot take part in training
        exponents = torch.arange(0, width, 2, dtype=torch.float64, device="cpu") / width
        angles = torch.arange(length, device="cpu")[:, None] * BASE**-exponents
        return angles.cos().to(dtype).to(device), angles.sin().to(dtype).to(device)
