"""The report as one self-contained HTML page, as Markdown, and its chart alone, from the templates beside this file."""

import re

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from seq2attn.compare.report.excerpts import mark_differences
from seq2attn.compare.report.methods import describe_methods
from seq2attn.compare.report.results import Comparison
from seq2attn.compare.report.svg import COLORS, MARKERS, Chart, lay_out
from seq2attn.compare.report.tables import make_length_table, make_systems_table
from seq2attn.compare.report.verdict import list_caveats, list_remarks, write_headline
from seq2attn.evaluation.by_length import count_length
from seq2attn.palette import DARK, LIGHT, PRINT
from seq2attn.tables import markdown_table


def render_html(comparison: Comparison) -> str:
    """One page that needs no other file and no script."""
    return _make_environment(autoescape=True).get_template("page.html.j2").render(_make_content(comparison))


def render_markdown(comparison: Comparison) -> str:
    """The same content in Markdown that reads well as plain text."""
    return _make_environment(autoescape=False).get_template("page.md.j2").render(_make_content(comparison))


def render_svg(comparison: Comparison) -> str | None:
    """The chart of BLEU by source length as an SVG file of its own, on white; None while there is nothing to draw."""
    chart = _lay_out_wide(comparison)
    if chart is None:
        return None
    environment = _make_environment(autoescape=True)
    styles = environment.get_template("curve.css").render()
    fixed = re.sub(r"var\(--(\w+)\)", lambda name: LIGHT[name[1]], styles)  # not all programs that draw know variables
    template = environment.get_template("curve.svg.j2")
    drawing: str = template.module.draw("wide", chart, comparison, styles=Markup(fixed))  # type: ignore[attr-defined]
    return drawing.strip() + "\n"


def _make_environment(*, autoescape: bool) -> Environment:
    environment = Environment(
        loader=PackageLoader("seq2attn.compare.report"),
        autoescape=autoescape,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters["markdown"] = markdown_table
    environment.filters["oneline"] = _join_lines
    return environment


def _make_content(comparison: Comparison) -> dict[str, object]:
    return {
        "comparison": comparison,
        "headline": write_headline(comparison),
        "remarks": list_remarks(comparison),
        "caveats": list_caveats(comparison),
        "charts": _lay_out_charts(comparison),
        "systems_table": make_systems_table(comparison),
        "length_table": make_length_table(comparison),
        "mark_differences": mark_differences,
        "count_length": count_length,
        "methods": describe_methods(comparison),
        "markers": MARKERS,
        "colors": COLORS,
        "light": LIGHT,
        "dark": DARK,
        "paper": PRINT,
    }


def _lay_out_wide(comparison: Comparison) -> Chart | None:
    return lay_out(comparison, width=760.0, height=400.0, characters=22, values=True)


def _lay_out_charts(comparison: Comparison) -> list[tuple[str, Chart]]:
    """The chart for wide screens and paper, and one for phones, with short names."""
    charts = (
        ("wide", _lay_out_wide(comparison)),
        ("narrow", lay_out(comparison, width=390.0, height=380.0, characters=11, values=False)),
    )
    return [(kind, chart) for kind, chart in charts if chart is not None]


def _join_lines(text: str) -> str:
    """Text that cannot end a Markdown table cell or line."""
    return " ".join(text.split())
