"""Where a network attends, and sentences of a test set to watch it on."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor, nn

from seq2attn.attention import Attention, AttentionModule, Hops, Latent, MultiHead
from seq2attn.build.data import build_source, build_test_source
from seq2attn.config.config import Config
from seq2attn.data.sources import Source, TextFiles
from seq2attn.data.tokenizer import Tokenizer
from seq2attn.errors import UsageError


@dataclass(frozen=True)
class Site:
    """One attention of a network: what attends to what, in which layer (from 1), and the module that its heads or hops share.

    `attention` is the innermost one, with score and normalizer; `around` is what holds it, or itself.
    """

    place: str
    layer: int
    attention: Attention
    around: nn.Module

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of its heads or hops; one empty name if it has neither."""
        match self.around:
            case MultiHead() | Latent():
                return tuple(f"head {head + 1}" for head in range(self.around.heads))
            case Hops():
                return tuple(f"hop {hop + 1}" for hop in range(self.around.hops))
        return ("",)


def sites(network: nn.Module) -> list[Site]:
    """All attentions of a network, encoder first."""
    return list(_sites(network))


def _sites(network: nn.Module) -> Iterator[Site]:
    modules = dict(network.named_modules())
    for path, module in modules.items():
        if isinstance(module, Attention):
            names = path.split(".")
            layer = next((int(name) + 1 for name in names if name.isdigit()), 1)
            holder = modules[".".join(names[:-1])]
            alone = not isinstance(holder, AttentionModule)
            yield Site(_place(names), layer, module, module if alone else holder)


def _place(names: list[str]) -> str:
    if names[0] == "encoder":
        return "source to source"
    if "self_attention" in names:
        return "target to target"
    return "target to " + {"words": "words of a segment", "segments": "segments"}.get(names[-1], "source")


def chosen_pairs(config: Config, prefix: str | None, count: int) -> list[tuple[str, str]]:
    """`count` pairs spread evenly over a test set: the files of `prefix`, else data.test, else data.validation.

    Raises DataError if files are missing, UsageError if no pair has words on both sides.
    """
    chosen = _chosen(config, prefix)
    pairs = [(pair.source, pair.target) for pair in chosen.pairs() if pair.source.strip() and pair.target.strip()]
    if not pairs:
        raise UsageError(f"{chosen.name}: no pair with words on both sides", "name another set with --test PREFIX")
    step = max(1.0, len(pairs) / count)
    return [pairs[int(place * step)] for place in range(min(count, len(pairs)))]


def _chosen(config: Config, prefix: str | None) -> Source:
    if prefix is not None:
        return TextFiles(prefix, config.data.source, config.data.target)
    return build_test_source(config) or build_source(config, "validation")


def encoded_pair(tokenizer: Tokenizer, pair: tuple[str, str]) -> tuple[Int[Tensor, "1 S"], Int[Tensor, "1 T"]]:
    """Source and target subwords as a batch of one sentence, which needs no padding."""
    source_ids, target_ids = tokenizer.encode_source([pair[0]]), tokenizer.encode_target([pair[1]])
    return torch.tensor(source_ids), torch.tensor(target_ids)
