"""From the attention between subwords to that between words."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from seq2attn.data.tokenizer import Tokenizer
from seq2attn.evaluation.alignment import Link
from seq2attn.models.maps import AttentionMap


class WordPair(NamedTuple):
    """A sentence and its translation: subword ids as a batch of one, and the number of the word of each; −1 for EOS."""

    source: Tensor
    target: Tensor
    source_owners: list[int]
    target_owners: list[int]

    @classmethod
    def encode(
        cls, tokenizer: Tokenizer, source: Sequence[str], target: Sequence[str], spaces: tuple[str, str] = (" ", " ")
    ) -> "WordPair":
        """The subwords of two sentences of those words, between which each language's `spaces` stand."""
        source_ids, source_owners = tokenizer.encode_source_words(source, spaces[0])
        target_ids, target_owners = tokenizer.encode_target_words(target, spaces[1])
        return cls(torch.tensor([source_ids]), torch.tensor([target_ids]), source_owners, target_owners)

    def with_ends(self, source_words: int, target_words: int) -> "WordPair":
        """The same pair of so many words, but the end of each sentence is one more word, the last one."""
        owners = (self.source_owners, source_words), (self.target_owners, target_words)
        source, target = ([end if owner < 0 else owner for owner in own] for own, end in owners)
        return self._replace(source_owners=source, target_owners=target)


def merge_subwords(weights: Float[Tensor, "T S"], pair: WordPair) -> Float[Tensor, "J I"]:
    """The weight between words: over the subwords of a source word the sum, over those of a target word the mean.

    What belongs to no word (−1: EOS) is left out.
    """
    sources = _membership(pair.source_owners)
    targets = _membership(pair.target_owners)
    return (targets / targets.sum(1, keepdim=True).clamp_min(1)) @ weights.double() @ sources.T


def link_words(weights: Float[Tensor, "T S"], pair: WordPair) -> frozenset[Link]:
    """Each target word with the source word that has its largest weight; with none, where all is on the end of the source."""
    largest, places = merge_subwords(weights, pair).max(1)
    return frozenset((i, j) for j, (i, w) in enumerate(zip(places.tolist(), largest.tolist(), strict=True)) if w > 0)


def _membership(owners: Sequence[int]) -> Float[Tensor, "words subwords"]:
    """1 where a subword is of the word, else 0. A word without a subword of its own, as one of no character, has none."""
    numbers = torch.tensor(owners)
    return (numbers == torch.arange(max(owners) + 1)[:, None]).double()


def with_means(maps: Sequence[AttentionMap]) -> Iterator[AttentionMap]:
    """The maps, and after the heads of a layer their mean."""
    for place, layer in dict.fromkeys((each.place, each.layer) for each in maps):
        layers = [each for each in maps if (each.place, each.layer) == (place, layer)]
        yield from layers
        if len(layers) > 1 and layers[0].part.startswith("head"):
            yield AttentionMap(place, layer, "all heads", torch.stack([each.weights for each in layers]).mean(0))
