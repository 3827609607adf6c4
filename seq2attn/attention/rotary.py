"""Rotary positions: a query and a key turned by their positions have a product that depends on the distance alone."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

BASE = 10000.0


def rotated(states: Float[Tensor, "B G T D"], positions: Int[Tensor, " T"]) -> Float[Tensor, "B G T D"]:
    """Pairs (x_2j, x_2j+1) turned by the angle p · 10000^(−2j/D) (Su et al. 2021, eq. 34). D is even."""
    width = states.shape[-1]
    dtype = torch.promote_types(states.dtype, torch.float32)
    exponents = torch.arange(0, width, 2, dtype=torch.float64, device=states.device) / width
    angles = positions[:, None] * BASE**-exponents
    cosine, sine = angles.cos().to(dtype), angles.sin().to(dtype)
    even, odd = states[..., 0::2].to(dtype), states[..., 1::2].to(dtype)
    return torch.stack([even * cosine - odd * sine, even * sine + odd * cosine], -1).flatten(-2).to(states.dtype)
