"""English read back into trees: recursive descent without backtracking, each phrase as long as it can be.

The generator writes nothing after a phrase that the phrase itself could go on with, so the reading is the tree that
was written.
"""

from typing import TypeVar

from seq2attn.errors import DataError
from seq2attn.grammar.english import BE_PAST, BE_PRESENT
from seq2attn.grammar.entries import Adjective, Adverb, Conjunction, Preposition, Pronoun, TimePhrase, Verb
from seq2attn.grammar.index import index_lexicon
from seq2attn.grammar.lexicon import read_lexicon
from seq2attn.grammar.tree import (
    Anaphor,
    Attribute,
    Both,
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

T = TypeVar("T")
_BE = {**dict.fromkeys(BE_PRESENT.values(), "present"), **dict.fromkeys(BE_PAST.values(), "past")}
_TENSES = {each.name: each for each in read_lexicon().tenses}
_BARE = next(each for each in read_lexicon().determiners if not each.german)


def parse(sentence: str) -> Sentence:
    """The tree of an English sentence of the grammar. Raises DataError where it is not one, naming the word."""
    return _Reader(sentence).read_sentence()


class _Reader:
    """The words of a sentence, commas apart, and how far they are read."""

    def __init__(self, sentence: str) -> None:
        self.text = sentence
        self.words = sentence.strip().removesuffix(".").replace(",", " ,").split()
        self.at = 0
        self.index = index_lexicon()
        if self.words and self.words[0].lower() in self.index.words:
            self.words[0] = self.words[0].lower()

    def peek(self, ahead: int = 0) -> str:
        place = self.at + ahead
        return self.words[place] if place < len(self.words) else ""

    def starts(self, words: tuple[str, ...]) -> bool:
        return tuple(self.words[self.at : self.at + len(words)]) == words

    def take(self, *words: str) -> bool:
        """Step over these words if they come next."""
        found = self.starts(words)
        self.at += len(words) * found
        return found

    def take_one_of(self, entries: list[tuple[tuple[str, ...], T]]) -> T | None:
        """Step over the first of these entries that comes next."""
        for words, entry in entries:
            if self.take(*words):
                return entry
        return None

    def fail(self, wanted: str) -> DataError:
        return DataError(
            f"not a sentence of the grammar: {wanted} expected at word {self.at + 1} of {self.text!r}",
            "translate() reads only sentences that the grammar writes",
        )

    def read_adverb(self, *groups: str) -> Adverb | None:
        """An adverb of these groups; of any manner, if none is named."""
        found = self.index.adverbs.get(self.peek())
        if found and (found.group in groups or (not groups and found.group not in {"frequency", "degree"})):
            self.at += 1
            return found
        return None

    def read_sentence(self) -> Sentence:
        first, second, link = self.read_main(), None, ""
        if self.take(",") and self.peek() in {"and", "but"}:
            link = self.peek()
            self.at += 1
            second = self.read_main()
        if self.at < len(self.words):
            raise self.fail("the end")
        return Sentence(first, link, second)

    def read_main(self) -> Clause:
        front: TimePhrase | Subordinate | None = self.take_one_of(self.index.times)
        conjunction = self.take_one_of(self.index.conjunctions) if front is None else None
        if conjunction:
            front = self.read_subordinate(conjunction)
            if not self.take(","):
                raise self.fail("a comma")
        return self.read_clause()._replace(front=front)

    def read_subordinate(self, conjunction: Conjunction) -> Subordinate:
        return Subordinate(conjunction, self.read_infinitive() if conjunction.infinitive else self.read_clause())

    def read_clause(self, subject: Nominal | None = None, gap: Gap | None = None, gap_index: int = 0) -> Clause:
        """A finite clause; `subject` is given by a relative pronoun, or an object or a place (index −1) is."""
        subject = subject or self.read_nominal(self.index.pronouns)
        negated, be = False, _BE.get(self.peek())
        if be:
            tense, form = _TENSES[be], ""
            self.at += 1
            negated = self.take("not")
            frequency, verb = self.read_adverb("frequency"), self.index.verbs["base", "be"][0]
        else:
            found = self.take_one_of(self.index.auxiliaries)
            frequency = self.read_adverb("frequency")
            if found:
                tense, negated = found
                form = "base" if tense.form in {"finite", "past"} else tense.form
            else:
                form = next((each for each in ("third", "base", "past") if (each, self.peek()) in self.index.verbs), "")
                tense = _TENSES["past" if form == "past" else "present"]
            verb = self.read_verb(form)
        return self.read_rest(
            make_clause(subject, tense, verb)._replace(negated=negated, frequency=frequency), gap, gap_index
        )

    def read_infinitive(self) -> Clause:
        if not self.take("to"):
            raise self.fail("to")
        return self.read_rest(make_clause(None, None, self.read_verb("base")), None, 0)

    def read_verb(self, form: str) -> Verb:
        for verb in self.index.verbs.get((form, self.peek()), []):
            if tuple(self.words[self.at + 1 : self.at + 1 + len(verb.particle)]) == verb.particle:
                self.at += 1 + len(verb.particle)
                return verb
        raise self.fail("a verb")

    def read_rest(self, node: Clause, gap: Gap | None, gap_index: int) -> Clause:
        """What follows the verb: objects, predicate, manner, company, place, time, complement, adverbial clause."""
        verb, frame = node.verb, node.verb.frame
        objects: list[Nominal] = []
        for i in range(frame.objects):
            if gap and i == gap_index:
                objects.append(gap)
                continue
            if i == 1 and not self.take(verb.second[0] if verb.second else "to"):
                raise self.fail(verb.second[0] if verb.second else "to")
            objects.append(self.read_nominal(self.index.objects))
        predicate = Predicate(self.read_adverb("degree"), self.read_adjective()) if frame.predicate else None
        manner = self.read_adverb()
        company = self.read_nominal(self.index.objects) if self.take("together", "with") else None
        spot = self.read_spot(frame.spot == "towards")
        time = self.take_one_of(self.index.times)
        complement = None
        if frame.complement == "infinitive":
            complement = self.read_infinitive()
        elif frame.complement:
            if not self.take(frame.complement):
                raise self.fail(frame.complement)
            complement = self.read_clause()
        conjunction = self.take_one_of(self.index.conjunctions)
        tail = self.read_subordinate(conjunction) if conjunction else None
        return node._replace(objects=tuple(objects), predicate=predicate, manner=manner, company=company, spot=spot,
                             time=time, complement=complement, tail=tail)  # fmt: skip

    def read_spot(self, direction: bool) -> Spot | None:
        """A place, if one comes next and not a time or a conjunction ("in summer", "in order")."""
        ahead = (*self.index.times, *self.index.conjunctions)
        if any(self.starts(words) for words, _ in ahead):
            return None
        found, preposition = self.read_place(("to",) if direction else ("in", "at", "on"))
        return Spot(preposition, self.read_phrase()) if found else None

    def read_place(self, own: tuple[str, ...]) -> tuple[bool, Preposition | None]:
        """Step over a preposition of place; it is None for the noun's own."""
        for words, each in self.index.prepositions:
            if each.use == "place" and self.take(*words):
                return True, each
        return self.peek() in own and self.take(self.peek()), None

    def read_adjective(self) -> Adjective:
        found = self.index.adjectives.get(self.peek())
        if found is None:
            raise self.fail("an adjective")
        self.at += 1
        return found

    def read_nominal(self, pronouns: dict[str, Pronoun]) -> Nominal:
        """A pronoun, one noun phrase or two; "her" before a noun phrase is the determiner."""
        if self.peek() in pronouns and not (self.peek() == "her" and self.goes_on(1)):
            self.at += 1
            return Anaphor(pronouns[self.words[self.at - 1]])
        left = self.read_phrase()
        return Both(left, self.read_phrase()) if self.take("and") else left

    def goes_on(self, ahead: int) -> bool:
        """Whether a noun phrase goes on: with a degree, an adjective or a noun."""
        word = self.peek(ahead)
        adverb = self.index.adverbs.get(word)
        return word in self.index.nouns or word in self.index.adjectives or bool(adverb and adverb.group == "degree")

    def read_phrase(self, owned: bool = False) -> Phrase:
        """A noun phrase; `owned` stands after "whose"."""
        word = "a" if self.peek() == "an" else self.peek()
        one, many = (self.index.determiners.get((word, plural)) for plural in (False, True))
        self.at += bool(one or many)
        degree = self.read_adverb("degree")
        adjectives = []
        while self.peek() in self.index.adjectives:
            adjectives.append(self.read_adjective())
        if self.peek() not in self.index.nouns:
            raise self.fail("a noun")
        noun, plural = self.index.nouns[self.peek()]
        self.at += 1
        bare = None if noun.proper or owned else _BARE
        determiner = (many if plural else one) or bare
        attribute = None
        for words, each in self.index.prepositions:
            if each.use == "attribute" and self.take(*words):
                attribute = Attribute(each, self.read_phrase())
        node = Phrase(determiner, plural, degree, tuple(adjectives), noun, attribute, None)
        return node._replace(relative=self.read_relative(Gap(plural)))

    def read_relative(self, gap: Gap) -> Relative | None:
        """A relative clause, if one comes next."""
        start = self.at
        if self.take("whose"):
            return Relative("possessor", self.read_clause(self.read_phrase(owned=True)), None)
        if self.take("to", "whom"):
            return Relative("recipient", self.read_clause(gap=gap, gap_index=1), None)
        found, preposition = self.read_place(("in", "at", "on"))
        if found and self.take("which"):
            return Relative("place", self.read_clause(), preposition)
        self.at = start
        if self.take("who") or (self.peek() == "which" and not self.opens(1) and self.take("which")):
            return Relative("subject", self.read_clause(gap), None)
        if self.take("whom") or self.take("which"):
            return Relative("object", self.read_clause(gap=gap), None)
        return None

    def opens(self, ahead: int) -> bool:
        """Whether a noun phrase or a subject pronoun starts there."""
        word = self.peek(ahead)
        determined = any((word, plural) in self.index.determiners for plural in (False, True)) or word == "an"
        return determined or word in self.index.pronouns or self.goes_on(ahead)
