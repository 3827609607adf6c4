"""Random noun phrases of about a given number of words."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from seq2attn.grammar import chance
from seq2attn.grammar.entries import Adjective, Noun
from seq2attn.grammar.lexicon import lexicon
from seq2attn.grammar.tree import Anaphor, Attribute, Both, Nominal, Phrase, Relative


@dataclass(frozen=True)
class Scene:
    """Where a clause stands: in a past sentence; how deep in subjects and complements; at the sentence's right edge."""

    past: bool
    depth: int = 0
    nested: int = 0
    open: bool = True


Relatives = Callable[[Random, int, Noun, bool, Scene], Relative]  # draws a clause on a noun


def is_person(node: Nominal | None) -> bool:
    """Whether a noun phrase is one person or several, by a pronoun or a noun."""
    return isinstance(node, Anaphor) or (isinstance(node, Phrase) and "person" in node.noun.classes)


def nominal(random: Random, words: int, classes: frozenset[str], scene: Scene, *, definite: bool = False,
            relatives: Relatives | None = None, subject: Nominal | None = None,
            first_person: bool = False) -> Nominal:  # fmt: skip
    """A noun phrase, a pronoun, or two noun phrases; `definite` where "not" would turn "a" into "kein"."""
    person = "person" in classes
    if person and random.random() < (0.6 if words == 1 else 0.15 if words < 5 else 0.0):
        return Anaphor(chance.pronouns(first_person and not isinstance(subject, Anaphor)).draw(random))
    noun = chance.nouns(classes, words >= 5).draw(random)
    while isinstance(subject, Phrase) and subject.noun is noun:
        noun = chance.nouns(classes, words >= 5).draw(random)
    if person and 4 <= words <= 8 and not noun.proper and random.random() < 0.12:
        left = phrase(random, 2, noun, scene, definite=True)
        other = chance.nouns(frozenset({"human", "kin"})).draw(random)
        if left.plural or other is not noun:
            return Both(left, phrase(random, words - 3, other, scene, definite=True))
    return phrase(random, words, noun, scene, definite=definite, relatives=relatives)


def phrase(random: Random, words: int, noun: Noun, scene: Scene, *, definite: bool = False,
           relatives: Relatives | None = None, inner: bool = False) -> Phrase:  # fmt: skip
    """A noun phrase with determiner, adjectives and either an attribute, if it is not in one, or a relative clause."""
    if noun.proper:
        return Phrase(None, False, None, (), noun, None, None)
    relatives = relatives if scene.depth < 2 else None
    extra = words - 2
    relative = attribute = None
    plural = bool(noun.plural) and random.random() < 0.35
    genitive = False
    choices = chance.attributes(noun)
    if extra >= 3 and not inner and choices.values and random.random() < (0.3 if relatives else 0.6):
        preposition, classes = choices.draw(random)
        genitive = preposition.english == ("of",)
        other = chance.nouns(classes, relatives is not None and extra > 7).draw(random)
        share = extra - 1 if relatives is not None and extra > 7 else min(extra - 1, random.randint(2, 3))
        dependent = phrase(random, share, other, scene, definite=genitive, relatives=relatives, inner=True)
        attribute = Attribute(preposition, dependent)
        extra -= share + 1
    elif extra >= 4 and relatives and random.random() < 0.9:
        share = extra if extra <= 5 else extra - random.randint(0, 2)
        relative = relatives(random, share, noun, plural, scene)
        extra -= share
    determiner = chance.determiners(plural, noun.mass, definite, "kin" in noun.classes).draw(random)
    if genitive:
        determiner = lexicon().determiners[0]
    found, degree = _adjectives(random, extra, noun), None
    if found and extra > len(found) and found[0].rank == 1 and random.random() < 0.7:
        degree = chance.adverbs(frozenset({"degree"})).draw(random)
    return Phrase(determiner, plural, degree, found, noun, attribute, relative)


def _adjectives(random: Random, words: int, noun: Noun) -> tuple[Adjective, ...]:
    found: list[Adjective] = []
    for rank in (1, 2):
        choices = chance.adjectives(noun, rank)
        if choices.values and len(found) < words and random.random() < (0.85 if rank == 1 else 0.5):
            found.append(choices.draw(random))
    return tuple(found)
