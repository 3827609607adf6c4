"""The lexicon by its English words, for reading English."""

from collections.abc import Iterable
from functools import cache
from typing import NamedTuple, TypeVar

from seq2attn.grammar.english import BE_PAST, BE_PRESENT
from seq2attn.grammar.entries import (
    Adjective,
    Adverb,
    Conjunction,
    Determiner,
    Noun,
    Preposition,
    Pronoun,
    Tense,
    TimePhrase,
    Verb,
)
from seq2attn.grammar.lexicon import read_lexicon

T = TypeVar("T")


class Index(NamedTuple):
    """The lexicon by English words; multiword entries the longest first."""

    nouns: dict[str, tuple[Noun, bool]]
    determiners: dict[tuple[str, bool], Determiner]
    pronouns: dict[str, Pronoun]
    objects: dict[str, Pronoun]
    adjectives: dict[str, Adjective]
    adverbs: dict[str, Adverb]
    verbs: dict[tuple[str, str], list[Verb]]
    times: list[tuple[tuple[str, ...], TimePhrase]]
    conjunctions: list[tuple[tuple[str, ...], Conjunction]]
    prepositions: list[tuple[tuple[str, ...], Preposition]]
    auxiliaries: list[tuple[tuple[str, ...], tuple[Tense, bool]]]
    words: frozenset[str]


def _longest_first(entries: Iterable[tuple[tuple[str, ...], T]]) -> list[tuple[tuple[str, ...], T]]:
    return sorted(entries, key=lambda each: -len(each[0]))


@cache
def index_lexicon() -> Index:
    """The index of the shipped lexicon."""
    entries = read_lexicon()
    nouns = {noun.english: (noun, False) for noun in entries.nouns}
    nouns |= {noun.plural: (noun, True) for noun in entries.nouns if noun.plural}
    determiners = {(d.english[p], bool(p)): d for d in entries.determiners for p in (0, 1) if d.english[p]}
    verbs: dict[tuple[str, str], list[Verb]] = {}
    for verb in sorted(entries.verbs, key=lambda each: -len(each.particle)):
        forms = {"base": verb.base, "third": verb.third, "past": verb.past, "participle": verb.participle}
        for item in forms.items():
            verbs.setdefault(item, []).append(verb)
    auxiliaries = _longest_first(
        (words, (tense, bool(negated)))
        for tense in entries.tenses
        for negated in (0, 1)
        for words in set(tense.english[negated])
        if words
    )
    times = _longest_first((each.english, each) for each in entries.times)
    conjunctions = _longest_first((each.english, each) for each in entries.conjunctions)
    prepositions = _longest_first((each.english, each) for each in entries.prepositions)
    texts = [*BE_PRESENT.values(), *BE_PAST.values(), *nouns, "an"]
    texts += [word for word, _ in determiners] + [word for _, word in verbs]
    texts += [each.english for each in entries.adjectives] + [each.english for each in entries.adverbs]
    texts += [each.english for each in entries.pronouns]
    for several in (times, conjunctions, prepositions, auxiliaries):
        texts += [words[0] for words, _ in several]
    texts += [noun.place.english for noun in entries.nouns if noun.place]
    return Index(
        nouns, determiners, {each.english: each for each in entries.pronouns},
        {each.object: each for each in entries.pronouns}, {each.english: each for each in entries.adjectives},
        {each.english: each for each in entries.adverbs}, verbs, times, conjunctions, prepositions, auxiliaries,
        frozenset(texts),
    )  # fmt: skip
