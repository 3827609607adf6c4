"""Word alignments against gold links: the alignment error rate, precision and recall."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from seq2attn.errors import DataError

Link = tuple[int, int]

_LINK = re.compile(r"(\d+)([-p])(\d+)")


@dataclass(frozen=True)
class GoldLinks:
    """The (source word, target word) links of a sentence, counted from 0; sure ones are possible too."""

    sure: frozenset[Link]
    possible: frozenset[Link]


@dataclass(frozen=True)
class AlignmentScore:
    """Over all sentences, 0 to 1: AER = 1 − (|A ∩ S| + |A ∩ P|) / (|A| + |S|), precision = |A ∩ P| / |A|, recall = |A ∩ S| / |S|.

    A: the links found; S: the sure gold links; P: the possible ones, which include S (Och and Ney 2003, §5).
    """

    aer: float
    precision: float
    recall: float


def score_links(found: Iterable[frozenset[Link]], gold: Iterable[GoldLinks]) -> AlignmentScore:
    """The scores of the links found in each sentence. Precision is 0 where none was found, recall where none is sure."""
    links = sure = right = probable = 0
    for a, g in zip(found, gold, strict=True):
        links += len(a)
        sure += len(g.sure)
        right += len(a & g.sure)
        probable += len(a & g.possible)
    total = links + sure
    return AlignmentScore(
        aer=1 - (right + probable) / total if total else 1.0,
        precision=probable / links if links else 0.0,
        recall=right / sure if sure else 0.0,
    )


def find_diagonal(source_words: int, target_words: int) -> frozenset[Link]:
    """Each target word linked to the source word at the same relative place: what knows nothing but the lengths."""
    scale = (source_words - 1) / max(1, target_words - 1)
    return frozenset((round(j * scale), j) for j in range(target_words))


def read_gold_links(path: Path, lengths: Sequence[tuple[int, int]]) -> tuple[list[GoldLinks], list[str]]:
    """Read one line of links for each sentence of `lengths` (source words, target words): "i-j" sure, "ipj" possible.

    Words are counted from 0, or from 1 if no link of the file has a 0 and one points just behind a sentence, as those of
    NAACL 2003 do. Links that point outside a sentence are left out, and remarks say so.
    Raises DataError for a file that cannot be read, another number of lines, and what is no link.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise DataError(f"cannot read {path}: {reason}", "name a file of word alignments") from error
    if len(lines) != len(lengths):
        raise DataError(
            f"{path}: {len(lines):,} lines, but the test set has {len(lengths):,} sentences",
            "give one line of links for each sentence, an empty one where there are none",
        )
    read = [[_parse(link, f"{path}:{number}") for link in line.split()] for number, line in enumerate(lines, start=1)]
    first = _find_first(read, lengths)
    gold, outside = [], []
    for number, (links, (source, target)) in enumerate(zip(read, lengths, strict=True), start=1):
        inside = [(i - first, j - first, sure) for i, j, sure in links]
        inside = [(i, j, sure) for i, j, sure in inside if 0 <= i < source and 0 <= j < target]
        outside += [number] * (len(links) - len(inside))
        sure_links = frozenset((i, j) for i, j, sure in inside if sure)
        gold.append(GoldLinks(sure_links, frozenset((i, j) for i, j, _ in inside)))
    remarks = [f"{path}: words are counted from 1"] if first else []
    if outside:
        places = ", ".join(map(str, sorted(set(outside))[:5])) + (", …" if len(set(outside)) > 5 else "")
        remarks.append(f"{path}: {len(outside):,} links point outside their sentence and are left out (line {places})")
    return gold, remarks


def _parse(link: str, place: str) -> tuple[int, int, bool]:
    found = _LINK.fullmatch(link)
    if found is None:
        raise DataError(f"{place}: {link!r} is no link", 'write "3-4" for a sure link, "3p4" for a possible one')
    return int(found[1]), int(found[3]), found[2] == "-"


def _find_first(read: Sequence[Sequence[tuple[int, int, bool]]], lengths: Sequence[tuple[int, int]]) -> int:
    """What the first word is counted as, 0 or 1."""
    if any(i == 0 or j == 0 for links in read for i, j, _ in links):
        return 0
    pairs = zip(read, lengths, strict=True)
    return int(any(i == source or j == target for links, (source, target) in pairs for i, j, _ in links))
