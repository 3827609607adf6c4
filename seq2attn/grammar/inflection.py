"""German endings: determiners, adjectives, relative pronouns, contractions and finite verbs."""

from seq2attn.grammar.entries import Determiner, Tense, Verb

# by gender and plural: nominative, accusative, dative, genitive
DEFINITE = {
    "m": ("der", "den", "dem", "des"),
    "f": ("die", "die", "der", "der"),
    "n": ("das", "das", "dem", "des"),
    "p": ("die", "die", "den", "der"),
}
RELATIVE = {
    "m": ("der", "den", "dem", "dessen"),
    "f": ("die", "die", "der", "deren"),
    "n": ("das", "das", "dem", "dessen"),
    "p": ("die", "die", "denen", "deren"),
}
_DIES = {
    "m": ("er", "en", "em", "es"),
    "f": ("e", "e", "er", "er"),
    "n": ("es", "es", "em", "es"),
    "p": ("e", "e", "en", "er"),
}
_EIN = {**_DIES, "m": ("", "en", "em", "es"), "n": ("", "", "em", "es")}
_WEAK = {"m": ("e", "en", "en", "en"), "f": ("e", "e", "en", "en"), "n": ("e", "e", "en", "en"), "p": ("en",) * 4}
_ADJECTIVE = {
    "weak": _WEAK,
    "mixed": {**_WEAK, "m": ("er", "en", "en", "en"), "n": ("es", "es", "en", "en")},
    "strong": {**_DIES, "m": ("er", "en", "em", "en"), "n": ("es", "es", "em", "en")},
}
CONTRACTED = {
    ("in", "dem"): "im", ("in", "das"): "ins", ("an", "dem"): "am", ("an", "das"): "ans", ("von", "dem"): "vom",
    ("zu", "dem"): "zum", ("zu", "der"): "zur",
}  # fmt: skip
_SEIN = {"finite": ("bin", "ist", "sind"), "past": ("war", "war", "waren")}
_HABEN = {"finite": ("habe", "hat", "haben"), "past": ("hatte", "hatte", "hatten")}


def inflect_determiner(entry: Determiner, slot: str, case: int) -> str:
    """The inflected determiner for a gender or the plural; "" for none."""
    if entry.german == "der":
        return DEFINITE[slot][case]
    if entry.adjective == "number" or not entry.german:
        return entry.german
    return entry.german + (_EIN if entry.adjective == "mixed" else _DIES)[slot][case]


def adjective_ending(declension: str, slot: str, case: int) -> str:
    """weak after der, mixed after ein, strong after numbers and without a determiner."""
    return _ADJECTIVE["strong" if declension == "number" else declension][slot][case]


def _first_person(infinitive: str) -> str:
    if infinitive.endswith("eln"):
        return infinitive[:-3] + "le"
    return infinitive[:-1] + "e" if infinitive.endswith("ern") else infinitive[:-2] + "e"


def inflect_finite(verb: Verb, form: str, person: str) -> str:
    """The finite form without its separable prefix; form is finite (present) or past, person ich, er or sie."""
    number = ("ich", "er", "sie").index(person)
    if verb.infinitive == "sein":
        return _SEIN[form][number]
    if form == "past":
        plural = verb.german_past + ("n" if verb.german_past.endswith("e") else "en")
        return plural if person == "sie" else verb.german_past
    if verb.infinitive == "wissen" and person == "ich":
        return verb.german
    return (_first_person(verb.infinitive), verb.german, verb.infinitive)[number]


def inflect_verb_group(verb: Verb, tense: Tense, person: str) -> tuple[str, tuple[str, ...], bool]:
    """(finite word, the non-finite words of the verb in final order, whether the finite word is the verb itself)."""
    if tense.german_form in {"finite", "past"}:
        return inflect_finite(verb, tense.german_form, person), (), True
    number = ("ich", "er", "sie").index(person)
    if tense.german_form == "infinitive":
        return tense.german[number], (verb.prefix + verb.infinitive,), False
    auxiliary = _SEIN if verb.auxiliary == "sein" else _HABEN
    return auxiliary["finite" if tense.german_form == "perfect" else "past"][number], (verb.german_participle,), False
