import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from seq2attn.data.batches import plan
from seq2attn.data.corpus import Corpus, describe_dropped, load_corpus
from seq2attn.data.encoded import draw_encoding, encode_corpus
from seq2attn.data.sources import Pair, Source, TextFiles
from seq2attn.data.sources_grammar import GrammarSplit
from seq2attn.data.tokenizer import Tokenizer
from seq2attn.errors import DataError
from seq2attn.tokens import EOS, PAD

ENGLISH = ["a small dog runs", "", "the old cat sleeps on the warm bed", "same", "dogs and cats", "  ", "late"]
GERMAN = ["ein kleiner Hund läuft", "leer", "die alte Katze schläft auf dem Bett", " same ", "Hunde und Katzen", "", ""]


def files(folder: Path, english: list[str] = ENGLISH, german: list[str] = GERMAN) -> TextFiles:
    folder.mkdir(exist_ok=True)
    for language, lines in (("en", english), ("de", german)):
        (folder / f"train.{language}").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return TextFiles(str(folder / "train"), "en", "de")


def load(source: Source, *, clean: bool, keep_equal: bool = False) -> Corpus:
    return load_corpus(source, clean=clean, fingerprint=source.fingerprint(), keep_equal=keep_equal)


@pytest.fixture
def tokenizer(tmp_path: Path) -> Tokenizer:
    return Tokenizer.train(
        ENGLISH * 20,
        GERMAN * 20,
        vocab_size=300,
        algorithm="unigram",
        joint=True,
        byte_fallback=True,
        character_coverage=1.0,
        folder=tmp_path / "tokenizer",
    )


def test_training_drops_flawed_pairs_and_names_the_first(tmp_path: Path) -> None:
    corpus = load(files(tmp_path), clean=True)
    assert list(corpus.source) == [ENGLISH[index] for index in (0, 2, 4)]
    assert list(corpus.target) == [GERMAN[index] for index in (0, 2, 4)]
    assert corpus.dropped == {"empty source": 2, "source = target": 1, "empty target": 1}
    place = tmp_path / "train.en"
    assert corpus.first == {"empty source": f"{place}:2", "source = target": f"{place}:4", "empty target": f"{place}:7"}
    assert [corpus.locate(index) for index in range(3)] == [f"{place}:1", f"{place}:3", f"{place}:5"]
    assert describe_dropped(corpus.dropped, corpus.first) == (
        f"4 pairs dropped: 2 empty source (first: {place}:2), 1 source = target (first: {place}:4), "
        f"1 empty target (first: {place}:7)"
    )


def test_one_dropped_pair_is_no_plural() -> None:
    assert (
        describe_dropped({"empty source": 1}, {"empty source": "x:1"}) == "1 pair dropped: 1 empty source (first: x:1)"
    )


def test_pairs_with_equal_sides_can_be_kept(tmp_path: Path) -> None:
    source = files(tmp_path)
    corpus = load(source, clean=True, keep_equal=True)
    assert list(corpus.source) == [ENGLISH[index] for index in (0, 2, 3, 4)]
    assert corpus.dropped == {"empty source": 2, "empty target": 1}
    assert corpus.fingerprint != load(source, clean=True).fingerprint


@pytest.mark.parametrize("character", ["\u200b", "\u3000\u2060", "\u3164", "\x00"])
def test_invisible_lines_are_empty(tmp_path: Path, character: str) -> None:
    corpus = load(files(tmp_path, ["a", character, "b"], ["x", "y", f"z{character}"]), clean=True)
    assert list(corpus.target) == ["x", f"z{character}"]
    assert corpus.dropped == {"empty source": 1}
    kept = load(files(tmp_path, ["a", " ", "b"], ["x", "y", f"z{character}"]), clean=True)
    assert kept.dropped == corpus.dropped


def test_fingerprints_change_only_where_invisible_lines_were_dropped(tmp_path: Path) -> None:
    source = files(tmp_path, ["a", "b", ""], ["x", "y", "z"])
    known = hashlib.sha256(f"corpus 1 True {source.fingerprint()}".encode()).hexdigest()  # as in 0.1.0
    assert load(source, clean=True).fingerprint == known
    source = files(tmp_path, ["a", "\u200b", ""], ["x", "y", "z"])
    known = hashlib.sha256(f"corpus 1 True {source.fingerprint()}".encode()).hexdigest()
    assert load(source, clean=True).fingerprint != known
    assert load(source, clean=True).fingerprint == load(source, clean=True).fingerprint


def test_validation_keeps_every_line_in_order(tmp_path: Path) -> None:
    corpus = load(files(tmp_path), clean=False)
    assert list(corpus.source) == ENGLISH
    assert list(corpus.target) == GERMAN
    assert corpus.dropped == {}
    assert describe_dropped(corpus.dropped, corpus.first) == ""


def test_columns_are_sequences(tmp_path: Path) -> None:
    column = load(files(tmp_path), clean=False).target
    assert len(column) == 7
    assert column[-1] == GERMAN[-1]
    assert column[1:3] == GERMAN[1:3]


def test_a_corpus_is_read_once_and_found_by_its_content(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    first = load(files(tmp_path / "one"), clean=True)

    def unread(_: TextFiles) -> Iterator[Pair]:
        pytest.fail("the cached corpus was read again")

    copy = files(tmp_path / "copy")
    monkeypatch.setattr(TextFiles, "pairs", unread)
    second = load(copy, clean=True)
    assert second.fingerprint == first.fingerprint
    assert second.name == str(tmp_path / "copy" / "train")
    assert second.first["empty source"] == f"{tmp_path / 'copy' / 'train.en'}:2"
    assert len(list((cache / "corpora").iterdir())) == 1
    assert capfd.readouterr() == ("", "")


def test_cleaning_and_content_change_the_fingerprint(tmp_path: Path) -> None:
    fingerprints = {load(files(tmp_path), clean=clean).fingerprint for clean in (True, False)}
    fingerprints.add(load(files(tmp_path, ["a", *ENGLISH[1:]]), clean=True).fingerprint)
    assert len(fingerprints) == 3


@pytest.mark.parametrize(("target", "hint"), [("a", "data.keep_equal: true keeps"), ("", "text on both sides")])
def test_a_corpus_of_flaws_only_is_refused(tmp_path: Path, target: str, hint: str) -> None:
    with pytest.raises(DataError, match=r"no pair is left to train on: 2 pairs dropped: .*train.en:1") as caught:
        load(files(tmp_path, ["", "a"], ["x", target]), clean=True)
    assert hint in caught.value.hint


def test_a_failed_build_leaves_nothing_behind(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(DataError, match="has 2 lines but"):
        load(files(tmp_path, ["a", "b"], ["x"]), clean=True)
    assert list((cache / "corpora").iterdir()) == []


def test_a_cache_that_cannot_be_written_names_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("SEQ2ATTN_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(DataError, match="cannot write to the cache folder") as caught:
        load(files(tmp_path), clean=True)
    assert "SEQ2ATTN_CACHE" in caught.value.hint


def test_a_batch_is_padded_on_the_right(tmp_path: Path, tokenizer: Tokenizer) -> None:
    corpus = load(files(tmp_path), clean=True)
    encoded = encode_corpus(corpus, tokenizer, max_length=100)
    indices = np.array([2, 0])
    batch = encoded.batch(indices)
    assert batch.indices.tolist() == [2, 0]
    for ids, lines, encode in (
        (batch.source, corpus.source, tokenizer.encode_source),
        (batch.target, corpus.target, tokenizer.encode_target),
    ):
        expected = encode([lines[2], lines[0]])
        assert ids.shape == (2, max(map(len, expected)))
        for row, sentence in zip(ids.tolist(), expected, strict=True):
            assert row == sentence + [PAD] * (len(row) - len(sentence))


def test_lengths_count_the_end_of_sentence(tmp_path: Path, tokenizer: Tokenizer) -> None:
    corpus = load(files(tmp_path), clean=False)
    encoded = encode_corpus(corpus, tokenizer, max_length=None)
    assert encoded.source_lengths.tolist() == [len(ids) for ids in tokenizer.encode_source(ENGLISH)]
    assert encoded.target_lengths.tolist() == [len(ids) for ids in tokenizer.encode_target(GERMAN)]
    assert encoded.batch(np.array([1])).source.tolist() == [[EOS]]


def test_overlong_pairs_are_dropped_counted_and_located(tmp_path: Path, tokenizer: Tokenizer) -> None:
    corpus = load(files(tmp_path), clean=True)
    longest = encode_corpus(corpus, tokenizer, max_length=None).target_lengths
    encoded = encode_corpus(corpus, tokenizer, max_length=int(longest.max()) - 1)
    assert encoded.dropped == {"longer than max_length": 1}
    assert encoded.first == {"longer than max_length": corpus.locate(int(longest.argmax()))}
    assert encoded.rows.tolist() == [row for row in range(3) if row != longest.argmax()]
    assert len(encoded) == len(encoded.source_lengths) == 2


def test_a_long_line_of_unknown_letters_is_overlong(tmp_path: Path) -> None:
    tokenizer = Tokenizer.train(
        ENGLISH * 20,
        GERMAN * 20,
        vocab_size=50,
        algorithm="unigram",
        joint=True,
        byte_fallback=False,
        character_coverage=1.0,
        folder=tmp_path / "tokenizer",
    )
    corpus = load(files(tmp_path, ["a small dog", "學" * 70_000, "學"], ["ein Hund", "viel", "wenig"]), clean=True)
    assert len(tokenizer.encode_source(["學" * 70_000])[0]) < 5
    encoded = encode_corpus(corpus, tokenizer, max_length=250)
    assert encoded.dropped == {"longer than max_length": 1}
    assert encoded.rows.tolist() == [0, 2]


def test_if_every_pair_is_overlong_the_key_is_named(tmp_path: Path, tokenizer: Tokenizer) -> None:
    with pytest.raises(DataError, match=r"longer than data\.max_length: 2"):
        encode_corpus(load(files(tmp_path), clean=True), tokenizer, max_length=2)


def test_encodings_are_cached_by_corpus_tokenizer_and_length(
    tmp_path: Path, tokenizer: Tokenizer, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = load(files(tmp_path), clean=True)
    first = encode_corpus(corpus, tokenizer, max_length=100)
    assert encode_corpus(corpus, tokenizer, max_length=99).fingerprint != first.fingerprint
    monkeypatch.setattr(Tokenizer, "encode_source", lambda *_: pytest.fail("the cached encoding was made again"))
    again = encode_corpus(corpus, tokenizer, max_length=100)
    assert again.fingerprint == first.fingerprint
    assert again.batch(np.array([0, 1])).source.equal(first.batch(np.array([0, 1])).source)
    assert len(list((cache / "encodings").iterdir())) == 2


def test_drawn_encodings_depend_on_seed_and_epoch(tmp_path: Path, tokenizer: Tokenizer) -> None:
    corpus = load(files(tmp_path), clean=True)
    encoded = encode_corpus(corpus, tokenizer, max_length=100)

    def drawn(seed: int, epoch: int) -> list[int]:
        result = draw_encoding(encoded, corpus, tokenizer, alpha=0.2, max_length=100, seed=seed, epoch=epoch)
        assert tokenizer.decode_target(result.batch(np.arange(3)).target.tolist()) == list(corpus.target)
        assert result.source_lengths.tolist() == [len(result.source[index]) for index in range(3)]
        return result.source.ids.tolist()

    assert drawn(1, 0) == drawn(1, 0)
    assert drawn(1, 0) != drawn(1, 1)
    assert drawn(1, 0) != drawn(2, 0)


def test_a_drawn_encoding_is_never_longer_than_allowed(tmp_path: Path, tokenizer: Tokenizer) -> None:
    corpus = load(files(tmp_path), clean=True)
    longest = encode_corpus(corpus, tokenizer, max_length=None).target_lengths
    limit = int(longest.max()) - 1
    encoded = encode_corpus(corpus, tokenizer, max_length=limit)
    for epoch in range(20):
        drawn = draw_encoding(encoded, corpus, tokenizer, alpha=0.1, max_length=limit, seed=1, epoch=epoch)
        assert max(drawn.source_lengths.max(), drawn.target_lengths.max()) <= limit
        texts = tokenizer.decode_target(drawn.batch(np.arange(len(drawn))).target.tolist())
        assert texts == [corpus.target[row] for row in encoded.rows.tolist()]


def test_an_encoding_can_be_planned(tmp_path: Path, tokenizer: Tokenizer) -> None:
    encoded = encode_corpus(load(files(tmp_path), clean=True), tokenizer, max_length=100)
    settings = {"batch_tokens": 60, "seed": 1, "epoch": 0, "fingerprint": encoded.fingerprint}
    for indices in plan(encoded.source_lengths, encoded.target_lengths, **settings):
        batch = encoded.batch(indices)
        assert len(indices) * max(batch.source.shape[1], batch.target.shape[1]) <= 60


def test_the_grammar_is_generated_once_for_all_splits(cache: Path) -> None:
    corpora = {
        role: load(GrammarSplit(role, 200, 20, 1), clean=role == "train") for role in ("train", "validation", "test")
    }
    assert len(list((cache / "grammar").iterdir())) == 1
    assert len(corpora["train"].source) == 200
    assert not set(corpora["train"].source) & set(corpora["test"].source)


def test_another_seed_is_another_grammar_corpus() -> None:
    one, two = (GrammarSplit("test", 50, 20, seed).fingerprint() for seed in (1, 2))
    assert one != two
