"""What a verb takes besides its subject: objects, a predicate, a place, a clause."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Frame:
    """The complements of a verb; `name` is what verbs.tsv calls them.

    `objects`: how many noun phrases. `predicate`: an adjective. `spot`: a place where something is, or one towards which
    it goes. `complement`: a clause opened by "that" or "whether", or an infinitive.
    """

    name: str
    objects: int = 0
    predicate: bool = False
    spot: Literal["", "place", "towards"] = ""
    complement: Literal["", "that", "whether", "infinitive"] = ""


PLAIN = Frame("plain")
OBJECT = Frame("object", objects=1)
RECIPIENT = Frame("recipient", objects=2)  # the second in the dative, with "to" in English
SECOND = Frame("second", objects=2)  # the second with a preposition
ADJECTIVE = Frame("adjective", predicate=True)
PLACE = Frame("place", spot="place")
TOWARDS = Frame("towards", spot="towards")
THAT = Frame("that", complement="that")
WHETHER = Frame("whether", complement="whether")
INFINITIVE = Frame("infinitive", complement="infinitive")
OBJECT_THAT = Frame("object that", objects=1, complement="that")
OBJECT_WHETHER = Frame("object whether", objects=1, complement="whether")
OBJECT_INFINITIVE = Frame("object infinitive", objects=1, complement="infinitive")

FRAMES = {
    frame.name: frame
    for frame in (
        *(PLAIN, OBJECT, RECIPIENT, SECOND, ADJECTIVE, PLACE, TOWARDS),
        *(THAT, WHETHER, INFINITIVE, OBJECT_THAT, OBJECT_WHETHER, OBJECT_INFINITIVE),
    )
}
