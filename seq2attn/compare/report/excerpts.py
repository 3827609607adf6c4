"""Test sentences shown with all their translations, chosen by length alone, and the words that differ from the reference."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from seq2attn.compare.report.results import Excerpt
from seq2attn.data.files import is_blank
from seq2attn.evaluation.by_length import Unit, count_length


@dataclass(frozen=True)
class Fragment:
    """A piece of a translation; `differs` if the reference has other words in its place."""

    text: str
    differs: bool


def mark_differences(translation: str, reference: str) -> list[Fragment]:
    """The translation in fragments of words that differ from the reference or not; of characters, if it has no spaces."""
    space = " " if " " in reference.strip() else ""
    ours, theirs = (line.split() if space else list(line.strip()) for line in (translation, reference))
    matcher = difflib.SequenceMatcher(a=theirs, b=ours, autojunk=False)
    return [
        Fragment(space.join(ours[start:end]), differs=operation != "equal")
        for operation, _, _, start, end in matcher.get_opcodes()
        if end > start
    ]


def choose_lines(sources: Sequence[str], count: int = 2, unit: Unit = "words") -> list[int]:
    """The indices of the `count` sentences nearest to the median length and of the `count` longest, in `unit`.

    Sorted by length, then by their order in the test set. No translation is looked at, so none is picked to please.
    """
    order = sorted(
        (i for i, line in enumerate(sources) if not is_blank(line)), key=lambda i: (count_length(sources[i], unit), i)
    )
    first = max(0, (len(order) - count) // 2)
    return list(dict.fromkeys([*order[first : first + count], *order[-count:]]))


def take_excerpts(
    sources: Sequence[str],
    references: Sequence[str],
    translations: Mapping[str, Sequence[str]],
    unit: Unit = "words",
) -> tuple[Excerpt, ...]:
    """The chosen sentences with the translation of each system; `translations` are those of the test set, by system."""
    return tuple(
        Excerpt(
            line=index + 1,
            source=sources[index],
            reference=references[index],
            translations={name: lines[index] for name, lines in translations.items()},
        )
        for index in choose_lines(sources, unit=unit)
    )
