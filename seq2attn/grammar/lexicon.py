"""The lexicon of the embedded corpus: data/grammar/*.tsv, read into entries."""

from collections.abc import Iterator
from functools import cache

from seq2attn.errors import DataError
from seq2attn.grammar.entries import (
    ACCUSATIVE,
    DATIVE,
    GENITIVE,
    NOMINATIVE,
    Adjective,
    Adverb,
    Conjunction,
    Determiner,
    Lexicon,
    Noun,
    Place,
    Preposition,
    Pronoun,
    Tense,
    TimePhrase,
    Verb,
)
from seq2attn.grammar.frames import FRAMES
from seq2attn.resources import resource

_CASES = {"nom": NOMINATIVE, "acc": ACCUSATIVE, "dat": DATIVE, "gen": GENITIVE}


def _rows(name: str) -> Iterator[list[str]]:
    """The rows of one table without its header. Raises DataError where a row has another number of columns."""
    path = resource("data/grammar") / f"{name}.tsv"
    lines = path.read_text(encoding="utf-8").splitlines()
    columns = lines[0].count("\t")
    for number, line in enumerate(lines[1:], start=2):
        if line.count("\t") != columns:
            raise DataError(f"{path}:{number}: expected {columns + 1} columns", "separate columns by one tab")
        yield line.split("\t")


def _with_s(word: str) -> str:
    if word.endswith(("s", "x", "ch", "sh", "o")) and word not in {"piano", "radio", "photo"}:
        return word + "es"
    return word[:-1] + "ies" if word.endswith("y") and word[-2] not in "aeou" else word + "s"


def _with_ed(word: str) -> str:
    if word.endswith("e"):
        return word + "d"
    return word[:-1] + "ied" if word.endswith("y") and word[-2] not in "aeou" else word + "ed"


def _nouns(groups: dict[str, set[str]]) -> Iterator[Noun]:
    places = {row[0]: Place(row[1], row[2], row[3], _CASES[row[4]]) for row in _rows("places")}
    ranks: dict[str, int] = {}
    for kind, english, plural, german, gender, many, genitive in _rows("nouns"):
        ranks[kind] = ranks.get(kind, -1) + 1
        oblique = genitive if gender == "w" else german
        dative = many if many.endswith(("n", "s")) else many + "n"
        yield Noun(
            english=english,
            plural="" if plural == "-" else plural or _with_s(english),
            forms=((german, oblique, oblique, genitive or german), (many, many, dative, many)),
            gender="m" if gender == "w" else gender,
            classes=frozenset({kind, english, *(group for group, members in groups.items() if kind in members)}),
            rank=ranks[kind],
            place=places.get(english),
        )


def _verb(row: list[str]) -> Verb:
    english, irregular, german, forms, auxiliary, frame, subjects, objects, marking, second, manners, intended = row
    base, *particle = english.split()
    past, participle = irregular.split() or [_with_ed(base)] * 2
    reflexive = german.startswith("sich ")
    prefix, _, stem = german.removeprefix("sich ").rpartition("+")
    er, imperfect, german_participle = forms.split()
    preposition, case = ("", marking) if " " not in marking else marking.split()
    extra = second.split()
    return Verb(
        base, tuple(particle), _with_s(base) if base != "be" else "is", past, participle,
        stem, prefix, reflexive, er, imperfect, german_participle, auxiliary, FRAMES[frame],
        frozenset(subjects.split(",")), frozenset(objects.split(",")), preposition, _CASES.get(case, ACCUSATIVE),
        (extra[0], frozenset(extra[1].split(",")), extra[2], _CASES[extra[3]]) if extra else None,
        frozenset(manners.split(",")), intended == "yes",
    )  # fmt: skip


def _tense(row: list[str]) -> Tense:
    name, time, one, many, negated, negated_many, form, er, ich, wir, german_form = row
    pairs = ((one, many or one), (negated, negated_many or negated))
    english = tuple(tuple(tuple(words.split()) for words in pair) for pair in pairs)
    return Tense(name, time, english, form, (ich or er, er, wir or er), german_form)


def _time(row: list[str]) -> TimePhrase:
    english, german = tuple(row[0].split()), tuple(row[1].split())
    pairs = [link.split("-") for link in row[2].split()]
    links = tuple((int(i), int(j)) for i, j in pairs) or tuple((i, i) for i in range(len(english)))
    return TimePhrase(english, german, links, frozenset(row[3].split()))


def _prepositions() -> Iterator[Preposition]:
    table: dict[tuple[str, str, str, str], list[tuple[str, frozenset[str]]]] = {}
    for use, english, german, case, head, classes in _rows("prepositions"):
        table.setdefault((use, english, german, case), []).append((head, frozenset(classes.split(","))))
    for (use, english, german, case), pairs in table.items():
        yield Preposition(use, tuple(english.split()), tuple(german.split()), _CASES[case], tuple(pairs))


@cache
def read_lexicon() -> Lexicon:
    """The shipped lexicon, read once."""
    groups = {row[0]: set(row[1].split(",")) for row in _rows("classes")}
    return Lexicon(
        nouns=tuple(_nouns(groups)),
        verbs=tuple(_verb(row) for row in _rows("verbs")),
        determiners=tuple(
            Determiner((r[0], r[1]), r[2], r[3], r[4] == "yes", float(r[5])) for r in _rows("determiners")
        ),
        pronouns=tuple(
            Pronoun(r[0] == "plural", r[1], r[2], (r[3], r[4], r[5]), r[6], r[7]) for r in _rows("pronouns")
        ),
        adjectives=tuple(
            Adjective(int(r[0]), r[1], r[2], r[3] or r[2], frozenset(r[4].split(","))) for r in _rows("adjectives")
        ),
        adverbs=tuple(Adverb(*row) for row in _rows("adverbs")),
        times=tuple(_time(row) for row in _rows("times")),
        tenses=tuple(_tense(row) for row in _rows("tenses")),
        conjunctions=tuple(
            Conjunction(tuple(r[0].split()), (r[1], r[2] or r[1]), r[3] == "infinitive",
                        (frozenset(r[4].split()), frozenset(r[5].split())))
            for r in _rows("conjunctions")
        ),
        prepositions=tuple(_prepositions()),
    )  # fmt: skip
