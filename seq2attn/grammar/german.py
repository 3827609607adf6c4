"""Trees written as German: verb second or final, the middle field, the right bracket and what follows it."""

from typing import NamedTuple

from seq2attn.grammar.entries import DATIVE, GENITIVE, NOMINATIVE, TimePhrase, Verb
from seq2attn.grammar.inflection import CONTRACTED, RELATIVE, adjective_ending, inflect_determiner, inflect_verb_group
from seq2attn.grammar.tree import (
    COMMA,
    Anaphor,
    Both,
    Clause,
    Gap,
    Nominal,
    Phrase,
    Predicate,
    Sentence,
    Spot,
    Subordinate,
    Token,
    agreement,
    reflexive,
)

Parts = tuple[list[Token], list[Token]]  # the words before a boundary and those after it
_LINK = {"and": "und", "but": "aber"}


def write_german(sentence: Sentence) -> list[Token]:
    """The words of a sentence with the parts of the tree that they express."""
    tokens = _write_clause(sentence.first, "main")
    if sentence.second:
        tokens += [COMMA, (_LINK[sentence.link], ((id(sentence), "link"),)), *_write_clause(sentence.second, "main")]
    return tokens


def _slot(node: Phrase) -> str:
    return "p" if node.plural else node.noun.gender


def _write_phrase(node: Phrase, case: int, preposition: list[Token] | None = None) -> Parts:
    """A noun phrase up to its relative clause, and that clause; with `preposition` contracted into it."""
    key, slot = id(node), _slot(node)
    tokens = list(preposition or [])
    declension = "strong"
    if node.determiner:
        declension = node.determiner.adjective
        word = inflect_determiner(node.determiner, slot, case)
        if tokens and node.determiner.german == "der" and (tokens[-1][0], word) in CONTRACTED:
            tokens[-1] = (CONTRACTED[tokens[-1][0], word], (*tokens[-1][1], (key, "determiner")))
        elif word:
            tokens.append((word, ((key, "determiner"),)))
    ending = adjective_ending(declension, slot, case)
    if node.degree:
        tokens.append((node.degree.german, ((key, "degree"),)))
    tokens += [(each.stem + ending, ((key, f"adjective{i}"),)) for i, each in enumerate(node.adjectives)]
    tokens.append((node.noun.forms[node.plural][case], ((key, "noun"),)))
    tail = _write_relative(node) if node.relative else []
    if node.attribute:
        inner, inner_tail = _write_attribute(node)
        return tokens + inner, inner_tail + tail
    return tokens, tail


def _write_attribute(node: Phrase) -> Parts:
    """ "of" is a genitive, but "von" before proper nouns and where the genitive would not show."""
    attribute = node.attribute
    assert attribute is not None
    phrase, part = attribute.phrase, ((id(attribute), "in"),)
    if attribute.preposition.case == GENITIVE:
        if phrase.determiner and phrase.determiner.adjective != "number" and phrase.determiner.german:
            tokens, tail = _write_phrase(phrase, GENITIVE)
            return [(tokens[0][0], (*part, *tokens[0][1])), *tokens[1:]], tail
        return _write_phrase(phrase, DATIVE, [("von", part)])
    return _write_phrase(phrase, attribute.preposition.case, [(word, part) for word in attribute.preposition.german])


def _write_relative(head: Phrase) -> list[Token]:
    node = head.relative
    assert node is not None
    clause, forms, pronoun = node.clause, RELATIVE[_slot(head)], ((id(node), "pronoun"),)
    if node.kind == "possessor":
        assert isinstance(clause.subject, Phrase)
        core, tail = _write_phrase(clause.subject, NOMINATIVE)
        front: list[Token] = [(forms[GENITIVE], pronoun), *core, *tail]
        return [COMMA, *front, *_write_clause(clause, "whose"), COMMA]
    if node.kind == "object":
        verb = clause.verb
        marker: list[Token] = [(verb.preposition, ((id(clause), "marker"),))] if verb.preposition else []
        front = [*marker, (forms[verb.case], pronoun)]
    elif node.kind == "place":
        front = [*_write_preposition(Spot(node.preposition, head), id(node), False), (forms[DATIVE], pronoun)]
    else:
        front = [(forms[NOMINATIVE if node.kind == "subject" else DATIVE], pronoun)]
    return [COMMA, *front, *_write_clause(clause, "final"), COMMA]


def _write_nominal(node: Nominal, case: int, preposition: list[Token] | None = None) -> Parts:
    before = preposition or []
    if isinstance(node, Gap):
        return [], []
    if isinstance(node, Anaphor):
        return [*before, (node.pronoun.german[case], ((id(node), "noun"),))], []
    if isinstance(node, Both):
        left, left_tail = _write_phrase(node.left, case, before)
        right, tail = _write_phrase(node.right, case)
        return [*left, *left_tail, ("und", ((id(node), "and"),)), *right], tail
    return _write_phrase(node, case, before)


def _is_definite(node: Nominal) -> bool:
    if isinstance(node, Both):
        return _is_definite(node.left)
    return not isinstance(node, Phrase) or node.noun.proper or bool(node.determiner and node.determiner.definite)


def _write_preposition(node: Spot, key: int, direction: bool) -> list[Token]:
    if node.preposition:
        words = node.preposition.german
    else:
        assert node.phrase.noun.place is not None
        words = (node.phrase.noun.place.towards if direction else node.phrase.noun.place.german,)
    return [(word, ((key, "in"),)) for word in words]


def _write_spot(node: Spot, direction: bool) -> Parts:
    place = node.phrase.noun.place
    case = node.preposition.case if node.preposition else place.case if direction and place else DATIVE
    return _write_phrase(node.phrase, case, _write_preposition(node, id(node), direction))


def _write_time(node: Clause, phrase: TimePhrase) -> list[Token]:
    return [(word, ((id(node), f"time{j}"),)) for j, word in enumerate(phrase.german)]


class _Objects(NamedTuple):
    """The objects of a clause by where they stand in the middle field."""

    pronouns: list[Parts]
    definite: list[Parts]
    indefinite: list[Parts]
    heavy: list[Parts]  # with a relative clause, which makes an object the last one
    prepositional: list[Parts]


def _write_middle(node: Clause) -> list[Parts]:
    """Pronouns, definite objects, time, other objects, nicht, manner, place, prepositional objects, predicate.

    Each comes with its relative clause, which goes behind the right bracket.
    """
    key = id(node)
    objects = _sort_objects(node)
    items = objects.pronouns + objects.definite
    if node.time:
        items.append((_write_time(node, node.time), []))
    if node.frequency:
        items.append(([(node.frequency.german, ((key, "frequency"),))], []))
    items += objects.indefinite + objects.heavy
    if node.negated:
        items.append(([("nicht", ((key, "not"),))], []))
    if node.manner:
        items.append(([(node.manner.german, ((key, "manner"),))], []))
    if node.company:
        words: list[Token] = [("zusammen", ((key, "together"),)), ("mit", ((key, "with"),))]
        items.append(_write_nominal(node.company, DATIVE, words))
    towards = node.verb.frame.spot == "towards"
    spot = [_write_spot(node.spot, towards)] if node.spot else []
    items += [*objects.prepositional, *spot] if towards else [*spot, *objects.prepositional]
    if node.predicate:
        items.append((_write_predicate(node.predicate), []))
    return items


def _sort_objects(node: Clause) -> _Objects:
    objects = _Objects([], [], [], [], [])
    for i, each in enumerate(node.objects):
        if isinstance(each, Gap):
            continue
        case, preposition = _find_government(node.verb, i)
        core, tail = _write_object(node, i, each)
        if preposition:
            objects.prepositional.append((core, tail))
        elif tail:
            objects.heavy.append((core, tail))
        else:
            pronoun = isinstance(each, Anaphor)
            place = objects.pronouns if pronoun else objects.definite if _is_definite(each) else objects.indefinite
            # the dative stands before the accusative, but among pronouns after it
            place.insert(0 if (case == DATIVE) != pronoun else len(place), (core, tail))
    return objects


def _find_government(verb: Verb, i: int) -> tuple[int, str]:
    """The case that a verb gives its i-th object, and the preposition before it, if any."""
    if i == 0:
        return verb.case, verb.preposition
    return (verb.second[3], verb.second[2]) if verb.second else (DATIVE, "")


def _write_object(node: Clause, i: int, nominal: Nominal) -> Parts:
    key = id(node)
    case, preposition = _find_government(node.verb, i)
    part = ((key, "second" if i == 1 else "marker"),)
    core, tail = _write_nominal(nominal, case, [(preposition, part)] if preposition else None)
    if i == 1 and not preposition:
        core[0] = (core[0][0], (*core[0][1], (key, "second")))  # English says "to"
    return core, tail


def _write_predicate(node: Predicate) -> list[Token]:
    degree: list[Token] = [(node.degree.german, ((id(node), "degree"),))] if node.degree else []
    return [*degree, (node.adjective.german, ((id(node), "adjective"),))]


def _write_verb(node: Clause, order: str) -> Parts:
    """The finite verb in second position, if it stands there, and the right bracket."""
    key, verb = id(node), node.verb
    part, tense = ((key, "verb"),), ((key, "tense"),)
    if node.tense is None:
        if verb.prefix:
            return [], [(f"{verb.prefix}zu{verb.infinitive}", (*part, (key, "to")))]
        return [], [("zu", ((key, "to"),)), (verb.infinitive, part)]
    word, rest, simple = inflect_verb_group(verb, node.tense, agreement(node.subject))
    bracket: list[Token] = [(each, part) for each in rest]
    if order != "main":
        last = (verb.prefix + word, part + tense) if simple else (word, tense)
        return [], [*bracket, last]
    if simple and verb.prefix:
        bracket = [(verb.prefix, part)]
    return [(word, part + tense if simple else tense)], bracket


def _write_clause(node: Clause, order: str, controller: Nominal | None = None) -> list[Token]:
    """order: main (verb second), final (verb last), whose (verb last, the subject already written)."""
    key = id(node)
    front: list[Token] = []
    subject: list[Token] = []
    if isinstance(node.front, Subordinate):
        front = [*_write_subordinate(node.front, node.subject), COMMA]
    elif node.front:
        front = _write_time(node, node.front)
    if node.subject and order != "whose":
        core, tail = _write_nominal(node.subject, NOMINATIVE)
        subject = core + tail
    if order == "main" and not front:
        front, subject = subject, []
    word = reflexive(node.subject if node.tense else controller)
    itself: list[Token] = [(word, ((key, "verb"),))] if node.verb.reflexive else []
    finite, bracket = _write_verb(node, order)
    tokens = [*front, *finite]
    tokens += subject + itself if isinstance(node.subject, Anaphor) else itself + subject
    after = _write_after(node)
    for core, tail in _write_middle(node):
        tokens += core
        after = tail + after
    return [*tokens, *bracket, *after]


def _write_after(node: Clause) -> list[Token]:
    """What follows the right bracket: the complement clause and the adverbial clause."""
    tokens: list[Token] = []
    controller = node.objects[0] if node.objects else node.subject
    if node.complement and node.complement.tense:
        word = "dass" if node.verb.frame.complement == "that" else "ob"
        tokens += [COMMA, (word, ((id(node), "complementizer"),)), *_write_clause(node.complement, "final"), COMMA]
    elif node.complement:
        tokens += [COMMA, *_write_clause(node.complement, "final", controller), COMMA]
    if node.tail:
        tokens += [COMMA, *_write_subordinate(node.tail, node.subject), COMMA]
    return tokens


def _write_subordinate(node: Subordinate, controller: Nominal | None) -> list[Token]:
    tense = node.clause.tense
    past = tense is not None and tense.time in {"past", "pluperfect", "past_modal"}
    words: list[Token] = [(node.conjunction.german[past], ((id(node), "conjunction"),))]
    return [*words, *_write_clause(node.clause, "final", controller)]
