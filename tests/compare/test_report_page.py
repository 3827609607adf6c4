"""The report's page: whole, readable, safe, and a curve that shows what the figures are."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest

from seq2attn.compare.report.excerpts import choose_lines, mark_differences
from seq2attn.compare.report.page import render_html, render_markdown, render_svg
from seq2attn.compare.report.results import Comparison, Excerpt, to_json
from seq2attn.compare.report.svg import Chart, lay_out, spread
from seq2attn.compare.report.verdict import write_headline
from tests.figures import CLIFF, FALLING, FLAT, comparison, run, system

# ---- the page


class Reader(HTMLParser):
    """Collects tags, texts and what the page would fetch."""

    VOID = frozenset({"meta", "br", "link", "img"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.open += [] if tag in self.VOID else [tag]
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.fetched += [value or "" for name, value in attrs if name in ("src", "href", "srcset")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    return reader


def test_page_stands_alone() -> None:
    reader = read(render_html(CLIFF))
    assert reader.fetched == []
    assert "script" not in reader.tags
    assert "link" not in reader.tags
    assert len(reader.ids) == len(set(reader.ids))
    assert not re.search(r"url\(|@import", render_html(CLIFF))


def test_page_opens_with_the_verdict_then_curve_then_tables() -> None:
    page = render_html(CLIFF)
    marks = ("<h1>Without attention", '<svg class="curve', "<table", '<dl class="methods')
    assert sorted(marks, key=page.index) == list(marks)
    markdown = render_markdown(CLIFF)
    marks = ("# Without attention", "## BLEU by source length", "## The systems")
    assert sorted(marks, key=markdown.index) == list(marks)


def test_text_of_translations_cannot_become_markup() -> None:
    excerpt = Excerpt(7, "a <b> & c", "<script>alert(1)</script> ja", {"lstm": "<img src=x> ja", "bahdanau": ""})
    dangerous = replace(CLIFF, excerpts=(excerpt,), test=replace(CLIFF.test, name="<i>x</i>"))
    page = render_html(dangerous)
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;i&gt;x&lt;/i&gt;" in page
    assert "(nothing)" in page


def test_words_that_differ_from_the_reference_are_marked() -> None:
    marked = [
        (fragment.text, fragment.differs)
        for fragment in mark_differences("der alte Mann geht", "der alte Hund geht heute")
    ]
    assert marked == [("der alte", False), ("Mann", True), ("geht", False)]
    marked = [(fragment.text, fragment.differs) for fragment in mark_differences("我的书", "他的书")]
    assert marked == [("我", True), ("的书", False)]


def test_examples_are_chosen_by_length_alone() -> None:
    sources = ["w " * length for length in (5, 1, 9, 3, 7, 2, 8, 4, 6, 0)]
    assert [len(sources[i].split()) for i in choose_lines(sources)] == [4, 5, 8, 9]
    assert choose_lines(["one"]) == [0]
    assert choose_lines([" "]) == []


def test_a_report_that_still_grows_says_what_is_missing() -> None:
    partial = replace(CLIFF, systems=CLIFF.systems[:1], significance=(), pending=("bahdanau",))
    read(render_html(partial))
    assert "Still to come: bahdanau." in render_markdown(partial)
    assert to_json(partial)["significance"] == []


def test_a_report_without_the_baseline_yet_can_be_written() -> None:
    partial = replace(CLIFF, systems=CLIFF.systems[1:], significance=(), pending=("lstm",))
    read(render_html(partial))
    assert write_headline(partial).startswith("With Bahdanau attention BLEU is 99")


# ---- the chart


def lay_out_chart(figures: Comparison) -> Chart:
    chart = lay_out(figures, width=760.0, height=400.0, characters=20, values=True)
    assert chart is not None
    return chart


def test_labels_of_lines_that_end_together_do_not_overlap() -> None:
    systems = [system(f"s{i}", run(tuple(b + i / 10 for b in FLAT)), decoder="luong") for i in range(5)]
    chart = lay_out_chart(comparison(*systems))
    positions = sorted(series.label_y for series in chart.series)
    assert all(above - below >= 16.9 for below, above in pairwise(positions))
    assert chart.top <= positions[0]
    assert positions[-1] <= chart.bottom


def test_spread_moves_only_what_collides() -> None:
    assert spread([10.0, 100.0, 12.0], gap=10.0, low=0.0, high=200.0) == [6.0, 100.0, 16.0]
    assert spread([0.0, 1.0], gap=10.0, low=0.0, high=200.0) == [0.0, 10.0]
    assert spread([199.0, 200.0], gap=10.0, low=0.0, high=200.0) == [190.0, 200.0]


def test_small_buckets_are_hollow_and_their_lines_dashed() -> None:
    counts = (420, 538, 40, 2, 0, 0)
    chart = lay_out_chart(comparison(system("lstm", run((40.0, 39.0, 38.0, 30.0, None, None), counts=counts))))
    series = chart.series[0]
    assert [point.hollow for point in series.points] == [False, False, False, True]
    assert [stroke.dashed for stroke in series.strokes] == [False, False, True]
    assert [(tick.text, tick.note) for tick in chart.x_ticks][-1] == ("31–40", "2")
    assert chart.y_ticks[-1].text == "40"


def test_seeds_give_whiskers() -> None:
    two_seeds = comparison(system("lstm", run(FALLING, seed=1), run(FLAT, seed=2)))
    assert all(point.high < point.y < point.low for point in lay_out_chart(two_seeds).series[0].points)
    assert len(find_all(read_svg(two_seeds), "line", "whisker")) == 6


# ---- the chart as a file


def read_svg(comparison: Comparison) -> Element:
    text = render_svg(comparison)
    assert text is not None
    return ElementTree.fromstring(text)


def find_all(drawing: Element, tag: str, kind: str) -> list[Element]:
    """The elements with that tag and, among others, that class."""
    elements = drawing.iter(f"{{http://www.w3.org/2000/svg}}{tag}")
    return [element for element in elements if kind in (element.get("class") or "").split()]


def test_the_picture_has_a_line_and_a_label_for_each_system() -> None:
    drawing = read_svg(CLIFF)
    assert [label.text for label in find_all(drawing, "text", "label")] == ["lstm 32", "bahdanau 96"]
    assert len(find_all(drawing, "line", "line")) == 2 * 5
    assert [tick.text for tick in find_all(drawing, "text", "tick")][-6:] == [
        "1–10", "11–20", "21–30", "31–40", "41–50", "51+"
    ]  # fmt: skip


def test_the_points_of_the_picture_lie_at_their_bleu() -> None:
    drawing = read_svg(CLIFF)
    zero, *_, hundred = (float(line.get("y1", "")) for line in drawing.iter() if line.get("class") in ("axis", "grid"))
    markers = [marker.get("transform", "") for marker in find_all(drawing, "path", "marker")]
    heights = [float(text.partition(",")[2].rstrip(")")) for text in markers]
    bleus = [100 * (zero - height) / (zero - hundred) for height in heights]
    assert bleus == pytest.approx([*FALLING, *FLAT], abs=0.1)


def test_a_band_reaches_from_the_lower_to_the_upper_end_of_each_interval() -> None:
    drawing = read_svg(CLIFF)
    zero, *_, hundred = (float(line.get("y1", "")) for line in drawing.iter() if line.get("class") in ("axis", "grid"))
    for band, bleus in zip(find_all(drawing, "polygon", "band"), (FALLING, FLAT), strict=True):
        heights = [float(point.split(",")[1]) for point in band.get("points", "").split()]
        found = [100 * (zero - height) / (zero - hundred) for height in heights]
        assert found == pytest.approx([*(b + 1 for b in bleus), *(b - 2 for b in reversed(bleus))], abs=0.1)


def test_the_axis_of_the_scores_has_a_name() -> None:
    assert "BLEU" in [note.text for note in find_all(read_svg(CLIFF), "text", "note")]


def test_many_systems_differ_in_color_or_marker() -> None:
    drawing = read_svg(comparison(*(system(f"s{number}", run(FLAT)) for number in range(30))))
    looks = {
        (group.get("class"), next(iter(find_all(group, "path", "marker"))).get("d"))
        for group in drawing.iter("{http://www.w3.org/2000/svg}g")
    }
    assert len(looks) == 30


def test_the_picture_stands_alone_on_white() -> None:
    drawing = read_svg(CLIFF)
    style = next(drawing.iter("{http://www.w3.org/2000/svg}style")).text or ""
    assert "var(" not in style
    assert ".paper { fill: #ffffff; }" in style
    assert len(find_all(drawing, "rect", "paper")) == 1
    assert (drawing.get("width"), drawing.get("height")) == ("760", "400")


def test_there_is_no_picture_of_nothing() -> None:
    assert render_svg(replace(CLIFF, systems=(), significance=())) is None
