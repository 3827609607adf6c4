"""Random choices count their information: −log2 of the probability of what was drawn."""

import itertools
import re
from collections import Counter
from math import isnan, log2
from pathlib import Path
from random import Random
from statistics import mean

import pytest

from seq2attn.cli.corpus import corpus
from seq2attn.grammar import corpus as grammar
from seq2attn.grammar.corpus import GrammarCorpus, GrammarPair, generate
from seq2attn.grammar.dice import Dice, Weighted
from seq2attn.grammar.draw import draw_sentence
from seq2attn.grammar.english import write_english
from seq2attn.grammar.frames import PLAIN
from seq2attn.grammar.lexicon import read_lexicon
from seq2attn.grammar.parser import parse
from seq2attn.grammar.tree import write_sentence


@pytest.fixture(scope="module")
def made() -> GrammarCorpus:
    return generate(pairs=200, max_words=50, seed=1)


@pytest.fixture(scope="module")
def shortest() -> dict[str, float]:
    """The bits of sentences drafted with three words, until these three are among them."""
    random = Random("short")
    bits: dict[str, float] = {}
    for _ in range(8000):
        dice = Dice(random)
        text = write_sentence(write_english(draw_sentence(dice, 3)))[0]
        bits[text] = dice.bits
        if {"He sleeps.", "He slept.", "He laughs."} <= bits.keys():
            return bits
    pytest.fail("one of the sentences was never drawn")


def test_dice_make_the_choices_of_their_random_numbers() -> None:
    dice, plain = Dice(Random("seed")), Random("seed")
    weighted = Weighted([("a", 1.0), ("b", 5.0), ("c", 2.0)])
    for _ in range(200):
        assert dice.happens(0.3) == (plain.random() < 0.3)
        assert dice.pick(3, 12) == plain.randint(3, 12)
        place = plain.random() * 8
        assert dice.draw(weighted) == ("a" if place < 1 else "b" if place < 6 else "c")


def test_each_kind_of_choice_has_its_information() -> None:
    dice = Dice(Random("seed"))
    weights = {"often": 6.0, "sometimes": 1.5, "rarely": 0.5}
    expected = 0.0
    drawn = set()
    for _ in range(200):
        happened = dice.happens(0.25)
        expected += 2.0 if happened else log2(4 / 3)
        assert not dice.happens(0.0)  # what is certain tells nothing
        assert dice.happens(1.0)
        dice.pick(5, 12)
        expected += 3.0
        word = dice.draw(Weighted(weights.items()))
        expected += log2(8 / weights[word])
        drawn |= {happened, word}
        assert dice.bits == pytest.approx(expected, abs=1e-10)
    assert drawn == {True, False, *weights}


def test_a_draw_worked_by_hand(shortest: dict[str, float]) -> None:
    intransitive = sum(verb.frame == PLAIN for verb in read_lexicon().verbs)
    sleep = (1 / 2) / sum(1 / (rank + 2) for rank in range(intransitive))  # the most frequent of them
    he = (1 / 2) / (1 / 2 + 1 / 3 + 1 / 4 + 1 / 5 + 1 / 6)
    present_scene, present_tense, no_complement, pronoun, affirmed = 0.55, 0.5, 2 / 11.8, 0.6, 0.88
    p = present_scene * present_tense * no_complement * sleep * pronoun * he * affirmed
    assert shortest["He sleeps."] == pytest.approx(-log2(p), abs=1e-10)


def test_one_other_choice_changes_the_bits_by_its_odds(shortest: dict[str, float]) -> None:
    verbs = [verb.base for verb in read_lexicon().verbs if verb.frame == PLAIN]
    rarer = log2((verbs.index("laugh") + 2) / (verbs.index("sleep") + 2))
    assert rarer > 0.5
    assert shortest["He laughs."] - shortest["He sleeps."] == pytest.approx(rarer, abs=1e-10)
    assert shortest["He slept."] - shortest["He sleeps."] == pytest.approx(log2(0.55 * 50 / (0.45 * 70)), abs=1e-10)


def test_longer_sentences_have_more_bits(made: GrammarCorpus) -> None:
    pairs = [pair for split in made for pair in split]
    lengths = [[pair.bits for pair in pairs if first <= words(pair) <= last] for first, last in grammar.buckets(50)]
    means = [mean(bits) for bits in lengths]
    assert all(more > 1.2 * less for less, more in itertools.pairwise(means))
    assert min(map(min, lengths)) > 5


def test_rare_words_have_more_bits_than_frequent_ones_at_the_same_length(made: GrammarCorpus) -> None:
    frequency = Counter(word for split in made for pair in split for word in pair.source.split())
    pairs = [pair for pair in (*made.train, *made.validation, *made.test) if 18 <= words(pair) <= 20]
    pairs.sort(key=lambda pair: mean(log2(frequency[word]) for word in pair.source.split()))
    third = len(pairs) // 3
    assert third > 10
    rare, frequent = ([pair.bits for pair in part] for part in (pairs[:third], pairs[-third:]))
    assert mean(rare) > mean(frequent) + 5


def words(pair: GrammarPair) -> int:
    return len(pair.source.split())


def test_the_same_seed_gives_the_same_bits_and_another_seed_others() -> None:
    bits = [[pair.bits for pair in generate(pairs=20, max_words=10, seed=seed).train] for seed in (3, 3, 4)]
    assert bits[0] == bits[1] != bits[2]


def test_a_tree_that_was_not_drawn_has_no_bits() -> None:
    assert isnan(grammar.write_pair(parse("He sleeps.")).bits)


def test_the_command_writes_the_bits_of_each_line(tmp_path: Path) -> None:
    corpus(tmp_path, pairs=20, max_words=10, seed=3)
    for role, split in generate(pairs=20, max_words=10, seed=3)._asdict().items():
        lines = [(tmp_path / f"{role}.{suffix}").read_text(encoding="utf-8").splitlines() for suffix in ("en", "bits")]
        assert lines[0] == [pair.source for pair in split]
        assert all(re.fullmatch(r"\d+\.\d\d", line) for line in lines[1])
        assert [float(line) for line in lines[1]] == pytest.approx([pair.bits for pair in split], abs=0.005001)
