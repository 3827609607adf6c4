"""What may stand in a place and how often: lemmas by Zipf's law, arguments by selectional class."""

from functools import cache

from seq2attn.grammar.dice import Weighted, zipf
from seq2attn.grammar.entries import (
    DATIVE,
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
from seq2attn.grammar.frames import Frame
from seq2attn.grammar.lexicon import read_lexicon

_PRESENT = {"present": 50.0, "perfect": 18, "will": 8, "can": 8, "must": 6, "want": 5, "should": 3, "may": 2}
_PAST = {"past": 70.0, "could": 8, "had to": 8, "wanted": 6, "pluperfect": 8}


@cache
def nouns(classes: frozenset[str], common: bool = False) -> Weighted[Noun]:
    """Nouns of any of these classes, each weighted by its rank in its own class; `common` leaves out proper nouns."""
    found = [noun for noun in read_lexicon().nouns if noun.classes & classes]
    chosen = [noun for noun in found if not (common and noun.proper)] or found
    return Weighted((noun, 1 / (noun.rank + 2)) for noun in chosen)


@cache
def verbs(frame: Frame, subject: Noun | None = None, object: Noun | None = None, form: str = "") -> Weighted[Verb]:
    """Verbs of a frame that go with a subject and a first object.

    form: "past" leaves out those whose past looks like their present; "intended" those that nobody does on purpose,
    if there are others.
    """
    found = [
        verb
        for verb in read_lexicon().verbs
        if verb.frame == frame
        and (subject is None or verb.subjects & subject.classes)
        and (object is None or verb.objects & object.classes)
        and (form != "past" or verb.past != verb.base)
    ]
    return zipf([verb for verb in found if form != "intended" or verb.intended] or found)


@cache
def adjectives(noun: Noun, rank: int, state: bool = False) -> Weighted[Adjective]:
    """Adjectives that go with a noun; those of rank 2 stand after those of rank 1; `state`: what one can become."""
    found = [each for each in read_lexicon().adjectives if each.classes & noun.classes and each.rank == rank]
    return zipf([each for each in found if "state" in each.classes] if state else found)


@cache
def adverbs(groups: frozenset[str]) -> Weighted[Adverb]:
    """Adverbs of any of these groups."""
    return zipf([each for each in read_lexicon().adverbs if each.group in groups])


@cache
def times(tense: str, negated: bool = False) -> Weighted[TimePhrase]:
    """Time phrases that go with a tense; a negated clause takes none of habit ("every day")."""
    return zipf(
        [each for each in read_lexicon().times if tense in each.tenses and not (negated and "habit" in each.tenses)]
    )


@cache
def tenses(past: bool, allowed: frozenset[str]) -> Weighted[Tense]:
    """Tenses of a present or past sentence, of those allowed by name or time (all, if none is named)."""
    weights = {**(_PAST if past else _PRESENT), **({"would": 25.0} if "would" in allowed else {})}
    found = [each for each in read_lexicon().tenses if each.name in weights]
    return Weighted(
        (each, weights[each.name]) for each in found if not allowed or each.name in allowed or each.time in allowed
    )


@cache
def attributes(noun: Noun) -> Weighted[tuple[Preposition, frozenset[str]]]:
    """The prepositional attributes of a noun with the classes of their nouns."""
    return Weighted(
        ((each, classes), 1.0)
        for each in read_lexicon().prepositions
        for head, classes in each.pairs
        if each.use == "attribute" and head in noun.classes
    )


@cache
def spots(noun: Noun, relative: bool = False) -> Weighted[Preposition | None]:
    """The prepositions of place of a noun (of a relative pronoun); None stands for its own (at the station)."""
    found = [each for each in read_lexicon().prepositions if each.use == "place" and each.pairs[0][1] & noun.classes]
    found = [each for each in found if not relative or each.case == DATIVE]
    return Weighted([(None, 4.0 + len(found)), *((each, 1.0) for each in found)])


@cache
def determiners(plural: bool, mass: bool, definite: bool, kin: bool) -> Weighted[Determiner]:
    """Determiners for a number; relatives by blood and office are rather somebody's ("his brother")."""
    found = []
    for each in read_lexicon().determiners:
        bare = not each.german
        fits = (plural or mass) if bare else bool(each.english[plural]) and not (mass and each.german in {"ein", "jed"})
        if fits and (each.definite or not definite):
            owned = each.adjective == "mixed" and each.definite
            found.append((each, each.weight * (6 if kin and owned else 1)))
    return Weighted(found)


@cache
def pronouns(first_person: bool) -> Weighted[Pronoun]:
    """he, she, they, and with `first_person` I and we."""
    return zipf([each for each in read_lexicon().pronouns if first_person or each.english not in {"I", "we"}])


@cache
def conjunctions(past: bool, infinitive: bool) -> Weighted[Conjunction]:
    """Subordinators that some tense of a present or past sentence follows."""
    return zipf(
        [each for each in read_lexicon().conjunctions if each.tenses[past] and (infinitive or not each.infinitive)]
    )
