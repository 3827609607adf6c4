"""Masks, precision, devices and row selection in a state tree: what every floor above needs of tensors.

Shape letters, everywhere in this project: B sentences · W hypotheses of a sentence · T target steps · S source positions ·
Q queries of a sentence (its T steps under teacher forcing, its W hypotheses when stepping) · H heads · G key-value heads ·
M keys that a span lets a query see · D, E, K, V feature sizes · N any flat number of rows. In a mask, True is a real token
and False is padding. Axis 0 is always the batch.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.autograd.function import Function, FunctionCtx

Tree: TypeAlias = Tensor | tuple[Any, ...]  # a tensor, or a tuple of trees


class Branch:
    """A tuple in a state tree that selects hypotheses and sentences in a way of its own; `map_tree` leaves it as it is."""

    __slots__ = ()

    def select(self, parents: Int[Tensor, "B W"]) -> Any:
        """What the function `select` does with leaves."""
        raise NotImplementedError

    def take(self, rows: Int[Tensor, " R"]) -> Any:
        """What the function `take` does with leaves."""
        raise NotImplementedError


_BLOCK = 64  # numbers of a row whose maximum `find_largest` takes first


def map_tree(
    function: Callable[[Tensor], Tensor], tree: Tree, on_branch: Callable[[Any], Any] = lambda branch: branch
) -> Tree:
    """Apply `function` to every leaf, and `on_branch` to every Branch; named tuples keep their type."""
    if isinstance(tree, Tensor):
        return function(tree)
    if isinstance(tree, Branch):
        return on_branch(tree)
    leaves = [map_tree(function, part, on_branch) for part in tree]
    return type(tree)(*leaves) if hasattr(tree, "_fields") else tuple(leaves)


def is_empty(tree: Tree) -> bool:
    """Whether a tree has no leaves."""
    return isinstance(tree, tuple) and all(is_empty(branch) for branch in tree)


def select(tree: Tree, parents: Int[Tensor, "B W"]) -> Tree:
    """Hypothesis w of sentence b becomes a copy of hypothesis parents[b, w]: tiles, reorders and prunes any state.

    The leaves of `tree` begin "B W".
    """
    sentences = torch.arange(len(parents), device=parents.device)[:, None]

    def copy_rows(leaf: Tensor) -> Tensor:
        # index_select copies whole rows, which takes a quarter of the time of leaf[sentences, parents].
        rows = (sentences * leaf.shape[1] + parents).flatten()
        return leaf.flatten(0, 1).index_select(0, rows).unflatten(0, parents.shape)

    return map_tree(copy_rows, tree, lambda branch: branch.select(parents))


def take(tree: Tree, rows: Int[Tensor, " R"]) -> Tree:
    """Keep the sentences `rows`. The leaves of `tree` begin "B"."""
    return map_tree(lambda leaf: leaf.index_select(0, rows), tree, lambda branch: branch.take(rows))


def send(tensor: Tensor, device: torch.device) -> Tensor:
    """The tensor on `device`; to a GPU it is copied from pinned memory, while the processor goes on."""
    from_cpu = tensor.device.type == "cpu" and device.type == "cuda"
    return (tensor.pin_memory() if from_cpu else tensor).to(device, non_blocking=True)


def find_largest(scores: Float[Tensor, "N V"], count: int) -> tuple[Float[Tensor, "N C"], Int[Tensor, "N C"]]:
    """The `count` largest numbers of each row, largest first, and their places.

    What `torch.topk` gives, in a third of the time on a CPU: they lie in the `count` blocks of a row whose maxima are largest.
    """
    rows, size = scores.shape
    block = next((length for length in range(_BLOCK, 1, -1) if size % length == 0), 1)
    number = size // block
    if block < _BLOCK // 2 or number <= count:
        return scores.topk(count)
    blocks = scores.reshape(rows, number, block).amax(2).topk(count, sorted=False).indices
    flat = torch.arange(0, rows * number, number, device=scores.device)[:, None] + blocks
    within = scores.reshape(-1, block).index_select(0, flat.flatten()).reshape(rows, -1)
    values, places = within.topk(count)
    return values, blocks.gather(1, places // block) * block + places % block


def unfold(tree: Tree, width: int) -> Tree:
    """Leaves "B·W ..." become "B W ..."."""
    return map_tree(lambda leaf: leaf.unflatten(0, (-1, width)), tree)


def fold(tree: Tree) -> Tree:
    """Leaves "B W ..." become "B·W ..."."""
    return map_tree(lambda leaf: leaf.flatten(0, 1), tree)


def reversal(mask: Bool[Tensor, "B S"], keep_last: int = 0) -> Int[Tensor, "B S"]:
    """For each sentence, the index that reads its real positions backwards; padding and the `keep_last` last ones stay in place.

    It is its own inverse, so one gather reverses and a second restores.
    """
    positions = torch.arange(mask.shape[1], device=mask.device).expand(mask.shape)
    backwards = mask.sum(1, keepdim=True) - keep_last - 1 - positions
    return torch.where(backwards >= 0, backwards, positions)


def reorder(states: Float[Tensor, "B S D"], index: Int[Tensor, "B S"]) -> Float[Tensor, "B S D"]:
    """The states read at the positions `index`, each of which stands there once."""
    starts = torch.arange(0, index.numel(), index.shape[1], device=index.device)[:, None]
    return pick_rows(states, (starts + index).flatten()).view(states.shape)


def pick_rows(states: Float[Tensor, "B S *D"], places: Int[Tensor, " N"]) -> Float[Tensor, "N *D"]:
    """The rows at `places`, counted over both first axes, each of them once: what the gradient is made of is then only copied."""
    return _Rows.apply(states, places)


class _Rows(Function):
    @staticmethod
    def forward(ctx: FunctionCtx, states: Tensor, places: Tensor) -> Tensor:
        ctx.save_for_backward(places)
        ctx.shape = states.shape  # type: ignore[attr-defined]
        return states.flatten(0, 1).index_select(0, places)

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor, None]:
        [places] = ctx.saved_tensors  # type: ignore[attr-defined]
        whole = gradient.new_zeros(ctx.shape)  # type: ignore[attr-defined]
        whole.flatten(0, 1).index_copy_(0, places, gradient)
        return whole, None


def mean(states: Float[Tensor, "B S D"], mask: Bool[Tensor, "B S"]) -> Float[Tensor, "B D"]:
    """The mean of the real states of each sentence."""
    return states.masked_fill(~mask[:, :, None], 0).sum(1) / mask.sum(1, keepdim=True)


def widen(tensor: Tensor) -> Tensor:
    """The tensor; on a CPU in fp32 if it is in bf16, as attention's own products are."""
    return tensor.float() if tensor.dtype == torch.bfloat16 and tensor.device.type == "cpu" else tensor


def compute_dtype(tensor: Tensor) -> torch.dtype:
    """The type that matrix products of `tensor` run in: autocast's where it is on, else its own."""
    device = tensor.device.type
    if torch.is_autocast_enabled(device) and tensor.dtype == torch.float32:
        return torch.get_autocast_dtype(device)
    return tensor.dtype
