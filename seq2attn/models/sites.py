"""Where a network attends: every attention in it, with its direction, its layer and its heads or hops."""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

from seq2attn.attention import Attention, AttentionModule, Hops, Latent, MultiHead


@dataclass(frozen=True)
class AttentionSite:
    """One attention of a network.

    `place` says what attends to what ("target to source"), `layer` counts from 1. `attention` is the innermost module, which
    holds score and normalizer; `holder` is the module around it whose heads or hops share it, or `attention` itself where
    nothing is around it.
    """

    place: str
    layer: int
    attention: Attention
    holder: nn.Module

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of its heads or hops; one empty name if it has neither."""
        match self.holder:
            case MultiHead() | Latent():
                return tuple(f"head {head + 1}" for head in range(self.holder.heads))
            case Hops():
                return tuple(f"hop {hop + 1}" for hop in range(self.holder.hops))
        return ("",)


def find_attentions(network: nn.Module) -> list[AttentionSite]:
    """Every `Attention` among a network's modules, those of the encoder first."""
    return list(_walk(network))


def _walk(network: nn.Module) -> Iterator[AttentionSite]:
    """A module's path names where it stands: "decoder.layers.1.self_attention.attention" is the second layer's."""
    modules = dict(network.named_modules())
    for path, module in modules.items():
        if isinstance(module, Attention):
            parent_path, _, _ = path.rpartition(".")
            parent = modules[parent_path]
            shared = isinstance(parent, AttentionModule)  # by heads or hops
            names = path.split(".")
            yield AttentionSite(_describe_place(names), _read_layer(names), module, parent if shared else module)


def _read_layer(names: list[str]) -> int:
    """The first index in a module's path, from 1; modules outside a list of layers are in layer 1."""
    return next((int(name) + 1 for name in names if name.isdigit()), 1)


def _describe_place(names: list[str]) -> str:
    if names[0] == "encoder":
        return "source to source"
    if "self_attention" in names:
        return "target to target"
    keys = {"words": "words of a segment", "segments": "segments"}  # of the decoder's hierarchical attention
    return f"target to {keys.get(names[-1], 'source')}"
