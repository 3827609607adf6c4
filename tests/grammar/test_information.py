"""−log2 of the probability of a sentence's drawing, and that measuring it changes no drawing."""

import hashlib
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
from seq2attn.grammar import draw as grammar_draw
from seq2attn.grammar import phrase as grammar_phrase
from seq2attn.grammar.chance import Weighted
from seq2attn.grammar.corpus import GrammarCorpus, GrammarPair, generate
from seq2attn.grammar.english import english
from seq2attn.grammar.information import RecordingRandom
from seq2attn.grammar.lexicon import lexicon
from seq2attn.grammar.parser import parse
from seq2attn.grammar.tree import written


@pytest.fixture(scope="module")
def made() -> GrammarCorpus:
    return generate(pairs=200, max_words=50, seed=1)


@pytest.fixture(scope="module")
def shortest() -> dict[str, float]:
    """The bits of sentences drafted with three words, until these three are among them."""
    random, found = RecordingRandom("short"), {}
    while not {"He sleeps.", "He slept.", "He laughs."} <= found.keys():
        random.bits = 0.0
        tree = grammar_draw.sentence(random, 3)
        found[written(english(tree))[0]] = random.bits
        assert len(found) < 8000
    return found


def test_the_corpus_is_what_it_was_before_its_bits_were_counted(made: GrammarCorpus) -> None:
    texts = [[(pair.source, pair.target) for pair in split] for split in made]
    digest = "3a0ed2c74895e52a98fa98220086dabae1a3f8e98a6ff7a3761be404c58616ef"
    assert hashlib.sha256(repr(texts).encode()).hexdigest() == digest


def test_a_recording_source_draws_the_numbers_of_a_plain_one() -> None:
    recording, plain = RecordingRandom("seed"), Random("seed")
    for _ in range(50):
        assert recording.random() == plain.random()
        assert recording.randint(3, 12) == plain.randint(3, 12)
        assert recording.choices("abc", [1, 5, 2], k=3) == plain.choices("abc", [1, 5, 2], k=3)
        assert recording.sample(range(99), 9) == plain.sample(range(99), 9)
        weighted = Weighted([("a", 1.0), ("b", 5.0), ("c", 2.0)])
        assert weighted.draw(recording) == weighted.draw(plain)


def test_each_kind_of_choice_has_its_information() -> None:
    random = RecordingRandom("seed")
    weights = {"often": 6.0, "sometimes": 1.5, "rarely": 0.5}
    expected = 0.0
    for _ in range(200):
        expected += 2.0 if random.random() < 0.25 else log2(4 / 3)
        assert not random.random() < 0.0  # what is certain tells nothing
        random.randint(5, 12)
        expected += 3.0
        expected += log2(8 / weights[Weighted(weights.items()).draw(random)])
        assert random.bits == pytest.approx(expected, abs=1e-10)


def test_a_draw_worked_by_hand(shortest: dict[str, float]) -> None:
    intransitive = sum(verb.frame == "plain" for verb in lexicon().verbs)
    sleep = (1 / 2) / sum(1 / (rank + 2) for rank in range(intransitive))  # the most frequent of them
    he = (1 / 2) / (1 / 2 + 1 / 3 + 1 / 4 + 1 / 5 + 1 / 6)
    present_scene, present_tense, no_complement, pronoun, affirmed = 0.55, 0.5, 2 / 11.8, 0.6, 0.88
    p = present_scene * present_tense * no_complement * sleep * pronoun * he * affirmed
    assert shortest["He sleeps."] == pytest.approx(-log2(p), abs=1e-10)


def test_one_other_choice_changes_the_bits_by_its_odds(shortest: dict[str, float]) -> None:
    verbs = [verb.base for verb in lexicon().verbs if verb.frame == "plain"]
    rarer = log2((verbs.index("laugh") + 2) / (verbs.index("sleep") + 2))
    assert rarer > 0.5
    assert shortest["He laughs."] - shortest["He sleeps."] == pytest.approx(rarer, abs=1e-10)
    assert shortest["He slept."] - shortest["He sleeps."] == pytest.approx(log2(0.55 * 50 / (0.45 * 70)), abs=1e-10)


def test_the_grammar_asks_for_numbers_only_in_ways_that_are_recorded() -> None:
    for module in (grammar_draw, grammar_phrase):
        code = Path(str(module.__file__)).read_text(encoding="utf-8")
        assert set(re.findall(r"\brandom\.(\w+)\(", code)) == {"random", "randint"}
        assert set(re.findall(r"random\.random\(\)(..)", code)) == {" <"}


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
    assert isnan(grammar.pair(parse("He sleeps.")).bits)


def test_the_command_writes_the_bits_of_each_line(tmp_path: Path) -> None:
    corpus(tmp_path, pairs=20, max_words=10, seed=3)
    for role, split in generate(pairs=20, max_words=10, seed=3)._asdict().items():
        lines = [(tmp_path / f"{role}.{suffix}").read_text(encoding="utf-8").splitlines() for suffix in ("en", "bits")]
        assert lines[0] == [pair.source for pair in split]
        assert all(re.fullmatch(r"\d+\.\d\d", line) for line in lines[1])
        assert [float(line) for line in lines[1]] == pytest.approx([pair.bits for pair in split], abs=0.005001)
