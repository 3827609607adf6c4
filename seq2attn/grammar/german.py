"""Trees written as German: verb second or final, the middle field, the right bracket and what follows it."""

from seq2attn.grammar.entries import DATIVE, GENITIVE, NOMINATIVE, TimePhrase
from seq2attn.grammar.inflection import CONTRACTED, RELATIVE, adjective_ending, determiner, verb_group
from seq2attn.grammar.tree import (
    COMMA,
    Anaphor,
    Both,
    Clause,
    Gap,
    Nominal,
    Phrase,
    Sentence,
    Spot,
    Subordinate,
    Token,
    agreement,
    reflexive,
)

Parts = tuple[list[Token], list[Token]]  # the words before a boundary and those after it
_LINK = {"and": "und", "but": "aber"}


def german(sentence: Sentence) -> list[Token]:
    """The words of a sentence with the parts of the tree that they express."""
    tokens = _clause(sentence.first, "main")
    if sentence.second:
        tokens += [COMMA, (_LINK[sentence.link], ((id(sentence), "link"),)), *_clause(sentence.second, "main")]
    return tokens


def _slot(node: Phrase) -> str:
    return "p" if node.plural else node.noun.gender


def _phrase(node: Phrase, case: int, preposition: list[Token] | None = None) -> Parts:
    """A noun phrase up to its relative clause, and that clause; with `preposition` contracted into it."""
    key, slot = id(node), _slot(node)
    tokens = list(preposition or [])
    declension = "strong"
    if node.determiner:
        declension = node.determiner.adjective
        word = determiner(node.determiner, slot, case)
        if tokens and node.determiner.german == "der" and (tokens[-1][0], word) in CONTRACTED:
            tokens[-1] = (CONTRACTED[tokens[-1][0], word], (*tokens[-1][1], (key, "determiner")))
        elif word:
            tokens.append((word, ((key, "determiner"),)))
    ending = adjective_ending(declension, slot, case)
    if node.degree:
        tokens.append((node.degree.german, ((key, "degree"),)))
    tokens += [(each.stem + ending, ((key, f"adjective{i}"),)) for i, each in enumerate(node.adjectives)]
    tokens.append((node.noun.forms[node.plural][case], ((key, "noun"),)))
    tail = _relative(node) if node.relative else []
    if node.attribute:
        inner, inner_tail = _attribute(node)
        return tokens + inner, inner_tail + tail
    return tokens, tail


def _attribute(node: Phrase) -> Parts:
    """ "of" is a genitive, but "von" before proper nouns and where the genitive would not show."""
    attribute = node.attribute
    assert attribute is not None
    phrase, part = attribute.phrase, ((id(attribute), "in"),)
    if attribute.preposition.case == GENITIVE:
        if phrase.determiner and phrase.determiner.adjective != "number" and phrase.determiner.german:
            tokens, tail = _phrase(phrase, GENITIVE)
            return [(tokens[0][0], (*part, *tokens[0][1])), *tokens[1:]], tail
        return _phrase(phrase, DATIVE, [("von", part)])
    return _phrase(phrase, attribute.preposition.case, [(word, part) for word in attribute.preposition.german])


def _relative(head: Phrase) -> list[Token]:
    node = head.relative
    assert node is not None
    clause, forms, pronoun = node.clause, RELATIVE[_slot(head)], ((id(node), "pronoun"),)
    if node.kind == "possessor":
        assert isinstance(clause.subject, Phrase)
        core, tail = _phrase(clause.subject, NOMINATIVE)
        front: list[Token] = [(forms[GENITIVE], pronoun), *core, *tail]
        return [COMMA, *front, *_clause(clause, "whose"), COMMA]
    if node.kind == "object":
        verb = clause.verb
        marker: list[Token] = [(verb.preposition, ((id(clause), "marker"),))] if verb.preposition else []
        front = [*marker, (forms[verb.case], pronoun)]
    elif node.kind == "place":
        front = [*_place_preposition(Spot(node.preposition, head), id(node), False), (forms[DATIVE], pronoun)]
    else:
        front = [(forms[NOMINATIVE if node.kind == "subject" else DATIVE], pronoun)]
    return [COMMA, *front, *_clause(clause, "final"), COMMA]


def _nominal(node: Nominal, case: int, preposition: list[Token] | None = None) -> Parts:
    before = preposition or []
    if isinstance(node, Gap):
        return [], []
    if isinstance(node, Anaphor):
        return [*before, (node.pronoun.german[case], ((id(node), "noun"),))], []
    if isinstance(node, Both):
        left, left_tail = _phrase(node.left, case, before)
        right, tail = _phrase(node.right, case)
        return [*left, *left_tail, ("und", ((id(node), "and"),)), *right], tail
    return _phrase(node, case, before)


def _definite(node: Nominal) -> bool:
    if isinstance(node, Both):
        return _definite(node.left)
    return not isinstance(node, Phrase) or node.noun.proper or bool(node.determiner and node.determiner.definite)


def _place_preposition(node: Spot, key: int, direction: bool) -> list[Token]:
    if node.preposition:
        words = node.preposition.german
    else:
        assert node.phrase.noun.place is not None
        words = (node.phrase.noun.place.towards if direction else node.phrase.noun.place.german,)
    return [(word, ((key, "in"),)) for word in words]


def _spot(node: Spot, direction: bool) -> Parts:
    place = node.phrase.noun.place
    case = node.preposition.case if node.preposition else place.case if direction and place else DATIVE
    return _phrase(node.phrase, case, _place_preposition(node, id(node), direction))


def _time(node: Clause, phrase: TimePhrase) -> list[Token]:
    return [(word, ((id(node), f"time{j}"),)) for j, word in enumerate(phrase.german)]


def _middle(node: Clause) -> list[Parts]:
    """Pronouns, definite objects, time, other objects, nicht, manner, place, prepositional objects, predicate.

    Each comes with its relative clause, which goes behind the right bracket and makes an object the last one.
    """
    key, verb = id(node), node.verb
    pronouns: list[Parts] = []
    definite: list[Parts] = []
    indefinite: list[Parts] = []
    heavy: list[Parts] = []
    late: list[Parts] = []
    for i, each in enumerate(node.objects):
        case, preposition = (verb.case, verb.preposition) if i == 0 else (DATIVE, "")
        part = ((key, "marker"),)
        if i == 1 and verb.second:
            preposition, case, part = verb.second[2], verb.second[3], ((key, "second"),)
        if isinstance(each, Gap):
            continue
        core, tail = _nominal(each, case, [(preposition, part)] if preposition else None)
        if i == 1 and not verb.second:
            core[0] = (core[0][0], (*core[0][1], (key, "second")))  # English says "to"
        if preposition or tail:
            (late if preposition else heavy).append((core, tail))
            continue
        kind = pronouns if isinstance(each, Anaphor) else definite if _definite(each) else indefinite
        # the dative stands before the accusative, but among pronouns after it
        kind.insert(0 if (case == DATIVE) != (kind is pronouns) else len(kind), (core, tail))
    items = pronouns + definite
    if node.time:
        items.append((_time(node, node.time), []))
    if node.frequency:
        items.append(([(node.frequency.german, ((key, "frequency"),))], []))
    items += indefinite + heavy
    if node.negated:
        items.append(([("nicht", ((key, "not"),))], []))
    if node.manner:
        items.append(([(node.manner.german, ((key, "manner"),))], []))
    if node.company:
        words: list[Token] = [("zusammen", ((key, "together"),)), ("mit", ((key, "with"),))]
        items.append(_nominal(node.company, DATIVE, words))
    if node.spot and verb.frame != "towards":
        items.append(_spot(node.spot, False))
    items += late
    if node.spot and verb.frame == "towards":
        items.append(_spot(node.spot, True))
    if node.predicate:
        (degree, adjective), whole = node.predicate, id(node.predicate)
        before: list[Token] = [(degree.german, ((whole, "degree"),))] if degree else []
        items.append(([*before, (adjective.german, ((whole, "adjective"),))], []))
    return items


def _verb(node: Clause, order: str) -> Parts:
    """The finite verb in second position, if it stands there, and the right bracket."""
    key, verb = id(node), node.verb
    part, tense = ((key, "verb"),), ((key, "tense"),)
    if node.tense is None:
        if verb.prefix:
            return [], [(f"{verb.prefix}zu{verb.infinitive}", (*part, (key, "to")))]
        return [], [("zu", ((key, "to"),)), (verb.infinitive, part)]
    word, rest, simple = verb_group(verb, node.tense, agreement(node.subject))
    bracket: list[Token] = [(each, part) for each in rest]
    if order != "main":
        last = (verb.prefix + word, part + tense) if simple else (word, tense)
        return [], [*bracket, last]
    if simple and verb.prefix:
        bracket = [(verb.prefix, part)]
    return [(word, part + tense if simple else tense)], bracket


def _clause(node: Clause, order: str, controller: Nominal | None = None) -> list[Token]:
    """order: main (verb second), final (verb last), whose (verb last, the subject already written)."""
    key = id(node)
    front: list[Token] = []
    subject: list[Token] = []
    if isinstance(node.front, Subordinate):
        front = [*_subordinate(node.front, node.subject), COMMA]
    elif node.front:
        front = _time(node, node.front)
    if node.subject and order != "whose":
        core, tail = _nominal(node.subject, NOMINATIVE)
        subject = core + tail
    if order == "main" and not front:
        front, subject = subject, []
    word = reflexive(node.subject if node.tense else controller)
    itself: list[Token] = [(word, ((key, "verb"),))] if node.verb.reflexive else []
    finite, bracket = _verb(node, order)
    tokens = [*front, *finite]
    tokens += subject + itself if isinstance(node.subject, Anaphor) else itself + subject
    after = _after(node)
    for core, tail in _middle(node):
        tokens += core
        after = tail + after
    return [*tokens, *bracket, *after]


def _after(node: Clause) -> list[Token]:
    """What follows the right bracket: the complement clause and the adverbial clause."""
    tokens: list[Token] = []
    controller = node.objects[0] if node.objects else node.subject
    if node.complement and node.complement.tense:
        word = "dass" if node.verb.frame.endswith("that") else "ob"
        tokens += [COMMA, (word, ((id(node), "complementizer"),)), *_clause(node.complement, "final"), COMMA]
    elif node.complement:
        tokens += [COMMA, *_clause(node.complement, "final", controller), COMMA]
    if node.tail:
        tokens += [COMMA, *_subordinate(node.tail, node.subject), COMMA]
    return tokens


def _subordinate(node: Subordinate, controller: Nominal | None) -> list[Token]:
    tense = node.clause.tense
    past = tense is not None and tense.time in {"past", "pluperfect", "past_modal"}
    words: list[Token] = [(node.conjunction.german[past], ((id(node), "conjunction"),))]
    return [*words, *_clause(node.clause, "final", controller)]
