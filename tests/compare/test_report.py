"""The report says what the numbers say, and nothing else: made-up figures in, sentences, tables and JSON out."""

from dataclasses import replace
from pathlib import Path

import pytest

from seq2attn.compare.report.results import LengthEffect, to_json
from seq2attn.compare.report.tables import describe_for_terminal, make_systems_table
from seq2attn.compare.report.verdict import list_caveats, list_remarks, write_headline
from seq2attn.evaluation.by_length import Bucket
from seq2attn.evaluation.intervals import Interval
from seq2attn.tables import text_table
from tests.figures import CLIFF, FALLING, FLAT, comparison, run, system

# ---- the verdict


def test_headline_tells_the_fall_and_what_attention_makes_of_it() -> None:
    assert write_headline(CLIFF) == (
        "Without attention BLEU falls from 86 on the shortest sentences to 32 on the longest; "
        "with Bahdanau attention it is 99 on the shortest sentences and 96 on the longest."
    )


def test_headline_claims_no_fall_where_there_is_none() -> None:
    text = write_headline(comparison(system("lstm", run(FLAT)), system("luong", run(FALLING))))
    assert text.startswith(
        "Without attention BLEU is 99 on the shortest sentences and 96 on the longest; with Luong attention"
    )
    assert text.endswith("it falls from 86 on the shortest sentences to 32 on the longest.")


def test_headline_names_a_fall_that_begins_later() -> None:
    text = write_headline(comparison(system("lstm", run((40.0, 60.0, 50.0, 45.0, 44.0, 41.0)))))
    assert text == "Without attention BLEU falls from 60 on sentences of 11–20 words to 41 on the longest."


def test_headline_does_not_hide_a_dip_in_the_middle() -> None:
    text = write_headline(comparison(system("lstm", run((90.0, 88.0, 60.0, 70.0, 80.0, 85.0)))))
    assert text == "Without attention BLEU is lowest (60) on sentences of 21–30 words and 85 on the longest."


def test_what_has_not_learned_has_no_course() -> None:
    low, none = (4.4, 3.0, 2.0, 2.0, 2.0, 2.0), (0.1, 0.1, 0.0, 0.0, 0.0, 0.0)
    assert write_headline(comparison(system("lstm", run(low)), system("luong", run(none)))) == (
        "Without attention BLEU is 4 at best, so it has not learned to translate yet; "
        "with Luong attention it is 0 at best, so it has not learned to translate yet."
    )


def test_buckets_of_few_sentences_do_not_make_headlines() -> None:
    counts = (420, 538, 40, 2, 0, 0)
    bleus = (40.0, 39.0, 38.0, 3.0, None, None)
    figures = comparison(system("lstm", run(bleus, counts=counts)))
    assert write_headline(figures) == "Without attention BLEU is 40 on the shortest sentences and 38 on the longest."
    assert any("31–40 words (2)" in caveat for caveat in list_caveats(figures))


def test_without_lengths_the_headline_is_about_the_whole() -> None:
    counts, bleus = (500, 5, 0, 0, 0, 0), (30.0, 20.0, None, None, None, None)
    figures = comparison(system("lstm", run(bleus, counts=counts)), system("luong", run(bleus, counts=counts)))
    assert write_headline(figures) == "Without attention BLEU is 29.9, with Luong attention 29.9."


def test_systems_that_share_a_decoder_are_called_by_their_names() -> None:
    figures = comparison(system("dot", run(FLAT), decoder="luong"), system("general", run(FLAT), decoder="luong"))
    assert write_headline(figures).startswith("With “dot” BLEU")


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
    assert words in list_remarks(comparison(system("lstm", run(FALLING)), better, p_value=p_value))[0]


def test_a_loss_to_the_baseline_is_told_as_one() -> None:
    assert (
        "(−47.2, p ≤ 0.0001)" in list_remarks(comparison(system("lstm", run(FLAT)), system("luong", run(FALLING))))[0]
    )


def test_a_grammar_and_a_single_seed_are_admitted() -> None:
    text = " ".join(list_caveats(comparison(*CLIFF.systems, synthetic=True)))
    assert "come from a grammar" in text
    assert "100 BLEU is perfect" in text
    assert "1,000 distinct 4-grams of words in the test translations, 250 (25%) never occur in training" in text
    assert "p covers the choice of test sentences only, not training luck" in text


def test_several_seeds_on_real_text_need_no_caveat() -> None:
    runs = [run(FLAT, seed=seed) for seed in (1, 2)]
    assert list_caveats(comparison(system("lstm", *runs), system("luong", *runs))) == []


def test_sizes_that_do_not_match_are_told() -> None:
    runs = [run(FLAT, seed=seed) for seed in (1, 2)]
    figures = comparison(system("lstm", *runs), system("luong", *runs, parameters=1_100_000))
    assert list_caveats(figures) == ["The sizes do not match: luong has 10% more parameters than lstm."]


def test_a_larger_baseline_is_told() -> None:
    runs = [run(FLAT, seed=seed) for seed in (1, 2)]
    figures = comparison(system("lstm", *runs, parameters=1_100_000), system("luong", *runs))
    assert list_caveats(figures) == ["The baseline lstm is the largest: it has 10% more parameters than luong."]


def test_a_baseline_that_is_behind_on_short_sentences_is_told() -> None:
    weak = tuple(bleu - 30 for bleu in FALLING)
    [caveat] = list_caveats(
        comparison(
            *(system(name, *(run(of, seed=s) for s in (1, 2))) for name, of in (("lstm", weak), ("luong", FLAT)))
        )
    )
    assert "On the shortest sentences" in caveat
    assert "it might not be trained to its end" in caveat


@pytest.mark.parametrize(
    ("effect", "sentence"),
    [
        (
            LengthEffect("lstm", "bahdanau", 13.0, 64.2, 51.2, Interval(48.0, 54.4)),
            "The lead with Bahdanau attention grows from +13.0 BLEU on the shortest sentences to +64.2 on the longest: +51.2 "
            "(95 % interval over test sentences +48.0 to +54.4).",
        ),
        (
            LengthEffect("lstm", "bahdanau", 13.0, 10.0, -3.0, Interval(-5.0, -1.0)),
            "The lead with Bahdanau attention shrinks from +13.0 BLEU on the shortest sentences to +10.0 on the longest: −3.0 "
            "(95 % interval over test sentences −5.0 to −1.0).",
        ),
        (
            LengthEffect("lstm", "bahdanau", 13.0, 14.0, 1.0, Interval(-1.0, 3.0)),
            "The lead with Bahdanau attention is +13.0 BLEU on the shortest sentences and +14.0 on the longest; the change, "
            "+1.0 (95 % interval over test sentences −1.0 to +3.0), may be chance.",
        ),
    ],
)
def test_the_effect_of_length_comes_with_its_interval(effect: LengthEffect, sentence: str) -> None:
    assert sentence in list_remarks(replace(CLIFF, length_effect=effect))
    assert to_json(replace(CLIFF, length_effect=effect))["length_effect"]["growth"] == effect.growth


# ---- the figures


def test_json_has_the_keys_of_the_contract() -> None:
    content = to_json(comparison(system("lstm", run(FALLING, seed=1), run(FLAT, seed=2)), system("luong", run(FLAT))))
    assert content["test"] == {"name": "flickr", "sentences": 1200, "synthetic": False}
    first, second = content["systems"]
    assert list(first) == ["name", "config", "parameters", "test_pairs_in_training", "bleu", "by_length", "runs"]
    assert first["by_length"][0] == {"low": 1, "high": 10, "sentences": 200, "bleu": 92.5, "interval": (84.0, 87.0)}
    assert first["bleu"] == {"mean": pytest.approx((50.5 + 97.7) / 2), "std": pytest.approx((97.7 - 50.5) / 2**0.5)}
    assert second["bleu"] == {"mean": pytest.approx(97.7), "std": None}
    assert list(first["runs"][0]) == [
        "seed", "bleu", "chrf", "signature", "by_length", "updates", "train_seconds", "target_tokens_per_second",
        "remarks"
    ]  # fmt: skip
    assert first["runs"][0]["by_length"][-1] == {"low": 51, "high": None, "sentences": 200, "bleu": 32.0}
    assert list(content["significance"][0]) == ["baseline", "system", "bleu_difference", "p_value"]


def test_buckets_are_averaged_over_the_seeds() -> None:
    figures = system("lstm", run(FALLING, seed=1), run(FLAT, seed=2))
    assert figures.by_length[0] == Bucket(1, 10, 200, 92.5)


def test_terminal_table_is_aligned() -> None:
    lines = text_table(make_systems_table(CLIFF)).split("\n")
    assert lines[0].split() == ["system", "parameters", "BLEU", "chrF2", "vs", "baseline", "p", "training", "tokens/s"]
    assert lines[2].split() == ["bahdanau", "1,000,000", "97.7", "61.5", "+47.2", "≤", "0.0001", "2.4", "min", "4,213"]
    assert len({len(line) for line in lines}) == 1
    assert describe_for_terminal(CLIFF, Path("out/report.html")).endswith("Report: out/report.html")
