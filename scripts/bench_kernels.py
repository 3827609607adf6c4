"""Two choices measured: attention fused in fp32 or composed in bf16, and dropout by 16-bit or by whole draws.

On a CPU, forward and backward. Prints the time of the other choice over that of ours, medians of runs that take turns: above 1,
ours is faster. In bf16 oneDNN also has to make a kernel for each new shape, which these repeated runs do not show.
"""

import statistics
import time
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import dropout, scaled_dot_product_attention

from seq2attn.attention import softmax
from seq2attn.models.dropout import Dropout

# sentences, heads, queries, keys, width of a head: a Transformer layer, long sentences, one step of a recurrent decoder
SHAPES = [(110, 4, 16, 16, 64), (40, 4, 50, 50, 64), (110, 1, 1, 16, 512)]
RUNS = 20


def composed(query: Tensor, keys: Tensor, values: Tensor, legal: Tensor) -> Tensor:
    """What `Attention` computes where the fused kernel has no place."""
    return softmax(query @ keys.mT, legal).to(values.dtype) @ values


def fused(query: Tensor, keys: Tensor, values: Tensor, legal: Tensor) -> Tensor:
    """PyTorch's kernel."""
    return scaled_dot_product_attention(query, keys, values, legal, scale=1.0)


def ratio(theirs: Callable[[], Tensor], ours: Callable[[], Tensor]) -> float:
    """Time of one over time of the other, forward and backward, in turns."""
    times: tuple[list[float], list[float]] = ([], [])
    for turn in range(RUNS + 2):
        for function, record in zip((theirs, ours), times, strict=True):
            started = time.perf_counter()
            function().sum().backward()
            if turn > 1:
                record.append(time.perf_counter() - started)
    return statistics.median(times[0]) / statistics.median(times[1])


def main() -> None:
    """Print both tables."""
    print(f"{torch.get_num_threads()} threads; time of the other choice over ours")
    for shape in SHAPES:
        sentences, heads, queries, positions, width = shape
        legal = torch.ones(sentences, 1, 1, positions, dtype=torch.bool)
        parts = [torch.randn(sentences, heads, n, width) for n in (queries, positions, positions)]
        query, keys, values = [part.requires_grad_() for part in parts]
        q, k, v = [part.detach().bfloat16().requires_grad_() for part in parts]
        for name, other in (
            ("composed in bf16", partial(composed, q, k, v, legal)),
            ("fused in bf16", partial(fused, q, k, v, legal)),
            ("composed in fp32", partial(composed, query, keys, values, legal)),
        ):
            found = ratio(other, partial(fused, query, keys, values, legal))
            print(f"attention {shape!s:24} {name:17} {found:5.2f}")
    for dtype in (torch.float32, torch.bfloat16):
        states = torch.randn(110, 16, 1024, dtype=dtype, requires_grad=True)
        own = Dropout(0.1)
        found = ratio(partial(dropout, states, 0.1), partial(own, states))
        print(f"dropout   {tuple(states.shape)!s:24} {str(dtype).removeprefix('torch.'):17} {found:5.2f}")


if __name__ == "__main__":
    main()
