"""The attention that a network pays to one sentence while it reads its translation: a map for each head or hop."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seq2attn.attention import AttentionOutput
from seq2attn.models.seq2seq import Seq2Seq
from seq2attn.models.sites import AttentionSite, find_attentions


class AttentionMap(NamedTuple):
    """The weights of one attention, in fp32 on the CPU: row t is what it looked at when it wrote target subword t.

    place: what attends to what, "target to source". layer: from 1. part: the name of the head or hop, or "".
    weights: before dropout and before a position is drawn; rows sum to 1, or less where attention is local or has a sentinel.
    """

    place: str
    layer: int
    part: str
    weights: Float[Tensor, "T S"]


@contextmanager
def watch_outputs(site: AttentionSite, see: Callable[[AttentionOutput], None]) -> Iterator[None]:
    """For so long, every call of the site's attention is asked for a trace, and `see` is given what it returns."""
    hooks = (
        site.holder.register_forward_pre_hook(lambda _, call: (call[0]._replace(trace=True), *call[1:])),
        site.holder.register_forward_hook(lambda _, arguments, output: see(output)),
    )
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@torch.no_grad()
def trace_maps(
    network: Seq2Seq, source: Int[Tensor, "1 S"], target: Int[Tensor, "1 T"], place: str = "target to source"
) -> list[AttentionMap]:
    """The maps of every attention at `place` while the network, in evaluation mode, reads a pair of subwords, EOS last.

    No maps of a network that has no such attention. Segments and words of hierarchical attention are one map, the product.
    """
    holders = {site.holder: site for site in find_attentions(network) if _whole_place(site) == place}
    device = network.output.device
    with ExitStack() as stack:
        traced: dict[AttentionSite, list[AttentionOutput]] = {site: [] for site in holders.values()}
        for site, outputs in traced.items():
            stack.enter_context(watch_outputs(site, outputs.append))
        network(source.to(device), target.to(device))
    maps = []
    for site, outputs in traced.items():
        steps = [output.weights[0] for output in outputs if output.weights is not None]
        weights = torch.cat(steps, 1).float().cpu()  # decoders with a state call it once for each step
        parts = site.parts if len(site.parts) == len(weights) else ("",)
        maps += [
            AttentionMap(place, site.layer, part, rows) for part, rows in zip(parts, weights.unbind(), strict=True)
        ]
    return maps


def _whole_place(site: AttentionSite) -> str:
    """Where the attention stands that the site is a part of."""
    return "target to source" if site.place in ("target to segments", "target to words of a segment") else site.place
