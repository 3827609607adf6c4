"""Noise on the source: what is replaced, by what, and the BLEU that comes of it."""

from collections import Counter

import pytest

from seq2attn.errors import UsageError
from seq2attn.evaluation.noise import NoiseResult, NoisyBleu, Replace, measure_noise

EOS = 3
PIECES = list(range(10, 20))
LINES = [[10 + (line + place) % 10 for place in range(line % 7)] + [EOS] for line in range(300)]
REPLACE = Replace((0.0, 0.15), 5)


def noised(rate: float, seed: int = 1, lines: list[list[int]] = LINES) -> list[list[int]]:
    return [REPLACE(ids, PIECES, rate=rate, seed=seed, line=line) for line, ids in enumerate(lines)]


def list_replaced(rate: float, seed: int = 1) -> set[tuple[int, int]]:
    """The line and the position of each subword that the noise replaced."""
    pairs = enumerate(zip(LINES, noised(rate, seed), strict=True))
    return {(line, i) for line, (old, new) in pairs for i in range(len(old)) if old[i] != new[i]}


def test_at_rate_one_every_subword_is_another_and_the_end_stays() -> None:
    for old, new in zip(LINES, noised(1.0), strict=True):
        assert len(new) == len(old)
        assert new[-1] == EOS
        assert all(a != b and b in PIECES for a, b in zip(old[:-1], new[:-1], strict=True))


def test_at_rate_zero_nothing_changes() -> None:
    assert noised(0.0) == LINES


def test_the_others_are_equally_likely() -> None:
    [ids] = noised(1.0, lines=[[12] * 9000 + [EOS]])
    counts = Counter(ids[:-1])
    assert set(counts) == set(PIECES) - {12}
    assert all(abs(count - 1000) < 150 for count in counts.values())  # 5 standard deviations


def test_special_pieces_are_replaced_but_replace_nothing() -> None:
    unknown, byte = 1, 7
    [ids] = noised(1.0, lines=[[unknown, byte] * 50 + [EOS]])
    assert set(ids[:-1]) <= set(PIECES)


def test_noise_depends_on_seed_line_and_rate_alone() -> None:
    assert noised(0.3) == noised(0.3)
    assert noised(0.3)[7] == REPLACE(LINES[7], PIECES, rate=0.3, seed=1, line=7)
    assert noised(0.3, seed=2) != noised(0.3)
    same = [LINES[6]] * 5
    assert len({tuple(ids) for ids in noised(0.9, lines=same)}) > 1  # each line has its own


def test_a_higher_rate_replaces_the_same_and_more() -> None:
    assert list_replaced(0.05) < list_replaced(0.15) < list_replaced(0.3)
    lower, higher = noised(0.15), noised(0.3)
    assert all(lower[line][i] == higher[line][i] for line, i in list_replaced(0.15))


def test_every_rate_is_drawn_with_every_seed() -> None:
    scored: list[list[list[int]]] = []

    def bleu(sources: list[list[int]]) -> float:
        scored.append(sources)
        return 30.0 - len(scored)

    result = measure_noise(Replace((0.0, 0.15, 1.0), 2), LINES, PIECES, bleu, clean_bleu=40.0)
    assert scored == [noised(0.15, 1), noised(0.15, 2), noised(1.0, 1), noised(1.0, 2)]  # rate 0 is the clean text
    assert [point.bleu for point in result.points] == [(40.0, 40.0), (29.0, 28.0), (27.0, 26.0)]
    subwords = sum(len(ids) - 1 for ids in LINES)
    achieved = (len(list_replaced(0.15, 1)) + len(list_replaced(0.15, 2))) / (2 * subwords)
    assert [point.achieved for point in result.points] == [0.0, achieved, 1.0]
    assert achieved == pytest.approx(0.15, abs=0.03)


def test_mean_deviation_and_drop_worked_by_hand() -> None:
    result = NoiseResult(40.0, (NoisyBleu(0.15, 0.1483, (28.0, 30.0, 32.0)),))
    assert result.to_json() == {
        "kind": "replace",
        "seeds": 3,
        "rates": [
            {
                "rate": 0.15,
                "achieved": 0.1483,
                "bleu": {"mean": 30.0, "std": 2.0, "by_seed": [28.0, 30.0, 32.0]},
                "relative_drop": 0.25,
            }
        ],
    }
    header, row = result.to_text().splitlines()
    assert header.split() == ["noise", "rate", "achieved", "BLEU", "sd", "drop", "by", "seed"]
    assert row.split() == ["0.15", "0.148", "30.00", "2.00", "25.0%", "28.00", "30.00", "32.00"]


def test_one_seed_has_no_deviation_and_zero_bleu_no_drop() -> None:
    result = NoiseResult(0.0, (NoisyBleu(0.1, 0.1, (0.0,)),))
    [rate] = result.to_json()["rates"]
    assert rate["bleu"]["std"] is None
    assert rate["relative_drop"] is None
    assert result.to_text().splitlines()[1].split() == ["0.1", "0.100", "0.00", "–", "–", "0.00"]


def test_blank_lines_have_nothing_to_replace() -> None:
    result = measure_noise(Replace((0.5,), 2), [[EOS], [EOS]], PIECES, lambda sources: 0.0, clean_bleu=7.0)
    assert result.points == (NoisyBleu(0.5, 0.0, (7.0, 7.0)),)


@pytest.mark.parametrize("rate", [-0.1, 1.5, float("nan"), float("inf")])
def test_a_rate_that_is_no_probability_is_refused(rate: float) -> None:
    with pytest.raises(UsageError, match=r"--rate .*not a probability") as error:
        Replace((0.1, rate), 5)
    assert error.value.hint


@pytest.mark.parametrize("seeds", [0, -1])
def test_fewer_than_one_seed_is_refused(seeds: int) -> None:
    with pytest.raises(UsageError, match=f"--noise-seeds {seeds}"):
        Replace((0.1,), seeds)


def test_with_one_piece_there_is_no_other() -> None:
    with pytest.raises(ValueError, match="1 pieces"):
        measure_noise(REPLACE, LINES, [10], lambda sources: 0.0, clean_bleu=1.0)
