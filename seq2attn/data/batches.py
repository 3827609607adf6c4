"""Which pairs make up each batch: at most so many subwords, little padding, the same after a restart."""

import hashlib
import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Int
from torch import Tensor

from seq2attn.errors import DataError

_JITTER = 3.0  # subwords: how far apart two pairs' length differences may be and still trade places from epoch to epoch
_SHARE = 8  # a batch may lose one pair in so many, to have a number of pairs that comes back
_STEP = 16  # what the padded size of most batches is a multiple of
_SMALL = 512  # subwords of a batch, below which it is neither cut nor padded for that


class Batch(NamedTuple):
    """Subword ids, both sides ending with EOS and padded on the right, and the indices of the pairs in the corpus."""

    source: Int[Tensor, "B S"]
    target: Int[Tensor, "B T"]
    indices: np.ndarray


def plan(
    source_lengths: np.ndarray,
    target_lengths: np.ndarray,
    *,
    batch_tokens: int,
    seed: int,
    epoch: int,
    fingerprint: str,
    share: float = 1.0,
) -> list[np.ndarray]:
    """Cut an epoch into batches of indices, every pair once, in random order: a pure function of the arguments.

    `share`: of the pairs that come in, the shortest ones by their longer side; at least one pair.

    A batch b obeys len(b) · max(longest source, longest target) ≤ batch_tokens, padding included. Pairs are sorted by
    the longer side, then by how much longer it is (up and down in turns, so that neighbors stay alike), with jitter;
    then cut as late as the bound allows, down to a round number of pairs. Lengths are in subwords, EOS included.
    Raises DataError if one pair alone is longer than `batch_tokens`.
    """
    longest = np.maximum(source_lengths, target_lengths)
    if longest.size and longest.max() > batch_tokens:
        raise _explain_too_long(int(longest.argmax()), source_lengths, target_lengths, batch_tokens)
    random = np.random.default_rng(_derive_seed(seed, epoch, fingerprint))
    slope = (source_lengths - target_lengths) * np.where(longest % 2, 1, -1)
    order = np.lexsort((slope + random.uniform(0.0, _JITTER, len(longest)), longest))
    order = order[: math.ceil(share * len(order))]
    batches = _cut(order, longest[order], batch_tokens)
    return [batches[position] for position in random.permutation(len(batches))]


def round_length(length: int, pairs: int) -> int:
    """To how many subwords a side of a batch is padded, whose longest sentence has `length`.

    Where products are made by kernels for one shape (oneDNN in bf16), few shapes of batches mean few kernels: the padded size is
    a multiple of 16 where at most 3 subwords a sentence need to be added for that, as with a round number of pairs.
    """
    unit = pairs & -pairs  # the largest power of 2 that divides it
    if length * pairs < _SMALL or unit < 4:
        return length
    step = max(1, _STEP // unit)
    return -(-length // step) * step


def _cut(order: np.ndarray, longest: np.ndarray, batch_tokens: int) -> list[np.ndarray]:
    """Consecutive pieces of `order`, as large as the bound allows, in round numbers; `longest` is ascending."""
    batches = []
    start = 0
    while start < len(order):
        window = longest[start : start + batch_tokens // int(longest[start])]
        sizes = window * np.arange(1, len(window) + 1)  # ascending, as both factors are
        count = int(np.searchsorted(sizes, batch_tokens, side="right"))
        if sizes[count - 1] >= _SMALL:
            unit = 1 << max(0, (count // _SHARE).bit_length() - 1)
            count -= count % unit
            while count * round_length(int(window[count - 1]), count) > batch_tokens:
                count -= unit
        batches.append(order[start : start + count])
        start += count
    return batches


def _derive_seed(seed: int, epoch: int, fingerprint: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed} {epoch} {fingerprint}".encode()).digest()[:16], "big")


def _explain_too_long(
    pair: int, source_lengths: np.ndarray, target_lengths: np.ndarray, batch_tokens: int
) -> DataError:
    source, target = int(source_lengths[pair]), int(target_lengths[pair])
    return DataError(
        f"training.batch_tokens: {batch_tokens} is less than pair {pair + 1} alone: "
        f"{source} source and {target} target subwords, end of sentence included",
        f"set training.batch_tokens to {max(source, target)} or more, or data.max_length to {batch_tokens} or less",
    )
