"""Random trees of about a given number of words, grown from the top: each clause shares its words among its parts."""

from typing import NamedTuple

from seq2attn.grammar import chance
from seq2attn.grammar.dice import Dice, Weighted
from seq2attn.grammar.entries import ACCUSATIVE, Noun, Tense, Verb
from seq2attn.grammar.frames import (
    ADJECTIVE,
    INFINITIVE,
    OBJECT,
    OBJECT_INFINITIVE,
    OBJECT_THAT,
    OBJECT_WHETHER,
    PLACE,
    PLAIN,
    RECIPIENT,
    SECOND,
    THAT,
    TOWARDS,
    WHETHER,
    Frame,
)
from seq2attn.grammar.lexicon import read_lexicon
from seq2attn.grammar.phrase import Relatives, Scene, draw_nominal, draw_phrase, is_person
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
    make_clause,
)

_PERSON = frozenset({"person"})
_PLACES = frozenset({"building", "room", "area", "town"})
_DEGREE, _FREQUENCY = frozenset({"degree"}), frozenset({"frequency"})
_INTENDED = frozenset({"want", "wanted", "must", "had to", "should", "may"})
_REPORTED = frozenset({"past", "pluperfect", "past_modal", "would"})
_ANY: frozenset[str] = frozenset()


class Opening(NamedTuple):
    """What a relative pronoun takes out of its clause: which part (`kind`, as in Relative) and of which noun."""

    kind: str
    noun: Noun
    plural: bool


def draw_sentence(dice: Dice, words: int) -> Sentence:
    """A sentence of about that many English words."""
    scene = Scene(past=dice.happens(0.45))
    if words >= 12 and dice.happens(0.15):
        first = dice.pick(5, words - 6)
        link = "and" if dice.happens(0.6) else "but"
        return Sentence(_draw_main(dice, first, scene), link, _draw_main(dice, words - first - 1, scene))
    return Sentence(_draw_main(dice, words, scene), "", None)


def _draw_main(dice: Dice, words: int, scene: Scene) -> Clause:
    """A main clause, with a subordinate clause or a time in front of it now and then."""
    if words >= 11 and dice.happens(0.35):
        first = dice.pick(5, max(5, (words - 1) // 2))
        node = _draw_clause(dice, words - first, scene)
        return node._replace(front=_draw_subordinate(dice, first, scene, infinitive=is_person(node.subject)))
    node = _draw_clause(dice, words, scene)
    timeless = node.verb.frame == ADJECTIVE and not is_person(node.subject)
    placeable = not timeless and node.time is None and node.frequency is None and words >= 4
    if placeable and node.tense and dice.happens(0.3):
        front = chance.times(node.tense.time, node.negated)
        if front.values:
            return node._replace(front=dice.draw(front))
    return node


def _draw_subordinate(dice: Dice, words: int, scene: Scene, infinitive: bool) -> Subordinate:
    """An adverbial clause of about that many words; `infinitive`: it may be one."""
    conjunction = dice.draw(chance.conjunctions(scene.past, infinitive))
    words -= len(conjunction.english)
    if conjunction.infinitive:
        return Subordinate(conjunction, _draw_clause(dice, words + 2, scene, finite=False))
    return Subordinate(conjunction, _draw_clause(dice, words, scene, allowed=conjunction.tenses[scene.past]))


def _draw_relative(dice: Dice, words: int, head: Noun, plural: bool, scene: Scene) -> Relative:
    """A relative clause on a noun, of a kind that the noun can play a part in."""
    alive = bool(chance.verbs(PLAIN, subject=head).values)
    kinds = {
        "subject": 5.0 if alive else 0.7,
        "object": 3.5 * bool(chance.verbs(OBJECT, object=head).values),
        "recipient": 0.8 * ("person" in head.classes),
        "possessor": 0.8 * ("human" in head.classes),
        "place": 3.0 * bool(head.place),
    }
    kind = dice.draw(Weighted([each for each in kinds.items() if each[1]]))
    frame: Frame | None = None
    allowed, preposition, subject = _ANY, None, None
    if kind == "subject" and not alive:
        frame, allowed = ADJECTIVE, frozenset({"present", "past"})
    elif kind == "possessor":
        owned = dice.draw(chance.nouns(frozenset({"kin"})))
        subject = draw_phrase(dice, 3 if words > 7 else 2, owned, scene)._replace(determiner=None)
    elif kind == "place":
        frame = PLACE if chance.verbs(PLACE, object=head).values and dice.happens(0.6) else PLAIN
        preposition = dice.draw(chance.spots(head, relative=True))
    elif kind in {"object", "recipient"}:
        given = bool(chance.verbs(RECIPIENT, object=head).values) and dice.happens(0.2)
        frame = RECIPIENT if given or kind == "recipient" else OBJECT
    words -= 2 if kind in {"possessor", "place"} else 1
    opening = Opening(kind, head, plural)
    node = _draw_clause(dice, words, scene, allowed=allowed, subject=subject, opening=opening, frame=frame)
    return Relative(kind, node, preposition)


def _draw_clause(
    dice: Dice,
    words: int,
    scene: Scene,
    *,
    finite: bool = True,
    allowed: frozenset[str] = _ANY,
    subject: Nominal | None = None,
    opening: Opening | None = None,
    frame: Frame | None = None,
) -> Clause:
    """A clause of about that many words, with `opening` left out of it.

    `allowed`: its tenses (any, if none is named). `subject`, `frame`: drawn here if they are not given.
    """
    tense = dice.draw(chance.tenses(scene.past, allowed)) if finite else None
    head = subject.noun if isinstance(subject, Phrase) else None if finite else read_lexicon().nouns[0]
    if opening and opening.kind == "subject":
        subject, head = Gap(opening.plural), opening.noun
    verb = _draw_verb(dice, frame or _draw_frame(dice, words, scene, tense, head), tense, head, opening)
    left = words - 2
    if finite and subject is None:
        share = _share_for_subject(dice, left, scene)
        below = Scene(scene.past, scene.depth + 1, scene.nested, open=False)
        subject = draw_nominal(dice, share, verb.subjects, below, first_person=True, relatives=_draw_relative)
        left -= share
    node = make_clause(subject, tense, verb)
    node = node._replace(negated=not allowed and _can_be_negated(node) and dice.happens(0.12))
    tail = _share_for_tail(dice, left, scene, node)
    left -= tail
    heavy = scene.depth < 2 and not verb.frame.complement and not tail and left >= (6 if scene.open else 8)
    node, left = _add_arguments(dice, left, node, scene, opening, _draw_relative if heavy else None)
    if verb.frame.complement:
        return node._replace(complement=_draw_complement(dice, left, scene, verb.frame))
    if not heavy:
        node = _add_adverbials(dice, left, node, scene, opening)
    if tail:
        purpose = is_person(subject) or (head is not None and "person" in head.classes)
        return node._replace(tail=_draw_subordinate(dice, tail, scene, purpose))
    return node


def _draw_frame(dice: Dice, words: int, scene: Scene, tense: Tense | None, head: Noun | None) -> Frame:
    """The complements of a clause of that many words; `head` is the noun of its subject, if that is known."""
    small = words <= 8
    weights = {PLAIN: 2.0 if small else 0.5, OBJECT: 6.0, TOWARDS: 1.2, PLACE: 0.8}
    weights[ADJECTIVE] = (1.8 if small else 0.4) * bool(tense and tense.form in {"finite", "past"})
    if words >= 6:
        weights |= {RECIPIENT: 2.5, SECOND: 0.7}
    if words >= 8 and tense:
        weights |= {INFINITIVE: 2.0, OBJECT_INFINITIVE: 1.5}
    if words >= 8 and tense and scene.open and scene.nested < 2:
        weights |= {THAT: 3.0, WHETHER: 1.0, OBJECT_THAT: 2.0, OBJECT_WHETHER: 0.7}
    possible = [(frame, weight) for frame, weight in weights.items() if weight]
    return dice.draw(
        Weighted((frame, weight) for frame, weight in possible if not head or chance.verbs(frame, subject=head).values)
    )


def _draw_verb(dice: Dice, frame: Frame, tense: Tense | None, head: Noun | None, opening: Opening | None) -> Verb:
    role = "place" if frame == PLACE else "object"
    taken = opening.noun if opening and opening.kind == role else None
    form = "past" if tense and tense.form == "past" else ""
    return dice.draw(chance.verbs(frame, head, taken, form if tense and tense.name not in _INTENDED else "intended"))


def _share_for_subject(dice: Dice, left: int, scene: Scene) -> int:
    share = dice.pick(1, max(1, min(4, left - 1)))
    if scene.depth == 0 and left >= 12 and dice.happens(0.45):
        return dice.pick(6, left // 2)
    return share


def _share_for_tail(dice: Dice, left: int, scene: Scene, node: Clause) -> int:
    """How many of the words that are left go to an adverbial clause at the end; 0: there is none."""
    eager = node.verb.frame in {PLAIN, ADJECTIVE} or dice.happens(0.45)
    if eager and scene.open and not node.verb.frame.complement and node.tense and left >= 9:
        return dice.pick(5, left - 2)
    return 0


def _can_be_negated(node: Clause) -> bool:
    """Whether its tense has a negation, and its subject no quantifier: "no", "each", "all"."""
    determiner = node.subject.determiner if isinstance(node.subject, Phrase) else None
    quantified = determiner is not None and determiner.german in {"kein", "jed", "all"}
    return bool(node.tense and node.tense.english[1][0]) and not quantified


def _draw_complement(dice: Dice, words: int, scene: Scene, frame: Frame) -> Clause:
    below = Scene(scene.past, scene.depth, scene.nested + 1, scene.open)
    if frame.complement == "infinitive":
        return _draw_clause(dice, words, below, finite=False)
    return _draw_clause(dice, words, below, allowed=_REPORTED if scene.past else _ANY)


def _add_arguments(
    dice: Dice, left: int, node: Clause, scene: Scene, opening: Opening | None, relatives: Relatives | None
) -> tuple[Clause, int]:
    """The clause with its objects, predicate and necessary place, and the words that are left."""
    frame = node.verb.frame
    objects, left = _draw_objects(dice, left, node, scene, opening, relatives)
    node = node._replace(objects=objects)
    if frame.predicate:
        predicate = _draw_predicate(dice, node, opening)
        node, left = node._replace(predicate=predicate), left - 1 - bool(predicate.degree)
    if frame.spot and not (opening and opening.kind == "place"):
        share = left if relatives else max(2, min(left, dice.pick(2, 4)))
        noun = dice.draw(chance.nouns(node.verb.objects, share > 6))
        definite = node.negated or dice.happens(0.8)
        phrase = draw_phrase(dice, share - 1, noun, scene, definite=definite, relatives=relatives)
        node, left = node._replace(spot=Spot(None, phrase)), left - share
    return node, left


def _draw_objects(
    dice: Dice, left: int, node: Clause, scene: Scene, opening: Opening | None, relatives: Relatives | None
) -> tuple[tuple[Nominal, ...], int]:
    """The objects of a clause, and the words that are left. Only the last one may have a relative clause."""
    verb, frame = node.verb, node.verb.frame
    wanted = _classes_of_objects(verb)
    gap = {"object": 0, "recipient": 1}.get(opening.kind) if opening else None
    subject = node.subject or Anaphor(read_lexicon().pronouns[0])
    objects: list[Nominal] = []
    for i, classes in enumerate(wanted):
        if opening and i == gap:
            objects.append(Gap(opening.plural))
            continue
        last = i == len(wanted) - 1
        clauses = relatives if last or gap == 1 else None
        share = left if clauses else max(1, min(left, dice.pick(2, 5)))
        if frame.complement or not last:
            share = min(share, left if clauses else 3)
        node_object = draw_nominal(
            dice, share, classes, scene, definite=node.negated, relatives=clauses, subject=subject, first_person=True
        )
        if isinstance(node_object, Anaphor) and _takes_no_pronoun(verb):
            person = read_lexicon().nouns[0]
            node_object = draw_phrase(dice, share, person, scene, definite=node.negated, relatives=clauses)
        objects.append(node_object)
        left -= share
    return tuple(objects), left


def _classes_of_objects(verb: Verb) -> list[frozenset[str]]:
    """The classes of nouns that each object may be of."""
    classes = [verb.objects] if verb.frame.objects else []
    if verb.frame == RECIPIENT:
        return [*classes, _PERSON]
    return [*classes, verb.second[1]] if verb.second else classes


def _takes_no_pronoun(verb: Verb) -> bool:
    """Whether a pronoun would have to stand before the particle: "takes along him" is not English."""
    return bool(verb.prefix and verb.particle) and not verb.preposition and verb.case == ACCUSATIVE


def _draw_predicate(dice: Dice, node: Clause, opening: Opening | None) -> Predicate:
    person = opening.noun if opening and opening.kind == "subject" else read_lexicon().nouns[0]
    noun = node.subject.noun if isinstance(node.subject, Phrase) else person
    degree = dice.draw(chance.adverbs(_DEGREE)) if dice.happens(0.4) else None
    return Predicate(degree, dice.draw(chance.adjectives(noun, 1, state=node.verb.base in {"become", "remain"})))


def _add_adverbials(dice: Dice, left: int, node: Clause, scene: Scene, opening: Opening | None) -> Clause:
    """The clause with manner, company, place and time, as far as words are left for them."""
    verb = node.verb
    if verb.frame == ADJECTIVE and not is_person(node.subject):
        return node
    manners = chance.adverbs(verb.manners)
    if left >= 1 and manners.values and dice.happens(0.4):
        node, left = node._replace(manner=dice.draw(manners)), left - 1
    if left >= 4 and verb.frame in {PLAIN, TOWARDS} and is_person(node.subject) and dice.happens(0.3):
        node, left = node._replace(company=draw_nominal(dice, 2, _PERSON, scene, definite=True)), left - 4
    placed = opening is not None and opening.kind != "subject"
    if left >= 3 and verb.frame in {PLAIN, OBJECT, RECIPIENT} and not placed and dice.happens(0.6):
        noun = dice.draw(chance.nouns(_PLACES))
        share = dice.pick(2, min(4, left - 1))
        spot = Spot(dice.draw(chance.spots(noun)), draw_phrase(dice, share, noun, scene, definite=True))
        node, left = node._replace(spot=spot), left - share - 1
    return _add_time(dice, node) if left >= 1 and node.tense else node


def _add_time(dice: Dice, node: Clause) -> Clause:
    """The finite clause with a time or a frequency, or neither."""
    assert node.tense is not None
    if dice.happens(0.6):
        times = chance.times(node.tense.time, node.negated)
        if times.values:
            return node._replace(time=dice.draw(times))
    if node.tense.form != "base" and not node.negated and dice.happens(0.3):
        return node._replace(frequency=dice.draw(chance.adverbs(_FREQUENCY)))
    return node
