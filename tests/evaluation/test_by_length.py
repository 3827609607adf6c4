"""Buckets by words of the raw source: 1–10, 11–20, …, 51 and more."""

import pytest

from seq2attn.errors import DataError
from seq2attn.evaluation.bleu import Bleu
from seq2attn.evaluation.by_length import Bucket, choose_unit, score_by_length

GERMAN = Bleu("de")


def words(count: int) -> str:
    return " ".join(["wort"] * count)


@pytest.mark.parametrize(
    ("length", "bucket"),
    list(
        zip([0, 1, 10, 11, 20, 21, 30, 31, 40, 41, 50, 51, 300], [0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5], strict=True)
    ),
)
def test_both_ends_of_a_bucket_are_inclusive(length: int, bucket: int) -> None:
    buckets = score_by_length([words(length)], ["ein Satz"], ["ein Satz"], GERMAN)
    assert [entry.sentences for entry in buckets] == [int(place == bucket) for place in range(6)]


def test_the_edges_are_those_of_the_contract() -> None:
    buckets = score_by_length(["a"], ["a"], ["a"], GERMAN)
    assert [(b.low, b.high) for b in buckets] == [(1, 10), (11, 20), (21, 30), (31, 40), (41, 50), (51, None)]
    assert [b.label for b in buckets] == ["1–10", "11–20", "21–30", "31–40", "41–50", "51+"]


def test_an_empty_bucket_has_no_bleu() -> None:
    buckets = score_by_length(["a"], ["a"], ["a"], GERMAN)
    assert buckets[3] == Bucket(31, 40, 0, None)


def test_a_bucket_has_the_corpus_bleu_of_its_sentences() -> None:
    sources = [words(3), words(15), words(9), words(12)]
    references = ["das ist ein guter Tag", "ein Hund schläft im Garten", "wir gehen nach Hause", "sie liest das Buch"]
    hypotheses = ["das ist ein guter Tag", "ein Hund schläft im Haus", "wir gehen nach Haus", "sie liest das Buch"]
    buckets = score_by_length(sources, hypotheses, references, GERMAN)
    for bucket, indices in zip(buckets, ([0, 2], [1, 3]), strict=False):
        theirs, ours = [references[i] for i in indices], [hypotheses[i] for i in indices]
        assert bucket.bleu == GERMAN.score(ours, theirs, ter=False).bleu


def test_words_are_those_of_the_source_and_not_of_the_translation() -> None:
    buckets = score_by_length([words(2)], [words(30)], [words(30)], GERMAN)
    assert buckets[0].sentences == 1


def test_lowercase_and_tokenizer_reach_the_buckets() -> None:
    buckets = score_by_length(
        ["a"], ["ein guter tag heute"], ["Ein guter Tag heute"], Bleu("de", lowercase=True, tokenize="none")
    )
    assert buckets[0].bleu == pytest.approx(100)


def test_misaligned_sources_are_refused() -> None:
    with pytest.raises(DataError, match="2 source lines but 1 reference"):
        score_by_length(["a", "b"], ["a"], ["a"], GERMAN)


def test_a_language_without_spaces_is_counted_in_characters() -> None:
    assert [choose_unit(language) for language in ("zh-Hant", "ja", "th", "de")] == [*["characters"] * 3, "words"]
    buckets = score_by_length(["我们 " * 10, "我们" * 11], ["a", "b"], ["a", "b"], GERMAN, "characters")
    assert [(bucket.label, bucket.sentences) for bucket in buckets[:2]] == [("1–20", 1), ("21–40", 1)]
    assert buckets[-1].label == "101+"
