"""Tables of figures as text, for a terminal and for Markdown, and how figures are written."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A header and rows of as many cells; the first column holds names, the others figures."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def text_table(table: Table) -> str:
    """Aligned columns for a terminal."""
    return "\n".join("  ".join(cells).rstrip() for cells in _aligned(table.header, *table.rows))


def markdown_table(table: Table) -> str:
    """Aligned columns that read well as they are, and as a table where Markdown is rendered."""
    header, *rows = _aligned(*([_escaped(cell) for cell in cells] for cells in (table.header, *table.rows)))
    rule = [("-" * len(cell) if place == 0 else "-" * (len(cell) - 1) + ":") for place, cell in enumerate(header)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (header, rule, *rows))


def _aligned(*rows: Sequence[str]) -> list[list[str]]:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        for row in rows
    ]


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|")


def format_duration(seconds: float) -> str:
    """Seconds as people say them: 45 s, 2.4 min, 1.5 h."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"


def format_signed(difference: float) -> str:
    """A difference with its sign: +46.9, −0.3."""
    return f"{difference:+.1f}".replace("-", "−")
