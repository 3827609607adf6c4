"""The syntax that English and German share: one tree for each sentence, written out by both."""

from typing import NamedTuple

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

Token = tuple[str, tuple[tuple[int, str], ...]]  # a word and the parts of the tree that it expresses: (node, role)
COMMA: Token = (",", ())


class Gap(NamedTuple):
    """What a relative pronoun stands for, at its place in the relative clause."""

    plural: bool


class Anaphor(NamedTuple):
    """A personal pronoun in its place."""

    pronoun: Pronoun


class Phrase(NamedTuple):
    """determiner degree adjectives noun attribute relative; no determiner for proper nouns and after "whose"."""

    determiner: Determiner | None
    plural: bool
    degree: Adverb | None
    adjectives: tuple[Adjective, ...]
    noun: Noun
    attribute: "Attribute | None"
    relative: "Relative | None"


class Both(NamedTuple):
    """Two noun phrases joined by "and"."""

    left: Phrase
    right: Phrase


Nominal = Gap | Anaphor | Phrase | Both


class Attribute(NamedTuple):
    """A prepositional attribute: of, with, from, about."""

    preposition: Preposition
    phrase: Phrase


class Spot(NamedTuple):
    """A place or a direction; without a preposition the noun's own is meant."""

    preposition: Preposition | None
    phrase: Phrase


class Predicate(NamedTuple):
    """A predicative adjective."""

    degree: Adverb | None
    adjective: Adjective


class Clause(NamedTuple):
    """One verb with all that goes with it; without a tense it is an infinitive."""

    front: "TimePhrase | Subordinate | None"
    subject: Nominal | None
    tense: Tense | None
    negated: bool
    frequency: Adverb | None
    verb: Verb
    objects: tuple[Nominal, ...]
    predicate: Predicate | None
    manner: Adverb | None
    company: Nominal | None
    spot: Spot | None
    time: TimePhrase | None
    complement: "Clause | None"
    tail: "Subordinate | None"


def make_clause(subject: Nominal | None, tense: Tense | None, verb: Verb) -> Clause:
    """A clause of a subject and a verb only; the rest is put in by `_replace`."""
    return Clause(None, subject, tense, False, None, verb, (), None, None, None, None, None, None, None)


class Relative(NamedTuple):
    """A relative clause: kind is subject, object, recipient, possessor or place (with its preposition)."""

    kind: str
    clause: Clause
    preposition: Preposition | None


class Subordinate(NamedTuple):
    """An adverbial clause."""

    conjunction: Conjunction
    clause: Clause


class Sentence(NamedTuple):
    """One main clause, or two joined by "and" or "but"."""

    first: Clause
    link: str
    second: Clause | None


def is_plural(nominal: Nominal | None) -> bool:
    """The grammatical number of a noun phrase."""
    if isinstance(nominal, Anaphor):
        return nominal.pronoun.plural
    if isinstance(nominal, Phrase | Gap):
        return nominal.plural
    return isinstance(nominal, Both)


def agreement(subject: Nominal | None) -> str:
    """The person of the verb: ich, er (third singular) or sie (any plural)."""
    if isinstance(subject, Anaphor):
        return subject.pronoun.agreement
    return "sie" if is_plural(subject) else "er"


def reflexive(subject: Nominal | None) -> str:
    """The reflexive pronoun that goes back to a subject."""
    return subject.pronoun.reflexive if isinstance(subject, Anaphor) else "sich"


def write_sentence(tokens: list[Token], end: str = ".") -> tuple[str, list[tuple[tuple[int, str], ...]]]:
    """The cased, detokenized sentence and what each of its words expresses."""
    words: list[str] = []
    parts: list[tuple[tuple[int, str], ...]] = []
    for word, part in tokens:
        if word != ",":
            words.append(word)
            parts.append(part)
        elif words and not words[-1].endswith(","):
            words[-1] += ","
    text = " ".join(words).rstrip(",")
    return text[0].upper() + text[1:] + end, parts
