"""Alignments against gold links: figures worked by hand, files as they are found."""

from pathlib import Path

import pytest

from seq2attn.errors import DataError
from seq2attn.evaluation.alignment import GoldLinks, find_diagonal, read_gold_links, score_links


def gold(sure: set[tuple[int, int]], possible: set[tuple[int, int]]) -> GoldLinks:
    return GoldLinks(frozenset(sure), frozenset(sure | possible))


def test_scores_worked_by_hand() -> None:
    # sentence 1: A = {00, 11, 21}, S = {00}, P = {00, 11}; sentence 2: A = {00}, S = {01}, P = {01}
    found = [frozenset({(0, 0), (1, 1), (2, 1)}), frozenset({(0, 0)})]
    score = score_links(found, [gold({(0, 0)}, {(1, 1)}), gold({(0, 1)}, set())])
    assert score.precision == pytest.approx(2 / 4)
    assert score.recall == pytest.approx(1 / 2)
    assert score.aer == pytest.approx(1 - (1 + 2) / (4 + 2))


def test_the_gold_links_themselves_have_no_error() -> None:
    links = {(0, 0), (1, 2), (2, 1)}
    score = score_links([frozenset(links)], [gold(links, {(3, 3)})])
    assert (score.aer, score.precision, score.recall) == (0.0, 1.0, 1.0)


def test_nothing_found_is_all_wrong() -> None:
    score = score_links([frozenset()], [gold({(0, 0)}, set())])
    assert (score.aer, score.precision, score.recall) == (1.0, 0.0, 0.0)


def test_the_diagonal_runs_from_the_first_words_to_the_last() -> None:
    assert find_diagonal(5, 5) == {(i, i) for i in range(5)}
    assert find_diagonal(3, 5) == {(0, 0), (0, 1), (1, 2), (2, 3), (2, 4)}
    assert find_diagonal(4, 1) == {(0, 0)}


def write(folder: Path, text: str) -> Path:
    path = folder / "gold"
    path.write_text(text, encoding="utf-8")
    return path


def test_sure_and_possible_links_are_read(tmp_path: Path) -> None:
    found, remarks = read_gold_links(write(tmp_path, "0-0 1p2\n\n"), [(2, 3), (1, 1)])
    assert found == [gold({(0, 0)}, {(1, 2)}), gold(set(), set())]
    assert remarks == []


def test_words_may_be_counted_from_1(tmp_path: Path) -> None:
    found, remarks = read_gold_links(write(tmp_path, "1-1 2p3\n2-1\n"), [(2, 3), (2, 1)])
    assert found == [gold({(0, 0)}, {(1, 2)}), gold({(1, 0)}, set())]
    assert remarks == [f"{tmp_path / 'gold'}: words are counted from 1"]


def test_links_outside_a_sentence_are_left_out_and_told(tmp_path: Path) -> None:
    found, remarks = read_gold_links(write(tmp_path, "0-0 7-1\n0-0 1-9\n"), [(2, 3), (2, 1)])
    assert found == [gold({(0, 0)}, set()), gold({(0, 0)}, set())]
    assert remarks == [f"{tmp_path / 'gold'}: 2 links point outside their sentence and are left out (line 1, 2)"]


@pytest.mark.parametrize(
    ("text", "says"),
    [("0-0\n", "1 lines, but the test set has 2 sentences"), ("0-0\n0:1\n", "gold:2: '0:1' is no link")],
)
def test_other_files_are_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(DataError, match=says):
        read_gold_links(write(tmp_path, text), [(2, 3), (2, 1)])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot read .*none: No such file"):
        read_gold_links(tmp_path / "none", [])
