"""Random trees of about a given number of words, grown from the top: each clause shares its words among its parts."""

from random import Random
from typing import NamedTuple

from seq2attn.grammar import chance
from seq2attn.grammar.entries import ACCUSATIVE, Noun, Tense
from seq2attn.grammar.lexicon import lexicon
from seq2attn.grammar.phrase import Relatives, Scene, is_person, nominal, phrase
from seq2attn.grammar.tree import (
    Anaphor,
    Clause,
    Gap,
    Nominal,
    Phrase,
    Predicate,
    Relative,
    Sentence,
    Spot,
    Subordinate,
    clause_of,
)

PERSON = frozenset({"person"})
PLACE = frozenset({"building", "room", "area", "town"})
_INTENDED = frozenset({"want", "wanted", "must", "had to", "should", "may"})
_REPORTED = frozenset({"past", "pluperfect", "past_modal", "would"})
_ANY: frozenset[str] = frozenset()


def sentence(random: Random, words: int) -> Sentence:
    """A sentence of about that many English words."""
    scene = Scene(past=random.random() < 0.45)
    if words >= 12 and random.random() < 0.15:
        first = random.randint(5, words - 6)
        link = "and" if random.random() < 0.6 else "but"
        return Sentence(main(random, first, scene), link, main(random, words - first - 1, scene))
    return Sentence(main(random, words, scene), "", None)


def main(random: Random, words: int, scene: Scene) -> Clause:
    """A main clause, with a subordinate clause or a time in front of it now and then."""
    if words >= 11 and random.random() < 0.35:
        first = random.randint(5, max(5, (words - 1) // 2))
        node = clause(random, words - first, scene)
        return node._replace(front=subordinate(random, first, scene, infinitive=is_person(node.subject)))
    node = clause(random, words, scene)
    timeless = node.verb.frame == "adjective" and not is_person(node.subject)
    if (
        not timeless
        and node.time is None
        and node.frequency is None
        and node.tense
        and words >= 4
        and random.random() < 0.3
    ):
        front = chance.times(node.tense.time, node.negated)
        if front.values:
            return node._replace(front=front.draw(random))
    return node


def subordinate(random: Random, words: int, scene: Scene, infinitive: bool) -> Subordinate:
    """An adverbial clause of about that many words."""
    conjunction = chance.conjunctions(scene.past, infinitive).draw(random)
    words -= len(conjunction.english)
    if conjunction.infinitive:
        return Subordinate(conjunction, clause(random, words + 2, scene, finite=False))
    return Subordinate(conjunction, clause(random, words, scene, allowed=conjunction.tenses[scene.past]))


class Opening(NamedTuple):
    """What a relative pronoun takes out of its clause: which part (as in Relative) and of which noun."""

    kind: str
    noun: Noun
    plural: bool


def relative_clause(random: Random, words: int, head: Noun, plural: bool, scene: Scene) -> Relative:
    """A relative clause on a noun, of a kind that the noun can play a part in."""
    alive = bool(chance.verbs("plain", subject=head).values)
    kinds = {
        "subject": 5.0 if alive else 0.7,
        "object": 3.5 * bool(chance.verbs("object", object=head).values),
        "recipient": 0.8 * ("person" in head.classes),
        "possessor": 0.8 * ("human" in head.classes),
        "place": 3.0 * bool(head.place),
    }
    kind = chance.Weighted([each for each in kinds.items() if each[1]]).draw(random)
    opening, frame, allowed, preposition, subject = Opening(kind, head, plural), "", _ANY, None, None
    if kind == "subject" and not alive:
        frame, allowed = "adjective", frozenset({"present", "past"})
    elif kind == "possessor":
        owned = chance.nouns(frozenset({"kin"})).draw(random)
        subject = phrase(random, 3 if words > 7 else 2, owned, scene)._replace(determiner=None)
    elif kind == "place":
        frame = "place" if chance.verbs("place", object=head).values and random.random() < 0.6 else "plain"
        preposition = chance.spots(head, relative=True).draw(random)
    elif kind in {"object", "recipient"}:
        given = bool(chance.verbs("recipient", object=head).values) and random.random() < 0.2
        frame = "recipient" if given or kind == "recipient" else "object"
    words -= 2 if kind in {"possessor", "place"} else 1
    node = clause(random, words, scene, allowed=allowed, subject=subject, opening=opening, frame=frame)
    return Relative(kind, node, preposition)


def _frame(random: Random, words: int, scene: Scene, tense: Tense | None, head: Noun | None) -> str:
    small = words <= 8
    weights = {"plain": 2.0 if small else 0.5, "object": 6.0, "towards": 1.2, "place": 0.8}
    weights["adjective"] = (1.8 if small else 0.4) * bool(tense and tense.form in {"finite", "past"})
    if words >= 6:
        weights |= {"recipient": 2.5, "second": 0.7}
    if words >= 8 and tense:
        weights |= {"infinitive": 2.0, "object infinitive": 1.5}
    if words >= 8 and tense and scene.open and scene.nested < 2:
        weights |= {"that": 3.0, "whether": 1.0, "object that": 2.0, "object whether": 0.7}
    return chance.Weighted(
        [each for each in weights.items() if each[1] and (not head or chance.verbs(each[0], subject=head).values)]
    ).draw(random)


def clause(random: Random, words: int, scene: Scene, *, finite: bool = True, allowed: frozenset[str] = _ANY,
           subject: Nominal | None = None, opening: Opening | None = None, frame: str = "") -> Clause:  # fmt: skip
    """A clause with `opening` left out of it; `allowed` are the tenses, `frame` the verb's complements, if not any."""
    tense = chance.tenses(scene.past, allowed).draw(random) if finite else None
    head = subject.noun if isinstance(subject, Phrase) else None if finite else lexicon().nouns[0]
    if opening and opening.kind == "subject":
        subject, head = Gap(opening.plural), opening.noun
    frame = frame or _frame(random, words, scene, tense, head)
    role = "place" if frame == "place" else "object"
    taken = opening.noun if opening and opening.kind == role else None
    form = "past" if tense and tense.form == "past" else ""
    verb = chance.verbs(frame, head, taken, form if tense and tense.name not in _INTENDED else "intended").draw(random)
    left = words - 2
    if finite and subject is None:
        share = random.randint(1, max(1, min(4, left - 1)))
        if scene.depth == 0 and left >= 12 and random.random() < 0.45:
            share = random.randint(6, left // 2)
        below = Scene(scene.past, scene.depth + 1, scene.nested, open=False)
        subject = nominal(random, share, verb.subjects, below, first_person=True, relatives=relative_clause)
        left -= share
    determiner = subject.determiner if isinstance(subject, Phrase) else None
    quantified = determiner is not None and determiner.german in {"kein", "jed", "all"}
    can_negate = bool(tense and tense.english[1][0]) and not allowed and not quantified
    node = clause_of(subject, tense, verb)._replace(negated=can_negate and random.random() < 0.12)
    complement = frame.split()[-1] in {"that", "whether", "infinitive"}
    tail_words = 0
    eager = frame in {"plain", "adjective"} or random.random() < 0.45
    if scene.open and not complement and tense and left >= 9 and eager:
        tail_words = random.randint(5, left - 2)
        left -= tail_words
    heavy = scene.depth < 2 and not complement and not tail_words and left >= (6 if scene.open else 8)
    node, left = _arguments(random, left, node, scene, opening, relative_clause if heavy else None)
    if complement:
        below = Scene(scene.past, scene.depth, scene.nested + 1, scene.open)
        if frame.endswith("infinitive"):
            return node._replace(complement=clause(random, left, below, finite=False))
        return node._replace(complement=clause(random, left, below, allowed=_REPORTED if scene.past else _ANY))
    if not heavy:
        node = _adverbials(random, left, node, scene, opening)
    if tail_words:
        purpose = is_person(subject) or (head is not None and "person" in head.classes)
        return node._replace(tail=subordinate(random, tail_words, scene, purpose))
    return node


def _arguments(random: Random, left: int, node: Clause, scene: Scene, opening: Opening | None,
               relatives: Relatives | None) -> tuple[Clause, int]:  # fmt: skip
    """The clause with its objects, predicate and necessary place, and the words that are left."""
    verb, frame, definite = node.verb, node.verb.frame, node.negated
    wanted: list[frozenset[str]] = [verb.objects] if frame.startswith(("object", "recipient", "second")) else []
    if frame == "recipient":
        wanted.append(PERSON)
    elif verb.second:
        wanted.append(verb.second[1])
    kind = opening.kind if opening else ""
    taken = {"object": 0, "recipient": 1}.get(kind)
    speaker = node.subject or Anaphor(lexicon().pronouns[0])
    objects: list[Nominal] = []
    for i, classes in enumerate(wanted):
        if opening and i == taken:
            objects.append(Gap(opening.plural))
            continue
        last = relatives if i == len(wanted) - 1 or taken == 1 else None
        share = left if last else max(1, min(left, random.randint(2, 5)))
        if frame.startswith("object ") or i < len(wanted) - 1:
            share = min(share, 3 if not last else left)
        drawn = nominal(random, share, classes, scene, definite=definite, relatives=last, subject=speaker,
                        first_person=True)  # fmt: skip
        phrasal = verb.prefix and verb.particle and not verb.preposition and verb.case == ACCUSATIVE
        if isinstance(drawn, Anaphor) and phrasal:  # "takes along him" is not English
            drawn = phrase(random, share, lexicon().nouns[0], scene, definite=definite, relatives=last)
        objects.append(drawn)
        left -= share
    node = node._replace(objects=tuple(objects))
    if frame == "adjective":
        person = opening.noun if opening and kind == "subject" else lexicon().nouns[0]
        noun = node.subject.noun if isinstance(node.subject, Phrase) else person
        degree = chance.adverbs(frozenset({"degree"})).draw(random) if random.random() < 0.4 else None
        adjective = chance.adjectives(noun, 1, state=verb.base in {"become", "remain"}).draw(random)
        node, left = node._replace(predicate=Predicate(degree, adjective)), left - 1 - bool(degree)
    if frame in {"towards", "place"} and kind != "place":
        share = left if relatives else max(2, min(left, random.randint(2, 4)))
        noun = chance.nouns(verb.objects, share > 6).draw(random)
        definite = definite or random.random() < 0.8
        spot = Spot(None, phrase(random, share - 1, noun, scene, definite=definite, relatives=relatives))
        node, left = node._replace(spot=spot), left - share
    return node, left


def _adverbials(random: Random, left: int, node: Clause, scene: Scene, opening: Opening | None) -> Clause:
    """Manner, company, place and time, as far as words are left for them."""
    verb = node.verb
    if verb.frame == "adjective" and not is_person(node.subject):
        return node
    manners = chance.adverbs(verb.manners)
    if left >= 1 and manners.values and random.random() < 0.4:
        node, left = node._replace(manner=manners.draw(random)), left - 1
    if left >= 4 and verb.frame in {"plain", "towards"} and is_person(node.subject) and random.random() < 0.3:
        node, left = node._replace(company=nominal(random, 2, PERSON, scene, definite=True)), left - 4
    placed = opening is not None and opening.kind != "subject"
    if left >= 3 and verb.frame in {"plain", "object", "recipient"} and not placed and random.random() < 0.6:
        noun = chance.nouns(PLACE).draw(random)
        share = random.randint(2, min(4, left - 1))
        spot = Spot(chance.spots(noun).draw(random), phrase(random, share, noun, scene, definite=True))
        node, left = node._replace(spot=spot), left - share - 1
    if node.tense and left >= 1 and random.random() < 0.6:
        choices = chance.times(node.tense.time, node.negated)
        if choices.values:
            return node._replace(time=choices.draw(random))
    if node.tense and node.tense.form != "base" and not node.negated and left >= 1 and random.random() < 0.3:
        return node._replace(frequency=chance.adverbs(frozenset({"frequency"})).draw(random))
    return node
