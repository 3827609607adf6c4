"""The report as one self-contained HTML page and as Markdown, from the templates beside this file."""

import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined

from seq2attn.compare.report.methods import methods
from seq2attn.compare.report.results import Comparison, Example
from seq2attn.compare.report.svg import COLORS, MARKERS, Curve, curve
from seq2attn.compare.report.tables import length_table, systems_table
from seq2attn.compare.report.verdict import caveats, headline, remarks
from seq2attn.tables import markdown_table


@dataclass(frozen=True)
class Span:
    """A piece of a translation; `differs` where the reference has other words."""

    text: str
    differs: bool


def to_html(comparison: Comparison) -> str:
    """One page that needs no other file and no script."""
    return _environment(autoescape=True).get_template("page.html.j2").render(_content(comparison))


def to_markdown(comparison: Comparison) -> str:
    """The same content in Markdown that reads well as plain text."""
    return _environment(autoescape=False).get_template("page.md.j2").render(_content(comparison))


def _environment(*, autoescape: bool) -> Environment:
    environment = Environment(
        loader=PackageLoader("seq2attn.compare.report"),
        autoescape=autoescape,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters["markdown"] = markdown_table
    environment.filters["oneline"] = _one_line
    return environment


def _content(comparison: Comparison) -> dict[str, object]:
    return {
        "comparison": comparison,
        "headline": headline(comparison),
        "remarks": remarks(comparison),
        "caveats": caveats(comparison),
        "curves": _curves(comparison),
        "systems_table": systems_table(comparison),
        "length_table": length_table(comparison),
        "spans": spans,
        "methods": methods(comparison),
        "markers": MARKERS,
        "colors": COLORS,
    }


def _curves(comparison: Comparison) -> list[tuple[str, Curve]]:
    """The drawing for wide screens and paper, and one with room for fingers and short names."""
    drawn = (
        ("wide", curve(comparison, width=760.0, height=400.0, characters=22, values=True)),
        ("narrow", curve(comparison, width=390.0, height=380.0, characters=11, values=False)),
    )
    return [(kind, drawing) for kind, drawing in drawn if drawing is not None]


def spans(translation: str, reference: str) -> list[Span]:
    """The translation in pieces, those marked whose words differ from the reference's; in characters without spaces."""
    space = " " if " " in reference.strip() else ""
    ours, theirs = (line.split() if space else list(line.strip()) for line in (translation, reference))
    matcher = difflib.SequenceMatcher(a=theirs, b=ours, autojunk=False)
    return [
        Span(space.join(ours[start:end]), differs=operation != "equal")
        for operation, _, _, start, end in matcher.get_opcodes()
        if end > start
    ]


def choose_examples(sources: Sequence[str], count: int = 2) -> list[int]:
    """The `count` sentences nearest to the median length and the `count` longest, by words of the source alone.

    Sorted by length, then by place in the test set; no translation is looked at, so nothing is picked to please.
    """
    order = sorted((i for i, line in enumerate(sources) if line.strip()), key=lambda i: (len(sources[i].split()), i))
    middle = math.floor(len(order) / 2 - count / 2)
    return list(dict.fromkeys([*order[max(0, middle) : max(0, middle) + count], *order[-count:]]))


def examples_of(
    sources: Sequence[str], references: Sequence[str], translations: dict[str, Sequence[str]]
) -> tuple[Example, ...]:
    """The chosen sentences with what each system (by name) made of them."""
    return tuple(
        Example(
            line=index + 1,
            source=sources[index],
            reference=references[index],
            translations={name: lines[index] for name, lines in translations.items()},
        )
        for index in choose_examples(sources)
    )


def _one_line(text: str) -> str:
    """Text that cannot end a Markdown table cell or line."""
    return " ".join(text.split())
