"""Trees written as English."""

from seq2attn.grammar.entries import Tense, TimePhrase, Verb
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
)

BE_PRESENT = {"ich": "am", "er": "is", "sie": "are"}
BE_PAST = {"ich": "was", "er": "was", "sie": "were"}


def english(sentence: Sentence) -> list[Token]:
    """The words of a sentence with the parts of the tree that they express."""
    tokens = _clause(sentence.first)
    if sentence.second:
        tokens += [COMMA, (sentence.link, ((id(sentence), "link"),)), *_clause(sentence.second)]
    return tokens


def article(word: str) -> str:
    """a or an by the first letter; exceptions: university, useful, European; honest."""
    return "an" if (word[0] in "aeiouAEIO" and not word.startswith(("uni", "use", "eu"))) or word == "honest" else "a"


def _fixed(phrase: TimePhrase, node: Clause) -> list[Token]:
    key, links = id(node), phrase.links
    return [(word, tuple((key, f"time{j}") for i, j in links if i == k)) for k, word in enumerate(phrase.english)]


def _phrase(node: Phrase) -> list[Token]:
    key = id(node)
    tokens: list[Token] = [(node.degree.english, ((key, "degree"),))] if node.degree else []
    tokens += [(each.english, ((key, f"adjective{i}"),)) for i, each in enumerate(node.adjectives)]
    tokens.append((node.noun.plural if node.plural else node.noun.english, ((key, "noun"),)))
    if node.determiner and (word := node.determiner.english[node.plural]):
        tokens.insert(0, (article(tokens[0][0]) if word == "a" else word, ((key, "determiner"),)))
    if node.attribute:
        tokens += [(word, ((id(node.attribute), "in"),)) for word in node.attribute.preposition.english]
        tokens += _phrase(node.attribute.phrase)
    if node.relative:
        tokens += _relative(node)
    return tokens


def _relative(head: Phrase) -> list[Token]:
    node = head.relative
    assert node is not None
    part = ((id(node), "pronoun"),)
    person = "person" in head.noun.classes
    body = _clause(node.clause)
    if node.kind == "possessor":
        return [("whose", part), *body]
    if node.kind == "recipient":
        return [("to", part), ("whom" if person else "which", part), *body]
    if node.kind == "place":
        assert head.noun.place is not None
        words = node.preposition.english if node.preposition else (head.noun.place.english,)
        return [*((word, ((id(node), "in"),)) for word in words), ("which", part), *body]
    pronoun = "which" if not person else "who" if node.kind == "subject" else "whom"
    return [(pronoun, part), *body]


def _nominal(node: Nominal, nominative: bool = False) -> list[Token]:
    if isinstance(node, Gap):
        return []
    if isinstance(node, Anaphor):
        return [(node.pronoun.english if nominative else node.pronoun.object, ((id(node), "noun"),))]
    if isinstance(node, Both):
        return [*_phrase(node.left), ("and", ((id(node), "and"),)), *_phrase(node.right)]
    return _phrase(node)


def form_of(verb: Verb, form: str, person: str) -> str:
    """The English verb form that a tense asks for: finite, past, participle or base."""
    if verb.base == "be" and form in {"finite", "past"}:
        return (BE_PRESENT if form == "finite" else BE_PAST)[person]
    finite = verb.third if person == "er" else verb.base
    return {"finite": finite, "past": verb.past, "participle": verb.participle, "base": verb.base}[form]


def _verb(node: Clause, tense: Tense) -> list[Token]:
    """[auxiliary] [not] [often] verb; be comes before not and often, other verbs take do-support."""
    key, person = id(node), agreement(node.subject)
    often: list[Token] = [(node.frequency.english, ((key, "frequency"),))] if node.frequency else []
    if node.verb.base == "be" and tense.form in {"finite", "past"}:
        negation: list[Token] = [("not", ((key, "not"),))] if node.negated else []
        return [(form_of(node.verb, tense.form, person), ((key, "verb"), (key, "tense"))), *negation, *often]
    tokens: list[Token] = []
    for word in tense.english[node.negated][person != "er"]:
        parts = {"not": ((key, "not"),), "cannot": ((key, "tense"), (key, "not"))}
        tokens.append((word, parts.get(word, ((key, "tense"),))))
    form = "base" if node.negated and tense.form in {"finite", "past"} else tense.form
    return [*tokens, *often, (form_of(node.verb, form, person), ((key, "verb"),))]


def _spot(node: Spot, direction: bool) -> list[Token]:
    if node.preposition:
        words: tuple[str, ...] = node.preposition.english
    else:
        assert node.phrase.noun.place is not None
        words = ("to",) if direction else (node.phrase.noun.place.english,)
    return [*((word, ((id(node), "in"),)) for word in words), *_phrase(node.phrase)]


def _predicate(node: Predicate) -> list[Token]:
    degree: list[Token] = [(node.degree.english, ((id(node), "degree"),))] if node.degree else []
    return [*degree, (node.adjective.english, ((id(node), "adjective"),))]


def _clause(node: Clause) -> list[Token]:
    key = id(node)
    tokens: list[Token] = []
    if isinstance(node.front, Subordinate):
        tokens += [*_subordinate(node.front), COMMA]
    elif node.front:
        tokens += _fixed(node.front, node)
    if node.subject:
        tokens += _nominal(node.subject, nominative=True)
    if node.tense:
        tokens += _verb(node, node.tense)
    else:
        tokens += [("to", ((key, "to"),)), (node.verb.base, ((key, "verb"),))]
    tokens += [(word, ((key, "verb"),)) for word in node.verb.particle]
    if node.verb.preposition:  # its English side is the particle, or the verb itself
        tokens[-1] = (tokens[-1][0], ((key, "marker"),) if node.verb.particle else (*tokens[-1][1], (key, "marker")))
    for i, each in enumerate(node.objects):
        if i == 1 and not isinstance(each, Gap):
            tokens.append((node.verb.second[0] if node.verb.second else "to", ((key, "second"),)))
        tokens += _nominal(each)
    if node.predicate:
        tokens += _predicate(node.predicate)
    if node.manner:
        tokens.append((node.manner.english, ((key, "manner"),)))
    if node.company:
        tokens += [("together", ((key, "together"),)), ("with", ((key, "with"),)), *_nominal(node.company)]
    if node.spot:
        tokens += _spot(node.spot, node.verb.frame == "towards")
    if node.time:
        tokens += _fixed(node.time, node)
    if node.complement:
        if node.complement.tense:
            tokens.append((node.verb.frame.split()[-1], ((key, "complementizer"),)))
        tokens += _clause(node.complement)
    if node.tail:
        tokens += _subordinate(node.tail)
    return tokens


def _subordinate(node: Subordinate) -> list[Token]:
    return [*((word, ((id(node), "conjunction"),)) for word in node.conjunction.english), *_clause(node.clause)]
