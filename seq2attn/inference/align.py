"""Does a model's attention find which words belong together? Its links against gold links."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from seq2attn.evaluation.alignment import AlignmentScore, GoldLinks, Link, find_diagonal, score_links
from seq2attn.inference.model import Model
from seq2attn.inference.words import WordPair, link_words, with_means
from seq2attn.models.maps import trace_maps
from seq2attn.tables import Table, text_table

_DRAWS = 20  # random alignments of the whole test set, whose mean stands in the table


class Sharpness(NamedTuple):
    """Means over target subwords: the entropy of the weights in nats, and the share that is exactly 0."""

    entropy: float
    zeros: float


@dataclass(frozen=True)
class AlignmentRow:
    """One head or hop, or the mean of all heads of a layer."""

    place: str
    layer: int
    part: str
    score: AlignmentScore
    sharpness: Sharpness


@dataclass(frozen=True)
class Alignment:
    """What the attention of a model to the source says of the alignment of `sentences` sentences, beside what needs no model.

    `rows` is empty for a model without such attention.
    """

    sentences: int
    rows: tuple[AlignmentRow, ...]
    diagonal: AlignmentScore
    random: AlignmentScore

    def to_json(self) -> dict[str, Any]:
        """`alignment` in `seq2attn evaluate --json`: scores from 0 to 1, `entropy` in nats."""
        rows = [
            {"place": row.place, "layer": row.layer, "part": row.part, **asdict(row.score), **row.sharpness._asdict()}
            for row in self.rows
        ]
        return {
            "sentences": self.sentences,
            "rows": rows,
            "diagonal": asdict(self.diagonal),
            "random": asdict(self.random),
        }

    def to_text(self) -> str:
        """A table with a row for each head or hop, and what its columns mean above it."""
        header = ("attention", "layer", "part", "AER", "precision", "recall", "entropy", "zeros")
        rows = [
            (
                row.place,
                str(row.layer),
                row.part,
                *_cells(row.score),
                f"{row.sharpness.entropy:.2f}",
                f"{row.sharpness.zeros:.1%}",
            )
            for row in self.rows
        ]
        rows += [
            (name, "", "", *_cells(score), "", "")
            for name, score in (("diagonal", self.diagonal), ("random", self.random))
        ]
        none = "" if self.rows else "\nThis model has no attention to the source."
        return f"""\
Alignment of {self.sentences:,} sentences with gold links, while the model reads the reference translations: each target word is
linked to the source word with the largest weight. AER: lower is better. entropy in nats; zeros: weights of exactly 0.

{text_table(Table(header, tuple(rows)))}{none}"""


def _cells(score: AlignmentScore) -> tuple[str, str, str]:
    return f"{score.aer:.1%}", f"{score.precision:.1%}", f"{score.recall:.1%}"


def measure_alignment(
    model: Model,
    pairs: Sequence[tuple[str, str]],
    gold: Sequence[GoldLinks],
    progress: Callable[[float], None] | None = None,
) -> Alignment:
    """Trace the attention to the source over each pair, and compare the links that it gives with the gold ones.

    Pairs are raw lines whose words stand between spaces. Those without words on a side, and those that are longer than the
    model can read, are left out.
    """
    network = model.network.eval()
    used: list[GoldLinks] = []
    diagonal: list[frozenset[Link]] = []
    lengths: list[tuple[int, int]] = []
    found: dict[tuple[str, int, str], list[frozenset[Link]]] = {}
    sharp: dict[tuple[str, int, str], list[tuple[float, float, int]]] = {}
    tested = model.config.longest_tested
    longest = min(tested, model.config.longest_source or tested)
    longest_target = min(tested, network.longest_target or tested)
    for (source, target), links in zip(pairs, gold, strict=True):
        words = source.split(), target.split()
        pair = WordPair.encode(model.tokenizer, *words)
        if progress is not None:
            progress(1.0)
        if not all(words) or pair.source.shape[1] > longest or pair.target.shape[1] > longest_target:
            continue
        for each in with_means(trace_maps(network, pair.source, pair.target)):
            key = (each.place, each.layer, each.part)
            found.setdefault(key, []).append(link_words(each.weights, pair))
            sharp.setdefault(key, []).append(_measure_sharpness(each.weights))
        used.append(links)
        lengths.append((len(words[0]), len(words[1])))
        diagonal.append(find_diagonal(*lengths[-1]))
    rows = [AlignmentRow(*key, score_links(found[key], used), _average_sharpness(sharp[key])) for key in found]
    return Alignment(len(used), tuple(rows), score_links(diagonal, used), _score_random(lengths, used))


def _measure_sharpness(weights: Float[Tensor, "T S"]) -> tuple[float, float, int]:
    """Sums over the queries, and their number."""
    weights = weights.double()
    entropy = torch.special.entr(weights).sum()
    return float(entropy), float((weights == 0).double().mean(1).sum()), len(weights)


def _average_sharpness(sums: Sequence[tuple[float, float, int]]) -> Sharpness:
    entropy, zeros, queries = map(sum, zip(*sums, strict=True))
    return Sharpness(entropy / queries, zeros / queries)


def _score_random(lengths: Sequence[tuple[int, int]], gold: Sequence[GoldLinks]) -> AlignmentScore:
    """Each target word linked to a random source word: the mean of `_DRAWS` drawings."""
    generator = torch.Generator().manual_seed(0)

    def draw(source: int, target: int) -> frozenset[Link]:
        return frozenset(
            zip(torch.randint(source, (target,), generator=generator).tolist(), range(target), strict=True)
        )

    scores = [score_links([draw(*words) for words in lengths], gold) for _ in range(_DRAWS)]
    return AlignmentScore(
        *(sum(values) / _DRAWS for values in zip(*((s.aer, s.precision, s.recall) for s in scores), strict=True))
    )
