"""Rotary positions against complex numbers, and what they promise."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from seq2attn.attention import rotary
from seq2attn.attention.rotary import rotate

B, G, T, D = 2, 3, 5, 6
EXACT = {"rtol": 0, "atol": 1e-12}


def states(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def at(state: Tensor, position: int) -> Tensor:
    """One vector turned by its position."""
    return rotate(state[None, None, None], torch.tensor([position]), position + 1)[0, 0, 0]


def test_two_pairs_by_hand() -> None:
    found = at(torch.tensor([1.0, 0, 0, 1], dtype=torch.float64), 1)  # by 1 and by 0.01
    assert found.tolist() == pytest.approx([0.540302, 0.841471, -0.010000, 0.999950], abs=5e-7)


def test_pairs_are_complex_numbers_and_turning_is_multiplication() -> None:
    given, positions = states(B, G, T, D), torch.tensor([0, 1, 7, 3, 1000])
    frequencies = torch.tensor([10000 ** (-2 * j / D) for j in range(D // 2)], dtype=torch.float64)
    angles = positions[:, None] * frequencies
    numbers = torch.view_as_complex(given.unflatten(-1, (-1, 2))) * torch.polar(torch.ones_like(angles), angles)
    torch.testing.assert_close(rotate(given, positions, 1001), torch.view_as_real(numbers).flatten(-2), **EXACT)


def test_the_product_of_query_and_key_depends_on_their_distance_alone() -> None:
    query, key = states(D), states(D, seed=1)
    for distance in (-4, 0, 1, 9):
        products = [(at(query, distance + r) @ at(key, r)).item() for r in (4, 5, 50, 900)]
        assert products == [pytest.approx(products[0], abs=1e-12)] * 4
        assert products[0] != pytest.approx((query @ key).item(), abs=1e-3) or distance == 0


def test_no_vector_changes_its_length() -> None:
    given = states(B, G, T, D)
    found = rotate(given, torch.tensor([0, 1, 7, 3, 1000]), 1001)
    torch.testing.assert_close(found.norm(dim=-1), given.norm(dim=-1), **EXACT)


def test_the_first_position_changes_nothing() -> None:
    given = states(B, G, T, D)
    assert torch.equal(rotate(given, torch.zeros(T, dtype=torch.long), 1), given)
    assert not torch.allclose(rotate(given, torch.ones(T, dtype=torch.long), 2), given)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_the_type_stays_and_far_positions_are_exact_to_it(dtype: torch.dtype) -> None:
    given, positions = states(B, G, T, D).to(dtype), torch.arange(T) + 4000
    found = rotate(given, positions, 4000 + T)
    assert found.dtype == dtype
    torch.testing.assert_close(
        found, rotate(given.double(), positions, 4000 + T).to(dtype), rtol=torch.finfo(dtype).eps, atol=1e-6
    )


class WithoutFp64(TorchDispatchMode):
    """The meta device as one that has no fp64, as Apple's has none."""

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, tuple | list) else (result,):
            if isinstance(tensor, Tensor) and tensor.device.type == "meta" and tensor.dtype == torch.float64:
                raise TypeError(f"{function} makes fp64")
        return result


def test_a_device_needs_no_fp64() -> None:
    given = torch.zeros(B, G, T, D, device="meta")
    with WithoutFp64():
        assert rotate(given, torch.arange(T, device="meta"), T).device.type == "meta"


def test_what_inference_made_can_be_trained_through() -> None:
    rotary.make_table.cache_clear()
    given = states(B, G, T, D)
    with torch.inference_mode():
        rotate(given, torch.arange(T), T)
    given.requires_grad_()
    rotate(given, torch.arange(T), T).square().sum().backward()
    torch.testing.assert_close(given.grad, 2 * given.detach(), **EXACT)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_table_holds_the_angles_of_each_position_computed_alone(dtype: torch.dtype) -> None:
    """As they were computed before there was a table: from the positions themselves, in fp64."""
    given, positions = states(1, 1, 300, 14).to(dtype), torch.arange(700, 1000)
    angles = positions[:, None] * rotary.BASE ** -(torch.arange(0, 14, 2, dtype=torch.float64) / 14)
    cosine, sine = angles.cos().to(dtype), angles.sin().to(dtype)
    even, odd = given[..., 0::2], given[..., 1::2]
    expected = torch.stack([even * cosine - odd * sine, even * sine + odd * cosine], -1).flatten(-2)
    assert torch.equal(rotate(given, positions, 1000), expected)
