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


def write_english(sentence: Sentence) -> list[Token]:
    """The words of a sentence with the parts of the tree that they express."""
    tokens = _write_clause(sentence.first)
    if sentence.second:
        tokens += [COMMA, (sentence.link, ((id(sentence), "link"),)), *_write_clause(sentence.second)]
    return tokens


def choose_article(word: str) -> str:
    """a or an by the first letter; exceptions: university, useful, European; honest."""
    return "an" if (word[0] in "aeiouAEIO" and not word.startswith(("uni", "use", "eu"))) or word == "honest" else "a"


def _write_time(phrase: TimePhrase, node: Clause) -> list[Token]:
    key, links = id(node), phrase.links
    return [(word, tuple((key, f"time{j}") for i, j in links if i == k)) for k, word in enumerate(phrase.english)]


def _write_phrase(node: Phrase) -> list[Token]:
    key = id(node)
    tokens: list[Token] = [(node.degree.english, ((key, "degree"),))] if node.degree else []
    tokens += [(each.english, ((key, f"adjective{i}"),)) for i, each in enumerate(node.adjectives)]
    tokens.append((node.noun.plural if node.plural else node.noun.english, ((key, "noun"),)))
    if node.determiner and (word := node.determiner.english[node.plural]):
        tokens.insert(0, (choose_article(tokens[0][0]) if word == "a" else word, ((key, "determiner"),)))
    if node.attribute:
        tokens += [(word, ((id(node.attribute), "in"),)) for word in node.attribute.preposition.english]
        tokens += _write_phrase(node.attribute.phrase)
    if node.relative:
        tokens += _write_relative(node)
    return tokens


def _write_relative(head: Phrase) -> list[Token]:
    node = head.relative
    assert node is not None
    part = ((id(node), "pronoun"),)
    person = "person" in head.noun.classes
    body = _write_clause(node.clause)
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


def _write_nominal(node: Nominal, nominative: bool = False) -> list[Token]:
    if isinstance(node, Gap):
        return []
    if isinstance(node, Anaphor):
        return [(node.pronoun.english if nominative else node.pronoun.object, ((id(node), "noun"),))]
    if isinstance(node, Both):
        return [*_write_phrase(node.left), ("and", ((id(node), "and"),)), *_write_phrase(node.right)]
    return _write_phrase(node)


def choose_form(verb: Verb, form: str, person: str) -> str:
    """The English verb form that a tense asks for: finite, past, participle or base."""
    if verb.base == "be" and form in {"finite", "past"}:
        return (BE_PRESENT if form == "finite" else BE_PAST)[person]
    finite = verb.third if person == "er" else verb.base
    return {"finite": finite, "past": verb.past, "participle": verb.participle, "base": verb.base}[form]


def _write_verb(node: Clause, tense: Tense) -> list[Token]:
    """[auxiliary] [not] [often] verb; be comes before not and often, other verbs take do-support."""
    key, person = id(node), agreement(node.subject)
    often: list[Token] = [(node.frequency.english, ((key, "frequency"),))] if node.frequency else []
    if node.verb.base == "be" and tense.form in {"finite", "past"}:
        negation: list[Token] = [("not", ((key, "not"),))] if node.negated else []
        return [(choose_form(node.verb, tense.form, person), ((key, "verb"), (key, "tense"))), *negation, *often]
    tokens: list[Token] = []
    for word in tense.english[node.negated][person != "er"]:
        parts = {"not": ((key, "not"),), "cannot": ((key, "tense"), (key, "not"))}
        tokens.append((word, parts.get(word, ((key, "tense"),))))
    form = "base" if node.negated and tense.form in {"finite", "past"} else tense.form
    return [*tokens, *often, (choose_form(node.verb, form, person), ((key, "verb"),))]


def _write_spot(node: Spot, direction: bool) -> list[Token]:
    if node.preposition:
        words: tuple[str, ...] = node.preposition.english
    else:
        assert node.phrase.noun.place is not None
        words = ("to",) if direction else (node.phrase.noun.place.english,)
    return [*((word, ((id(node), "in"),)) for word in words), *_write_phrase(node.phrase)]


def _write_predicate(node: Predicate) -> list[Token]:
    degree: list[Token] = [(node.degree.english, ((id(node), "degree"),))] if node.degree else []
    return [*degree, (node.adjective.english, ((id(node), "adjective"),))]


def _write_clause(node: Clause) -> list[Token]:
    key = id(node)
    tokens: list[Token] = []
    if isinstance(node.front, Subordinate):
        tokens += [*_write_subordinate(node.front), COMMA]
    elif node.front:
        tokens += _write_time(node.front, node)
    if node.subject:
        tokens += _write_nominal(node.subject, nominative=True)
    if node.tense:
        tokens += _write_verb(node, node.tense)
    else:
        tokens += [("to", ((key, "to"),)), (node.verb.base, ((key, "verb"),))]
    tokens += [(word, ((key, "verb"),)) for word in node.verb.particle]
    if node.verb.preposition:  # its English side is the particle, or the verb itself
        tokens[-1] = (tokens[-1][0], ((key, "marker"),) if node.verb.particle else (*tokens[-1][1], (key, "marker")))
    for i, each in enumerate(node.objects):
        if i == 1 and not isinstance(each, Gap):
            tokens.append((node.verb.second[0] if node.verb.second else "to", ((key, "second"),)))
        tokens += _write_nominal(each)
    if node.predicate:
        tokens += _write_predicate(node.predicate)
    if node.manner:
        tokens.append((node.manner.english, ((key, "manner"),)))
    if node.company:
        tokens += [("together", ((key, "together"),)), ("with", ((key, "with"),)), *_write_nominal(node.company)]
    if node.spot:
        tokens += _write_spot(node.spot, node.verb.frame.spot == "towards")
    if node.time:
        tokens += _write_time(node.time, node)
    if node.complement:
        if node.complement.tense:
            tokens.append((node.verb.frame.complement, ((key, "complementizer"),)))
        tokens += _write_clause(node.complement)
    if node.tail:
        tokens += _write_subordinate(node.tail)
    return tokens


def _write_subordinate(node: Subordinate) -> list[Token]:
    return [*((word, ((id(node), "conjunction"),)) for word in node.conjunction.english), *_write_clause(node.clause)]
