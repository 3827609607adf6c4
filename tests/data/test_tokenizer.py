import ast
import re
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2attn.data import vocabulary
from seq2attn.data.tokenizer import Tokenizer
from seq2attn.errors import DataError
from seq2attn.tokens import BOS, EOS, PAD, UNK

ENGLISH = ["a small dog runs", "the old cat sleeps on the warm bed", "dogs and cats are running"] * 20
GERMAN = ["ein kleiner Hund läuft", "die alte Katze schläft auf dem warmen Bett", "Hunde und Katzen laufen"] * 20
FIRST_BYTE = 4  # the 256 byte pieces follow the four special ids


def train(folder: Path, source: list[str] = ENGLISH, target: list[str] = GERMAN, **changes: object) -> Tokenizer:
    chosen = {
        "vocab_size": 300,
        "algorithm": "unigram",
        "joint": True,
        "byte_fallback": True,
        "character_coverage": 1.0,
    }
    return Tokenizer.train(source, target, folder=folder, **{**chosen, **changes})


@pytest.fixture(scope="module", params=["unigram", "bpe"])
def tokenizer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return train(tmp_path_factory.mktemp("tokenizer"), algorithm=request.param)


def test_encodings_hold_one_special_id_at_their_end(tokenizer: Tokenizer) -> None:
    for ids in tokenizer.encode_source([*ENGLISH[:3], "", "unseen: 漢字 🙂"]) + tokenizer.encode_target(GERMAN[:3]):
        assert ids[-1] == EOS
        assert not {PAD, UNK, BOS, EOS} & set(ids[:-1])


def test_an_empty_line_is_only_the_end_of_sentence(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode_source(["", "  "]) == [[EOS], [EOS]]
    assert tokenizer.decode_target([[], [EOS], [PAD, BOS]]) == ["", "", ""]


@pytest.mark.parametrize(
    "text",
    [
        "👨‍👩‍👧 Familie",
        "日本語の文です。",
        "שלום עולם",
        "<s> </s> <unk> <pad>",
        "naïve\u00a0café",
        "\ufeffx",
    ],
)
def test_any_script_survives_the_round_trip(tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer.decode_target(tokenizer.encode_target([text])) == [text]


@given(text=st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"], exclude_characters="▁"), max_size=30))
@settings(deadline=None, max_examples=200)
def test_text_survives_except_for_extra_spaces(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    tokenizer = _shared(tmp_path_factory)
    assert tokenizer.decode_target(tokenizer.encode_target([text])) == [re.sub(" +", " ", text).strip(" ")]


@given(ids=st.lists(st.integers(0, 299), max_size=40))
@settings(deadline=None, max_examples=200)
def test_any_ids_decode_to_one_printable_line(tmp_path_factory: pytest.TempPathFactory, ids: list[int]) -> None:
    [text] = _shared(tmp_path_factory).decode_target([ids])
    assert not [character for character in text if unicodedata.category(character) in ("Cc", "Zl", "Zp")]


_trained: list[Tokenizer] = []


def _shared(folders: pytest.TempPathFactory) -> Tokenizer:
    if not _trained:
        _trained.append(train(folders.mktemp("shared")))
    return _trained[0]


def test_line_feed_bytes_become_spaces(tokenizer: Tokenizer) -> None:
    letters = [FIRST_BYTE + byte for byte in b"a\nb\r\tc\xc2\x85d"]
    assert tokenizer.decode_target([letters]) == ["a b  c d"]
    assert tokenizer.decode_target(tokenizer.encode_target(["a\u2028b\u2029c"])) == ["a b c"]


@pytest.mark.parametrize(
    "broken", [b"\xe2", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x80\xbf", b"\xff\xfe"]
)
def test_bytes_that_are_no_utf_8_become_the_replacement_character(tokenizer: Tokenizer, broken: bytes) -> None:
    [text] = tokenizer.decode_target([[FIRST_BYTE + byte for byte in b"x" + broken + b"y"]])
    assert (text[0], {*text[1:-1]}, text[-1]) == ("x", {"\ufffd"}, "y")


@pytest.mark.parametrize("byte_fallback", [True, False])
def test_banned_tokens_are_special_or_control_characters(tmp_path: Path, byte_fallback: bool) -> None:
    german = [*GERMAN, "ein\x9fHund", "Katze\u2028läuft"]
    trained = train(
        tmp_path, [*ENGLISH, "a", "b"], german, byte_fallback=byte_fallback, vocab_size=300 if byte_fallback else 45
    )
    model = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "joint.model"))
    pieces = {token: model.id_to_piece(token) for token in range(trained.target_size)}
    single = [f"<0x{byte:02X}>" for byte in (*range(32), 127)] if byte_fallback else []
    odd = [piece for piece in pieces.values() if "\x9f" in piece or "\u2028" in piece]
    assert len(odd) >= 2
    assert sorted(pieces[token] for token in trained.banned_tokens()) == sorted(
        ["<pad>", "<unk>", "<s>", *single, *odd]
    )


def test_half_a_surrogate_pair_is_read_as_the_replacement_character(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode_source(["a\ud800b"]) == tokenizer.encode_source(["a\ufffdb"])
    assert tokenizer.encode_source(["\ufeffx"]) != tokenizer.encode_source(["x"])


def test_decoding_stops_at_the_end_of_sentence(tokenizer: Tokenizer) -> None:
    [hund, _] = [*tokenizer.encode_target(["Hund"]), None]
    assert tokenizer.decode_target([[*hund, *hund]]) == ["Hund"]


@pytest.mark.parametrize("algorithm", ["unigram", "bpe"])
@pytest.mark.parametrize("length", [70_000, 878_000])
def test_a_line_that_max_length_drops_is_not_learned(tmp_path: Path, algorithm: str, length: int) -> None:
    settings = {"algorithm": algorithm, "max_length": 250}
    plain = train(tmp_path / "plain", **settings)
    long = train(tmp_path / "long", [*ENGLISH, "x" * length], [*GERMAN, "kurz"], **settings)
    assert long.fingerprint == plain.fingerprint


def test_bpe_survives_a_word_of_70_000_letters(tmp_path: Path) -> None:
    plain = train(tmp_path / "plain", algorithm="bpe")
    long = train(tmp_path / "long", [*ENGLISH, "a " + "x" * 70_000], [*GERMAN, "kurz"], algorithm="bpe")
    assert long.fingerprint == plain.fingerprint


def test_a_line_of_exactly_max_length_is_learned(tmp_path: Path) -> None:
    words = ["abcdefghijklmno"] * 9  # nine pieces of 16 characters, the space before each word included, and EOS
    settings = {"algorithm": "bpe"}
    lines = [*ENGLISH, *[" ".join(words)] * 50]
    target = [*GERMAN, *["kurz"] * 50]
    whole = train(tmp_path / "whole", lines, target, **settings)
    assert train(tmp_path / "fits", lines, target, max_length=10, **settings).fingerprint == whole.fingerprint
    assert train(tmp_path / "longer", lines, target, max_length=9, **settings).fingerprint != whole.fingerprint


def test_only_joint_vocabularies_share_their_ids(tmp_path: Path) -> None:
    joint = train(tmp_path / "joint")
    separate = train(tmp_path / "separate", joint=False, vocab_size=285)
    assert joint.source_size == joint.target_size == 300
    assert joint.encode_source(["Hund"]) == joint.encode_target(["Hund"])
    assert separate.source_size == separate.target_size == 285
    assert separate.encode_source(["Hund läuft"]) != separate.encode_target(["Hund läuft"])
    assert sorted(path.name for path in (tmp_path / "separate").iterdir()) == ["source.model", "target.model"]


@pytest.mark.parametrize("joint", [True, False])
def test_a_saved_tokenizer_loads_as_it_was(tmp_path: Path, joint: bool) -> None:
    trained = train(tmp_path / "first", joint=joint, vocab_size=300 if joint else 285)
    trained.save(tmp_path / "copy")
    loaded = Tokenizer.load(tmp_path / "copy", "none")
    assert loaded.fingerprint == trained.fingerprint
    assert loaded.joint == joint
    assert loaded.encode_target(GERMAN[:3]) == trained.encode_target(GERMAN[:3])


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=re.escape(str(tmp_path))):
        Tokenizer.load(tmp_path, "none")


@pytest.mark.parametrize("algorithm", ["unigram", "bpe"])
def test_the_same_text_trains_the_same_model_and_prints_nothing(
    tmp_path: Path, algorithm: str, capfd: pytest.CaptureFixture[str]
) -> None:
    fingerprints = {train(tmp_path / name, algorithm=algorithm).fingerprint for name in ("one", "two")}
    assert len(fingerprints) == 1
    assert capfd.readouterr() == ("", "")


def test_a_part_of_a_large_corpus_is_learned_from_and_always_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = [f"{word} {word[::-1]} {number}" for number, word in enumerate(" ".join(ENGLISH).split() * 20)]
    whole = train(tmp_path / "whole", source, source)
    monkeypatch.setattr(vocabulary, "MOST_SENTENCES", 120)
    one, two = (train(tmp_path / name, source, source) for name in ("one", "two"))
    assert one.fingerprint == two.fingerprint != whole.fingerprint


def test_many_lines_are_encoded_as_each_line_is(tokenizer: Tokenizer) -> None:
    lines = [f"{line} {number}" for number, line in enumerate(ENGLISH * (3000 // len(ENGLISH)))]
    assert tokenizer.encode_source(lines) == [tokenizer.encode_source([line])[0] for line in lines]


@pytest.mark.parametrize("algorithm", ["unigram", "bpe"])
@pytest.mark.parametrize(("size", "bound"), [(8000, "at most"), (20, "at least"), (120, "at least"), (261, "at least")])
def test_a_vocabulary_that_cannot_be_learned_names_sizes_that_work(
    tmp_path: Path, algorithm: str, size: int, bound: str
) -> None:
    with pytest.raises(DataError, match=rf"data.vocab_size: {size} .* \(\d+ {bound}\)") as caught:
        train(tmp_path, algorithm=algorithm, vocab_size=size)
    smallest, largest = map(int, re.search(r"from (\d+) to (\d+)", caught.value.hint).groups())
    for works in (smallest, largest):
        assert train(tmp_path, algorithm=algorithm, vocab_size=works).source_size == works
    for fails in (smallest - 1, largest + 1):
        with pytest.raises(DataError):
            train(tmp_path, algorithm=algorithm, vocab_size=fails)


RARE = {
    "source": [*ENGLISH, "漢字仮名交"],
    "target": [*GERMAN, "Hund"],
}  # characters that a lower coverage leaves out


@pytest.mark.parametrize(
    ("settings", "advised"),
    [
        ({"vocab_size": 40}, {"byte_fallback": False}),
        ({"vocab_size": 285, **RARE}, {"character_coverage": 0.98}),
        ({"vocab_size": 262}, {}),  # more than the text supports without bytes
        ({"vocab_size": 8}, {}),
        ({"vocab_size": 24, "byte_fallback": False}, {}),
        ({"vocab_size": 30, "byte_fallback": False, **RARE}, {"character_coverage": 0.98}),
    ],
)
def test_other_settings_are_named_where_the_size_works_with_them(
    tmp_path: Path, settings: dict[str, Any], advised: dict[str, Any]
) -> None:
    with pytest.raises(DataError, match="at least") as caught:
        train(tmp_path, **settings)
    named = re.findall(r", or data\.tokenizer\.(\w+) to ([a-z0-9.]+)", caught.value.hint)
    assert named == [(key, str(value).lower()) for key, value in advised.items()]
    for key, value in advised.items():
        assert train(tmp_path, **{**settings, key: value}).source_size == settings["vocab_size"]


def test_both_of_two_wrong_sizes_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="9000 is more than the source") as caught:
        train(tmp_path, joint=False, vocab_size=(9000, 10))
    assert [re.findall("of the (target) training text", other.message) for other in caught.value.others] == [["target"]]


def test_separate_vocabularies_take_two_sizes(tmp_path: Path) -> None:
    tokenizer = train(tmp_path, joint=False, vocab_size=(282, 285))
    assert (tokenizer.source_size, tokenizer.target_size) == (282, 285)
    with pytest.raises(DataError, match="9000 is more than the target training text supports") as caught:
        train(tmp_path, joint=False, vocab_size=(282, 9000))
    assert "set the target size of data.vocab_size" in caught.value.hint


def test_another_error_of_sentencepiece_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**arguments: object) -> None:
        raise RuntimeError("out of luck")

    monkeypatch.setattr(sentencepiece.SentencePieceTrainer, "train", fail)
    with pytest.raises(DataError, match="cannot learn from the joint training text: out of luck") as caught:
        train(tmp_path)
    assert caught.value.hint == "check data.train"


def test_text_without_a_letter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no joint text"):
        train(tmp_path, [""], [""])


def test_very_long_sentences_are_learned_from(tmp_path: Path) -> None:
    long = "zebraquokka " * 1000  # 12 kB; SentencePiece by itself skips what is longer than 4 kB
    tokenizer = train(tmp_path, [*ENGLISH, long], [*GERMAN, "kurz"], vocab_size=310)
    assert len(tokenizer.encode_source(["zebraquokka"])[0]) == 2


def test_without_byte_fallback_unknown_characters_are_unknown(tmp_path: Path) -> None:
    tokenizer = train(tmp_path, byte_fallback=False, vocab_size=50)
    assert UNK in tokenizer.encode_source(["漢"])[0]


def test_sampling_depends_on_its_seed_alone(tokenizer: Tokenizer) -> None:
    first = tokenizer.sample(ENGLISH, GERMAN, seed=1, alpha=0.3)
    other = tokenizer.sample(ENGLISH, GERMAN, seed=2, alpha=0.3)
    sentencepiece.set_random_generator_seed(99)
    assert tokenizer.sample(ENGLISH, GERMAN, seed=1, alpha=0.3) == first
    assert other != first


def test_sampling_is_the_same_in_every_process(tmp_path: Path) -> None:
    train(tmp_path)
    script = (
        "import sys; from pathlib import Path; from seq2attn.data.tokenizer import Tokenizer\n"
        "print(Tokenizer.load(Path(sys.argv[1]), 'none').sample(['a small dog runs'] * 20, [], seed=1, alpha=0.1))"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    first, second = (
        subprocess.run(command, capture_output=True, check=True, text=True, timeout=120).stdout for _ in range(2)
    )
    assert first == second
    assert len(set(map(str, ast.literal_eval(first)[0]))) > 1


def test_sampled_segmentations_vary_but_keep_the_text(tokenizer: Tokenizer) -> None:
    source, target = tokenizer.sample(ENGLISH, GERMAN, seed=1, alpha=0.3)
    assert tokenizer.decode_target(target) == GERMAN
    assert all(ids[-1] == EOS for ids in source)
    assert len({tuple(ids) for ids in source}) > 3  # 3 sentences, 20 times each


def test_bpe_without_dropout_samples_the_best_segmentation(tmp_path: Path) -> None:
    tokenizer = train(tmp_path, algorithm="bpe")
    assert tokenizer.sample(ENGLISH, GERMAN, seed=1, alpha=0.0)[0] == tokenizer.encode_source(ENGLISH)


@given(words=st.lists(st.text(min_size=1, max_size=8).filter(lambda word: word.split() == [word]), max_size=8))
@settings(deadline=None)
def test_the_words_of_the_pieces_are_those_of_their_text(
    tmp_path_factory: pytest.TempPathFactory, words: list[str]
) -> None:
    tokenizer = _shared(tmp_path_factory)
    ids, owners = tokenizer.encode_target_words(words)
    assert ids == tokenizer.encode_target([" ".join(words)])[0]
    assert len(owners) == len(ids)
    assert owners[-1] == -1
    assert owners[:-1] == sorted(owners[:-1])
    for number, word in enumerate(words):
        own = [token for token, owner in zip(ids, owners, strict=True) if owner == number]
        assert tokenizer.decode_target([own])[0] == tokenizer.decode_target(tokenizer.encode_target([word]))[0]


def test_characters_without_spaces_between_them_are_words_too(tokenizer: Tokenizer) -> None:
    word = ENGLISH[0].split()[0]
    ids, owners = tokenizer.encode_source_words(list(word), "")
    assert ids == tokenizer.encode_source([word])[0]
    assert owners == [*sorted(owners[:-1]), -1]
    assert owners[0] == 0
    assert owners[-2] < len(word)
