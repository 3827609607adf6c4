"""Random noun phrases of about a given number of words."""

from collections.abc import Callable
from dataclasses import dataclass

from seq2attn.grammar import chance
from seq2attn.grammar.dice import Dice
from seq2attn.grammar.entries import Adjective, Noun
from seq2attn.grammar.lexicon import read_lexicon
from seq2attn.grammar.tree import Anaphor, Attribute, Both, Nominal, Phrase, Relative


@dataclass(frozen=True)
class Scene:
    """Where a clause stands: in a past sentence; how deep in subjects and complements; at the sentence's right edge."""

    past: bool
    depth: int = 0
    nested: int = 0
    open: bool = True


Relatives = Callable[[Dice, int, Noun, bool, Scene], Relative]  # draws a relative clause on a noun, singular or plural


def is_person(node: Nominal | None) -> bool:
    """Whether a noun phrase is one person or several, by a pronoun or a noun."""
    return isinstance(node, Anaphor) or (isinstance(node, Phrase) and "person" in node.noun.classes)


def draw_nominal(
    dice: Dice,
    words: int,
    classes: frozenset[str],
    scene: Scene,
    *,
    definite: bool = False,
    relatives: Relatives | None = None,
    subject: Nominal | None = None,
    first_person: bool = False,
) -> Nominal:
    """A noun phrase, a pronoun, or two noun phrases, of about that many words and of a noun of these classes.

    `definite`: where "not" would turn "a" into "kein". `relatives` draws relative clauses, where there may be one.
    `subject`: of the clause whose object this is; the same noun does not come twice. `first_person`: I and we may come.
    """
    person = "person" in classes
    if person and dice.happens(0.6 if words == 1 else 0.15 if words < 5 else 0.0):
        return Anaphor(dice.draw(chance.pronouns(first_person and not isinstance(subject, Anaphor))))
    noun = dice.draw(chance.nouns(classes, words >= 5))
    while isinstance(subject, Phrase) and subject.noun is noun:
        noun = dice.draw(chance.nouns(classes, words >= 5))
    if person and 4 <= words <= 8 and not noun.proper and dice.happens(0.12):
        left = draw_phrase(dice, 2, noun, scene, definite=True)
        other = dice.draw(chance.nouns(frozenset({"human", "kin"})))
        if left.plural or other is not noun:
            return Both(left, draw_phrase(dice, words - 3, other, scene, definite=True))
    return draw_phrase(dice, words, noun, scene, definite=definite, relatives=relatives)


def draw_phrase(
    dice: Dice,
    words: int,
    noun: Noun,
    scene: Scene,
    *,
    definite: bool = False,
    relatives: Relatives | None = None,
    inner: bool = False,
) -> Phrase:
    """A noun phrase with determiner, adjectives and either an attribute (if not `inner`: in one) or a relative clause."""
    if noun.proper:
        return Phrase(None, False, None, (), noun, None, None)
    relatives = relatives if scene.depth < 2 else None
    extra = words - 2
    relative = attribute = None
    plural = bool(noun.plural) and dice.happens(0.35)
    genitive = False
    choices = chance.attributes(noun)
    if extra >= 3 and not inner and choices.values and dice.happens(0.3 if relatives else 0.6):
        preposition, classes = dice.draw(choices)
        genitive = preposition.english == ("of",)
        other = dice.draw(chance.nouns(classes, relatives is not None and extra > 7))
        share = extra - 1 if relatives is not None and extra > 7 else min(extra - 1, dice.pick(2, 3))
        dependent = draw_phrase(dice, share, other, scene, definite=genitive, relatives=relatives, inner=True)
        attribute = Attribute(preposition, dependent)
        extra -= share + 1
    elif extra >= 4 and relatives and dice.happens(0.9):
        share = extra if extra <= 5 else extra - dice.pick(0, 2)
        relative = relatives(dice, share, noun, plural, scene)
        extra -= share
    determiner = dice.draw(chance.determiners(plural, noun.mass, definite, "kin" in noun.classes))
    if genitive:
        determiner = read_lexicon().determiners[0]
    adjectives, degree = _draw_adjectives(dice, extra, noun), None
    if adjectives and extra > len(adjectives) and adjectives[0].rank == 1 and dice.happens(0.7):
        degree = dice.draw(chance.adverbs(frozenset({"degree"})))
    return Phrase(determiner, plural, degree, adjectives, noun, attribute, relative)


def _draw_adjectives(dice: Dice, words: int, noun: Noun) -> tuple[Adjective, ...]:
    adjectives: list[Adjective] = []
    for rank in (1, 2):
        choices = chance.adjectives(noun, rank)
        if choices.values and len(adjectives) < words and dice.happens(0.85 if rank == 1 else 0.5):
            adjectives.append(dice.draw(choices))
    return tuple(adjectives)
