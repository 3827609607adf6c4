"""The fused kernel of scaled dot + softmax gives what the composed path gives, also where a query has no legal key."""

import pytest
import torch
from torch import Tensor

from seq2attn.attention import Attention, Dot, Global, Memory, Request, softmax
from tests.laws.systems import DEVICE

TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 3e-2}
WIDTH, LENGTHS = 16, [5, 0, 9, 1]


def attend(dtype: torch.dtype, *, trace: bool) -> tuple[Tensor, list[Tensor]]:
    """The context of 3 queries to sentences of `LENGTHS`, and the gradients of queries, keys and values."""
    generator = torch.Generator().manual_seed(3)
    shapes = [(4, 3, WIDTH), (4, 1, 9, WIDTH), (4, 1, 9, WIDTH)]
    given = [torch.randn(shape, generator=generator).to(DEVICE, dtype).requires_grad_() for shape in shapes]
    mask = torch.arange(9, device=DEVICE) < torch.tensor(LENGTHS, device=DEVICE)[:, None]
    attention = Attention(score=Dot(scale=0.25), span=Global(), normalizer=softmax, context_width=WIDTH)
    context = attention(Request(given[0], trace=trace), Memory(given[1], given[2], mask)).context
    context.square().sum().backward()
    return context, [tensor.grad for tensor in given if tensor.grad is not None]


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_the_fused_kernel_equals_the_composed_path(dtype: torch.dtype) -> None:
    fused, composed = attend(dtype, trace=False), attend(dtype, trace=True)
    near = {"rtol": TOLERANCE[dtype], "atol": TOLERANCE[dtype]}
    torch.testing.assert_close(fused[0].to(dtype), composed[0].to(dtype), **near)
    for own, right in zip(fused[1], composed[1], strict=True):
        torch.testing.assert_close(own, right, **near)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_a_query_without_a_legal_key_gets_nothing_from_the_fused_kernel(dtype: torch.dtype) -> None:
    context, gradients = attend(dtype, trace=False)
    assert (context[1] == 0).all()
    for gradient in gradients:
        assert gradient.isfinite().all()
        assert (gradient[1] == 0).all()
