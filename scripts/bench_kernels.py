"""Two choices measured: attention composed or fused, and dropout by 16-bit or by whole draws. CPU, forward and backward.

Prints the time of PyTorch's own kernel over ours, medians of runs that take turns: above 1, ours is faster.
"""

import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import dropout, scaled_dot_product_attention

from seq2attn.attention import softmax
from seq2attn.models.dropout import Dropout

# sentences, heads, queries, keys, width of a head: a Transformer layer, long sentences, one step of a recurrent decoder
SHAPES = [(110, 4, 16, 16, 64), (40, 4, 50, 50, 64), (110, 1, 1, 16, 512)]
RUNS = 20


def composed(query: Tensor, keys: Tensor, values: Tensor, legal: Tensor) -> Tensor:
    """What `Attention` computes without the fused kernel."""
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
    print(f"{torch.get_num_threads()} threads; time of PyTorch's own over ours")
    for dtype in (torch.float32, torch.bfloat16):
        for shape in SHAPES:
            sentences, heads, queries, positions, width = shape
            legal = torch.ones(sentences, 1, 1, positions, dtype=torch.bool)
            query = torch.randn(sentences, heads, queries, width, dtype=dtype, requires_grad=True)
            keys, values = (
                torch.randn(sentences, heads, positions, width, dtype=dtype, requires_grad=True) for _ in range(2)
            )
            inputs = (query, keys, values, legal)
            found = ratio(lambda i=inputs: fused(*i), lambda i=inputs: composed(*i))  # type: ignore[misc]
            print(f"attention {shape!s:24} {str(dtype).removeprefix('torch.'):8} {found:5.2f}")
        states = torch.randn(110, 16, 1024, dtype=dtype, requires_grad=True)
        own = Dropout(0.1)
        found = ratio(lambda s=states: dropout(s, 0.1), lambda s=states, d=own: d(s))  # type: ignore[misc]
        print(f"dropout   {tuple(states.shape)!s:24} {str(dtype).removeprefix('torch.'):8} {found:5.2f}")


if __name__ == "__main__":
    main()
