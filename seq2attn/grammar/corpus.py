"""The embedded corpus: English–German sentence pairs from a synchronous grammar, with gold word alignments."""

from collections.abc import Sequence
from math import nan
from random import Random
from typing import NamedTuple

from seq2attn.errors import DataError
from seq2attn.grammar.dice import Dice
from seq2attn.grammar.draw import draw_sentence
from seq2attn.grammar.english import write_english
from seq2attn.grammar.german import write_german
from seq2attn.grammar.parser import parse
from seq2attn.grammar.tree import Sentence, Token, write_sentence

SHORTEST, LONGEST = 10, 80  # what max_words may be
FEWEST_WORDS = 3
BUCKETS = (10, 20, 30, 40, 50)  # last lengths of the buckets that the report shows; the rest is one bucket
TEST_SENTENCES, VALIDATION_SENTENCES = 200, 40  # for each bucket
MOST_PAIRS = 2_000_000
_PATIENCE = 20_000  # drafts in a row that add nothing


class GrammarPair(NamedTuple):
    """A sentence, its translation, the (source word, target word) links, counted from 0, and its information in bits.

    `bits` is −log2 of the product of the probabilities of all random choices that drew the sentence's tree, given the
    number of words that the draft was asked for. Every choice counts, also one that leaves no trace in the sentence (how
    words were shared out, a determiner that another replaced) and each try of a noun that was drawn again because it
    equaled the subject; drafts that were thrown away whole count nothing. A sentence that can be drawn in several ways has
    the bits of the way it was drawn, so at least its −log2 p. A tree that was not drawn has nan.
    """

    source: str
    target: str
    alignment: tuple[tuple[int, int], ...]
    bits: float


class GrammarCorpus(NamedTuple):
    """Three lists without a sentence in common."""

    train: list[GrammarPair]
    validation: list[GrammarPair]
    test: list[GrammarPair]


def write_pair(tree: Sentence) -> GrammarPair:
    """Both sides of a tree; words are linked that express the same part of it."""
    return _link(write_english(tree), write_german(tree), nan)


def _link(source_tokens: list[Token], target_tokens: list[Token], bits: float) -> GrammarPair:
    source, source_parts = write_sentence(source_tokens)
    target, target_parts = write_sentence(target_tokens)
    places: dict[tuple[int, str], list[int]] = {}
    for j, parts in enumerate(target_parts):
        for part in parts:
            places.setdefault(part, []).append(j)
    links = {(i, j) for i, parts in enumerate(source_parts) for part in parts for j in places.get(part, ())}
    return GrammarPair(source, target, tuple(sorted(links)), bits)


def translate(sentence: str) -> str:
    """The translation of an English sentence of the grammar, read from its words alone. Raises DataError for others."""
    return write_sentence(write_german(parse(sentence)))[0]


def buckets(max_words: int) -> list[tuple[int, int]]:
    """The (first, last) lengths of the buckets up to max_words: 3–10, 11–20, …, 51–."""
    edges = [edge for edge in BUCKETS if edge < max_words] + [max_words]
    return [(first, last) for first, last in zip([FEWEST_WORDS, *(edge + 1 for edge in edges)], edges, strict=False)]


def usual_shares(count: int) -> list[int]:
    """Half of the training pairs in the shortest of `count` buckets, a tenth in the longest, the rest even between them."""
    middle = count - 2
    return [5 * middle, *[4] * middle, middle] if middle > 0 else [9, 1][:count]


def divide(pairs: int, shares: Sequence[int]) -> list[int]:
    """Pairs for each bucket in proportion to its share, rounded down; the first bucket has what rounding leaves."""
    counts = [pairs * share // sum(shares) for share in shares]
    return [counts[0] + pairs - sum(counts), *counts[1:]]


def generate(*, pairs: int, max_words: int, seed: int, shares: Sequence[int] | None = None) -> GrammarCorpus:
    """A corpus of `pairs` distinct training pairs of up to max_words English words, and its validation and test sets.

    The same arguments give the same corpus. `shares` divides the training pairs among the length buckets (`buckets`), in
    proportion; None: `usual_shares`. Validation and test have 40 and 200 sentences in each bucket.
    Raises DataError for arguments out of range and where there are too few different sentences.
    """
    if not 1 <= pairs <= MOST_PAIRS:
        raise DataError(f"pairs must be between 1 and {MOST_PAIRS}, not {pairs}", "change data.train.pairs or --pairs")
    if not SHORTEST <= max_words <= LONGEST:
        raise DataError(
            f"max_words must be between {SHORTEST} and {LONGEST}, not {max_words}", "change max_words or --max-words"
        )
    random = Random(f"seq2attn grammar {seed}")
    limits = buckets(max_words)
    seen: set[str] = set()
    shares = usual_shares(len(limits)) if shares is None else shares
    if len(shares) != len(limits) or min(shares, default=0) < 0 or not any(shares):
        ranges = ", ".join(f"{first}-{last}" for first, last in limits)
        raise DataError(
            f"shares {', '.join(map(str, shares))}: not {len(limits)} whole numbers, one for each length in words: {ranges}",
            f"for example --shares {','.join(map(str, usual_shares(len(limits))))}, or `shares` in a config",
        )
    splits = []
    for wanted in ([TEST_SENTENCES] * len(limits), [VALIDATION_SENTENCES] * len(limits), divide(pairs, shares)):
        found = _fill(random, limits, wanted, seen)
        random.shuffle(found)
        splits.append(found)
    test, validation, train = splits
    return GrammarCorpus(train, validation, test)


def _fill(random: Random, limits: list[tuple[int, int]], wanted: list[int], seen: set[str]) -> list[GrammarPair]:
    """As many new sentences of each bucket as wanted. A draft longer or shorter than meant counts where it falls."""
    missing = list(wanted)
    found: list[GrammarPair] = []
    idle = 0
    while any(missing):
        open_buckets = [i for i, count in enumerate(missing) if count]
        words = random.randint(*limits[random.choices(open_buckets, [missing[i] for i in open_buckets])[0]])
        dice = Dice(random)
        tree = draw_sentence(
            dice, round(words * (1 + words / 120))
        )  # the longer, the more of its words a draft leaves unused
        tokens = write_english(tree)
        source = write_sentence(tokens)[0]
        length = source.count(" ") + 1
        bucket = next((i for i, (first, last) in enumerate(limits) if first <= length <= last), None)
        idle += 1
        if bucket is not None and missing[bucket] and source not in seen:
            seen.add(source)
            found.append(_link(tokens, write_german(tree), dice.bits))
            missing[bucket] -= 1
            idle = 0
        if idle > _PATIENCE:
            raise DataError(
                f"the grammar has too few different sentences: {sum(missing)} of {sum(wanted)} are missing",
                "ask for fewer pairs or a larger max_words",
            )
    return found
