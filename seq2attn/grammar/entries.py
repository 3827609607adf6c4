"""What the lexicon holds: entries with their inflected forms, the same objects wherever they are used."""

from dataclasses import dataclass

from seq2attn.grammar.frames import Frame

NOMINATIVE, ACCUSATIVE, DATIVE, GENITIVE = 0, 1, 2, 3


@dataclass(frozen=True, eq=False)
class Place:
    """How English and German say "at" (always dative) and "to" a noun."""

    english: str
    german: str
    towards: str
    case: int


@dataclass(frozen=True, eq=False)
class Noun:
    """`forms[number][case]` are the German forms; `classes` hold its own class, the groups over it and itself."""

    english: str
    plural: str
    forms: tuple[tuple[str, ...], tuple[str, ...]]
    gender: str
    classes: frozenset[str]
    rank: int
    place: Place | None

    @property
    def proper(self) -> bool:
        """Names and towns take no determiner."""
        return bool(self.classes & {"name", "town"})

    @property
    def mass(self) -> bool:
        """Bread and milk have neither plural nor "a"."""
        return bool(self.classes & {"staple", "drink"})


@dataclass(frozen=True, eq=False)
class Verb:
    """A verb with its frame and the classes of nouns that may stand with it."""

    base: str
    particle: tuple[str, ...]
    third: str
    past: str
    participle: str
    infinitive: str
    prefix: str
    reflexive: bool
    german: str
    german_past: str
    german_participle: str
    auxiliary: str
    frame: Frame
    subjects: frozenset[str]
    objects: frozenset[str]
    preposition: str
    case: int
    second: tuple[str, frozenset[str], str, int] | None
    manners: frozenset[str]
    intended: bool


@dataclass(frozen=True, eq=False)
class Determiner:
    """English and German stems by number ("" where there is none) and the adjective declension that follows."""

    english: tuple[str, str]
    german: str
    adjective: str
    definite: bool
    weight: float


@dataclass(frozen=True, eq=False)
class Pronoun:
    """A personal pronoun; `german` is nominative, accusative, dative; `agreement` is the person of its verb."""

    plural: bool
    english: str
    object: str
    german: tuple[str, str, str]
    reflexive: str
    agreement: str


@dataclass(frozen=True, eq=False)
class Adjective:
    """`german` is the predicative form, `stem` takes the endings; rank 2 (color, nation) stands after rank 1."""

    rank: int
    english: str
    german: str
    stem: str
    classes: frozenset[str]


@dataclass(frozen=True, eq=False)
class Adverb:
    """An adverb of one word: `group` is frequency, degree, or a group of manners that verbs name."""

    group: str
    english: str
    german: str


@dataclass(frozen=True, eq=False)
class TimePhrase:
    """A fixed phrase; `links` align its words; `tenses` are the times it goes with."""

    english: tuple[str, ...]
    german: tuple[str, ...]
    links: tuple[tuple[int, int], ...]
    tenses: frozenset[str]


@dataclass(frozen=True, eq=False)
class Tense:
    """`english[negated][plural]` are the words before the verb's `form`; `german` the finite ich, er, wir."""

    name: str
    time: str
    english: tuple[tuple[tuple[str, ...], ...], ...]
    form: str
    german: tuple[str, str, str]
    german_form: str


@dataclass(frozen=True, eq=False)
class Conjunction:
    """A subordinator with its German words for present and past, and the tenses that follow it."""

    english: tuple[str, ...]
    german: tuple[str, str]
    infinitive: bool
    tenses: tuple[frozenset[str], frozenset[str]]


@dataclass(frozen=True, eq=False)
class Preposition:
    """A preposition of place or of an attribute: `pairs` are the allowed (head class, dependent classes)."""

    use: str
    english: tuple[str, ...]
    german: tuple[str, ...]
    case: int
    pairs: tuple[tuple[str, frozenset[str]], ...]


@dataclass(frozen=True, eq=False)
class Lexicon:
    """All entries, in order of frequency."""

    nouns: tuple[Noun, ...]
    verbs: tuple[Verb, ...]
    determiners: tuple[Determiner, ...]
    pronouns: tuple[Pronoun, ...]
    adjectives: tuple[Adjective, ...]
    adverbs: tuple[Adverb, ...]
    times: tuple[TimePhrase, ...]
    tenses: tuple[Tense, ...]
    conjunctions: tuple[Conjunction, ...]
    prepositions: tuple[Preposition, ...]
