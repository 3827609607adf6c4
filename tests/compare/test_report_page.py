"""The report's page: whole, readable, safe, and a curve that shows what the figures are."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

from seq2attn.compare.report.page import choose_examples, spans, to_html, to_markdown
from seq2attn.compare.report.results import Example, to_json
from seq2attn.compare.report.svg import curve, spread
from seq2attn.compare.report.verdict import headline
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
    reader = read(to_html(CLIFF))
    assert reader.fetched == []
    assert "script" not in reader.tags
    assert "link" not in reader.tags
    assert len(reader.ids) == len(set(reader.ids))
    assert not re.search(r"url\(|@import", to_html(CLIFF))


def test_page_opens_with_the_verdict_then_curve_then_tables() -> None:
    page = to_html(CLIFF)
    places = [
        page.index(mark) for mark in ("<h1>Without attention", '<svg class="curve', "<table", '<dl class="methods')
    ]
    assert places == sorted(places)
    markdown = to_markdown(CLIFF)
    places = [markdown.index(mark) for mark in ("# Without attention", "## BLEU by source length", "## The systems")]
    assert places == sorted(places)


def test_text_of_translations_cannot_become_markup() -> None:
    example = Example(7, "a <b> & c", "<script>alert(1)</script> ja", {"lstm": "<img src=x> ja", "bahdanau": ""})
    found = replace(CLIFF, examples=(example,), test=replace(CLIFF.test, name="<i>x</i>"))
    page = to_html(found)
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;i&gt;x&lt;/i&gt;" in page
    assert "(nothing)" in page


def test_words_that_differ_from_the_reference_are_marked() -> None:
    marked = [(span.text, span.differs) for span in spans("der alte Mann geht", "der alte Hund geht heute")]
    assert marked == [("der alte", False), ("Mann", True), ("geht", False)]
    assert [(span.text, span.differs) for span in spans("我的书", "他的书")] == [("我", True), ("的书", False)]


def test_examples_are_chosen_by_length_alone() -> None:
    sources = ["w " * length for length in (5, 1, 9, 3, 7, 2, 8, 4, 6, 0)]
    assert [len(sources[i].split()) for i in choose_examples(sources)] == [4, 5, 8, 9]
    assert choose_examples(["one"]) == [0]
    assert choose_examples([" "]) == []


def test_a_report_that_still_grows_says_what_is_missing() -> None:
    partial = replace(CLIFF, systems=CLIFF.systems[:1], significance=(), pending=("bahdanau",))
    read(to_html(partial))
    assert "Still to come: bahdanau." in to_markdown(partial)
    assert to_json(partial)["significance"] == []


def test_a_report_without_the_baseline_yet_can_be_written() -> None:
    partial = replace(CLIFF, systems=CLIFF.systems[1:], significance=(), pending=("lstm",))
    read(to_html(partial))
    assert headline(partial).startswith("With Bahdanau attention BLEU stays")


# ---- the curve


def test_labels_of_lines_that_end_together_do_not_overlap() -> None:
    systems = [system(f"s{i}", run(tuple(b + i / 10 for b in FLAT)), decoder="luong") for i in range(5)]
    drawn = curve(comparison(*systems), width=760.0, height=400.0, characters=20, values=True)
    assert drawn is not None
    places = sorted(line.label_y for line in drawn.lines)
    assert all(above - below >= 16.9 for below, above in pairwise(places))
    assert drawn.top <= places[0]
    assert places[-1] <= drawn.bottom


def test_spread_moves_only_what_collides() -> None:
    assert spread([10.0, 100.0, 12.0], gap=10.0, low=0.0, high=200.0) == [6.0, 100.0, 16.0]
    assert spread([0.0, 1.0], gap=10.0, low=0.0, high=200.0) == [0.0, 10.0]
    assert spread([199.0, 200.0], gap=10.0, low=0.0, high=200.0) == [190.0, 200.0]


def test_small_buckets_are_hollow_and_their_lines_dashed() -> None:
    counts = (420, 538, 40, 2, 0, 0)
    found = comparison(system("lstm", run((40.0, 39.0, 38.0, 30.0, None, None), counts=counts)))
    drawn = curve(found, width=760.0, height=400.0, characters=20, values=True)
    assert drawn is not None
    line = drawn.lines[0]
    assert [point.hollow for point in line.points] == [False, False, False, True]
    assert [segment.dashed for segment in line.segments] == [False, False, True]
    assert [(tick.text, tick.note) for tick in drawn.x_ticks][-1] == ("31–40", "2")
    assert drawn.y_ticks[-1].text == "40"


def test_seeds_give_whiskers() -> None:
    found = comparison(system("lstm", run(FALLING, seed=1), run(FLAT, seed=2)))
    drawn = curve(found, width=760.0, height=400.0, characters=20, values=True)
    assert drawn is not None
    assert all(point.high < point.y < point.low for point in drawn.lines[0].points)
    assert 'class="whisker"' in to_html(found)
