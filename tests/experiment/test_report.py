"""The report says what the numbers say, and nothing else: made-up figures in, page, Markdown and JSON out."""

import random
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.significance import PairedTest

from seq2attn.evaluation.by_length import Bucket
from seq2attn.experiment.report.novelty import novelty
from seq2attn.experiment.report.page import choose_examples, spans, to_html, to_markdown
from seq2attn.experiment.report.results import (
    Comparison,
    Example,
    Novelty,
    RunResult,
    Significance,
    SystemResult,
    TestSet,
    to_json,
)
from seq2attn.experiment.report.significance import largest_p, paired_bootstrap
from seq2attn.experiment.report.svg import curve, spread
from seq2attn.experiment.report.tables import duration, systems_table, terminal_text, text_table
from seq2attn.experiment.report.verdict import caveats, headline, remarks

ENDS = ((1, 10), (11, 20), (21, 30), (31, 40), (41, 50), (51, None))
FULL = (200,) * 6
FALLING = (86.0, 69.0, 46.0, 37.0, 33.0, 32.0)
FLAT = (99.0, 98.5, 98.0, 97.5, 97.0, 96.2)


def run(bleus: tuple[float | None, ...], *, seed: int = 1, counts: tuple[int, ...] = FULL) -> RunResult:
    known = [(bleu, count) for bleu, count in zip(bleus, counts, strict=True) if bleu is not None]
    return RunResult(
        seed=seed,
        bleu=sum(bleu * count for bleu, count in known) / sum(count for _, count in known),
        chrf=61.5,
        signature="nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0",
        chrf_signature="nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:2.6.0",
        by_length=tuple(
            Bucket(low, high, count, bleu) for (low, high), count, bleu in zip(ENDS, counts, bleus, strict=True)
        ),
        updates=1300,
        train_seconds=144.0,
        target_tokens_per_second=4213.0,
    )


def system(name: str, *runs: RunResult, decoder: str | None = None, parameters: int = 1_000_000) -> SystemResult:
    return SystemResult(name, f"configs/{name}.yaml", decoder or name, parameters, runs, device="a processor (cpu)")


def comparison(*systems: SystemResult, synthetic: bool = False, p_value: float | None = 0.0001) -> Comparison:
    found = Novelty(4, 1000, 250, 1200, 300) if synthetic else None
    first, *others = systems
    return Comparison(
        test=TestSet("flickr", 1200, synthetic, "en", "de", found),
        systems=systems,
        baseline=first.name,
        significance=tuple(Significance(first.name, s.name, s.bleu - first.bleu, p_value) for s in others),
        command="seq2attn compare",
        version="0.1.0",
    )


CLIFF = comparison(system("lstm", run(FALLING)), system("bahdanau", run(FLAT)))


# ---- the verdict


def test_headline_tells_the_fall_and_what_attention_makes_of_it() -> None:
    assert headline(CLIFF) == (
        "Without attention BLEU falls from 86 on the shortest sentences to 32 on the longest; "
        "with Bahdanau attention it stays within 3 of its best (99) at every length."
    )


def test_headline_claims_no_fall_where_there_is_none() -> None:
    text = headline(comparison(system("lstm", run(FLAT)), system("luong", run(FALLING))))
    assert text.startswith(
        "Without attention BLEU stays within 3 of its best (99) at every length; with Luong attention"
    )
    assert text.endswith("it falls from 86 on the shortest sentences to 32 on the longest.")


def test_headline_names_a_fall_that_begins_later() -> None:
    text = headline(comparison(system("lstm", run((40.0, 60.0, 50.0, 45.0, 44.0, 41.0)))))
    assert text == "Without attention BLEU falls from 60 on sentences of 11–20 words to 41 on the longest."


def test_headline_does_not_hide_a_dip_in_the_middle() -> None:
    text = headline(comparison(system("lstm", run((90.0, 88.0, 60.0, 70.0, 80.0, 85.0)))))
    assert text == "Without attention BLEU is lowest (60) on sentences of 21–30 words and 85 on the longest."


def test_buckets_of_few_sentences_do_not_make_headlines() -> None:
    counts = (420, 538, 40, 2, 0, 0)
    bleus = (40.0, 39.0, 38.0, 3.0, None, None)
    found = comparison(system("lstm", run(bleus, counts=counts)))
    assert headline(found) == "Without attention BLEU stays within 2 of its best (40) at every length."
    assert any("31–40 words (2)" in caveat for caveat in caveats(found))


def test_without_lengths_the_headline_is_about_the_whole() -> None:
    counts, bleus = (500, 5, 0, 0, 0, 0), (30.0, 20.0, None, None, None, None)
    found = comparison(system("lstm", run(bleus, counts=counts)), system("luong", run(bleus, counts=counts)))
    assert headline(found) == "Without attention BLEU is 29.9, with Luong attention 29.9."


def test_systems_that_share_a_decoder_are_called_by_their_names() -> None:
    found = comparison(system("dot", run(FLAT), decoder="luong"), system("general", run(FLAT), decoder="luong"))
    assert headline(found).startswith("With “dot” BLEU")


@pytest.mark.parametrize(
    ("p_value", "words"),
    [
        (0.0001, "(+1.5, p ≤ 0.0001)"),
        (0.0046, "(+1.5, p = 0.0046)"),
        (0.3, "(+1.5, p = 0.30: may be chance)"),
        (None, "(+1.5, not tested: no seed in common)"),
    ],
)
def test_differences_come_with_p(p_value: float | None, words: str) -> None:
    better = system("bahdanau", run(tuple(bleu + 1.5 for bleu in FALLING)))
    assert words in remarks(comparison(system("lstm", run(FALLING)), better, p_value=p_value))[0]


def test_a_loss_to_the_baseline_is_told_as_one() -> None:
    assert "(−47.2, p ≤ 0.0001)" in remarks(comparison(system("lstm", run(FLAT)), system("luong", run(FALLING))))[0]


def test_a_grammar_and_a_single_seed_are_admitted() -> None:
    text = " ".join(caveats(comparison(*CLIFF.systems, synthetic=True)))
    assert "come from a grammar" in text
    assert "100 BLEU is perfect" in text
    assert "1,000 distinct 4-grams of words in the test translations, 250 (25%) never occur in training" in text
    assert "p covers the choice of test sentences only, not training luck" in text


def test_several_seeds_on_real_text_need_no_caveat() -> None:
    runs = [run(FLAT, seed=seed) for seed in (1, 2)]
    assert caveats(comparison(system("lstm", *runs), system("luong", *runs))) == []


def test_sizes_that_do_not_match_are_told() -> None:
    runs = [run(FLAT, seed=seed) for seed in (1, 2)]
    found = comparison(system("lstm", *runs), system("luong", *runs, parameters=1_100_000))
    assert caveats(found) == ["The sizes do not match: luong has 10% more parameters than lstm."]


# ---- the figures


def test_json_has_the_keys_of_the_contract() -> None:
    content = to_json(comparison(system("lstm", run(FALLING, seed=1), run(FLAT, seed=2)), system("luong", run(FLAT))))
    assert content["test"] == {"name": "flickr", "sentences": 1200, "synthetic": False}
    first, second = content["systems"]
    assert list(first) == ["name", "config", "parameters", "bleu", "runs"]
    assert first["bleu"] == {"mean": pytest.approx((50.5 + 97.7) / 2), "std": pytest.approx((97.7 - 50.5) / 2**0.5)}
    assert second["bleu"] == {"mean": pytest.approx(97.7), "std": None}
    assert list(first["runs"][0]) == [
        "seed", "bleu", "chrf", "signature", "by_length", "updates", "train_seconds", "target_tokens_per_second"
    ]  # fmt: skip
    assert first["runs"][0]["by_length"][-1] == {"low": 51, "high": None, "sentences": 200, "bleu": 32.0}
    assert list(content["significance"][0]) == ["baseline", "system", "bleu_difference", "p_value"]


def test_buckets_are_averaged_over_the_seeds() -> None:
    found = system("lstm", run(FALLING, seed=1), run(FLAT, seed=2))
    assert found.by_length[0] == Bucket(1, 10, 200, 92.5)


def test_terminal_table_is_aligned() -> None:
    lines = text_table(systems_table(CLIFF)).split("\n")
    assert lines[0].split() == ["system", "parameters", "BLEU", "chrF2", "vs", "baseline", "p", "training", "tokens/s"]
    assert lines[2].split() == ["bahdanau", "1,000,000", "97.7", "61.5", "+47.2", "≤", "0.0001", "2.4", "min", "4,213"]
    assert len({len(line) for line in lines}) == 1
    assert terminal_text(CLIFF, Path("out/report.html")).endswith("Report: out/report.html")


@pytest.mark.parametrize(("seconds", "text"), [(45.2, "45 s"), (144.0, "2.4 min"), (5400.0, "1.5 h")])
def test_durations_are_said_in_fitting_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


# ---- significance and novelty


def noisy(lines: list[str], share: float, seed: int) -> list[str]:
    draw = random.Random(seed)
    return [" ".join(word if draw.random() > share else "x" for word in line.split()) for line in lines]


REFERENCES = [" ".join(random.Random(i).choices("abcdefghijklmnop", k=5 + i % 30)) for i in range(150)]


def test_p_equals_that_of_sacrebleus_paired_test() -> None:
    baseline, better = noisy(REFERENCES, 0.31, 1), noisy(REFERENCES, 0.29, 2)
    ours = paired_bootstrap(baseline, better, REFERENCES, metric=BLEU(force=True), resamples=300)
    paired = PairedTest(
        [("a", baseline), ("b", better)], {"BLEU": BLEU(force=True)}, [REFERENCES], test_type="bs", n_samples=300
    )
    assert ours == paired()[1]["BLEU"][1].p_value
    assert 0.01 < ours < 1


def test_p_is_small_for_a_clear_difference_and_one_for_none() -> None:
    worse = noisy(REFERENCES, 0.5, 1)
    settings = {"metric": BLEU(force=True), "resamples": 200}
    assert paired_bootstrap(worse, REFERENCES, REFERENCES, **settings) == pytest.approx(1 / 201)
    assert paired_bootstrap(worse, worse, REFERENCES, **settings) == 1.0


def test_the_largest_p_of_the_shared_seeds_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"one": 0.01, "two": 0.2, "three": 0.9}
    monkeypatch.setattr(
        "seq2attn.experiment.report.significance.paired_bootstrap", lambda base, lines, refs, metric: given[lines[0]]
    )
    baseline = {1: ["base"], 2: ["base"]}
    metric = BLEU()
    assert largest_p(baseline, {1: ["one"], 2: ["two"], 3: ["three"]}, ["r"], metric=metric) == 0.2
    assert largest_p(baseline, {3: ["three"]}, ["r"], metric=metric) is None


def test_novelty_counts_distinct_and_repeated_ngrams() -> None:
    assert novelty(["a b c d e"], ["a b c d", "b c d x", "b c d x y", "a b"]) == Novelty(
        order=4, distinct=3, distinct_unseen=2, tokens=4, tokens_unseen=3
    )


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
