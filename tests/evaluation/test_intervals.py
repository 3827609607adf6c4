"""Intervals against a loop over the same draws, and what they must hold."""

import numpy as np
import pytest

from seq2attn.evaluation.bleu import Bleu
from seq2attn.evaluation.intervals import RESAMPLES, find_interval, resample_groups

WORDS = ["der", "alte", "Hund", "schläft", "heute", "wieder", "im", "großen", "Garten", "hinter", "dem", "Haus"]
REFERENCES = [" ".join(WORDS[start:] + WORDS[:start]) for start in range(len(WORDS))] * 3
GOOD = [line.replace("Hund", "Kater") if number % 3 == 0 else line for number, line in enumerate(REFERENCES)]
BAD = [line.replace("Garten", "Wald").replace("alte", "junge") for line in REFERENCES]
METRIC = Bleu("de").metric()
GROUPS = [list(range(12)), [], list(range(12, 36))]


def test_every_draw_is_bleu_of_the_drawn_sentences_averaged_over_the_runs() -> None:
    first, empty, last = resample_groups([GOOD, BAD], REFERENCES, GROUPS, METRIC)
    assert empty is None
    assert first is not None
    assert last is not None
    generator = np.random.default_rng(12345)
    for drawn, group in ((first, GROUPS[0]), (last, GROUPS[2])):
        assert len(drawn) == RESAMPLES
        rows = generator.choice(np.array(group), (RESAMPLES, len(group)))
        for draw in (0, 1, RESAMPLES - 1):
            lines = [[[run[row] for row in rows[draw]] for run in (GOOD, BAD)], [REFERENCES[row] for row in rows[draw]]]
            expected = np.mean([METRIC.corpus_score(run, [lines[1]]).score for run in lines[0]])
            assert drawn[draw] == pytest.approx(expected)


def test_an_interval_holds_the_score_and_narrows_with_more_sentences() -> None:
    few, _, more = resample_groups([GOOD], REFERENCES, GROUPS, METRIC)
    assert few is not None
    assert more is not None
    whole = METRIC.corpus_score(GOOD[12:], [REFERENCES[12:]]).score
    narrow, wide = find_interval(more), find_interval(few)
    assert narrow.low < whole < narrow.high
    assert narrow.high - narrow.low < wide.high - wide.low


def test_perfect_translations_have_no_interval_to_speak_of() -> None:
    (drawn,) = resample_groups([REFERENCES], REFERENCES, [[0, 1, 2]], METRIC)
    assert drawn is not None
    assert find_interval(drawn) == (pytest.approx(100), pytest.approx(100))


def test_two_systems_are_drawn_alike() -> None:
    one, _, _ = resample_groups([GOOD], REFERENCES, GROUPS, METRIC)
    other, _, _ = resample_groups([GOOD], REFERENCES, GROUPS, METRIC)
    assert one is not None
    assert other is not None
    assert np.array_equal(one, other)
