"""Cutting lines that are too long, at the ends of sentences where possible."""

import re
from collections.abc import Callable

# The end of a sentence: its punctuation, closing quotes and brackets, and a space unless the script has none
# (possessive, and never from the middle of dots: the time is linear in the text whatever it is).
_SENTENCE = re.compile(r"(?<![.!?…;:؟۔।])[.!?…;:؟۔।]++[\"'”’»)\]]*+\s++|[。！？；]++[”’」』）]*+\s*+")
_SPACE = re.compile(r"\s+")


def split(text: str, fits: Callable[[str], bool]) -> list[str]:
    """Parts of `text` that fit: halved at sentence ends, else at spaces, else anywhere; a part of one character stays."""
    text = text.strip()
    if len(text) < 2 or fits(text):
        return [text] if text else []
    cut = _cut(text)
    return [*split(text[:cut], fits), *split(text[cut:], fits)]


def _cut(text: str) -> int:
    """The index to cut at: the boundary nearest to the middle. The text has no spaces at its ends."""
    middle = len(text) // 2
    for boundary in (_SENTENCE, _SPACE):
        places = [match.end() for match in boundary.finditer(text) if match.end() < len(text)]
        if places:
            return min(places, key=lambda place: abs(place - middle))
    return middle
