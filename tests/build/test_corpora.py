"""What is said about the corpora of a run."""

import json
import re
import unicodedata
from pathlib import Path

import pytest

from seq2attn.build.corpora import Corpora, hash_sources, load_corpora, resolve_normalization
from seq2attn.errors import DataError
from tests.tiny import WORDS, tiny, write_corpus


def load(folder: Path, *overrides: str) -> Corpora:
    config = tiny(folder, "data.vocab_size=30", *overrides)
    return load_corpora(config, hash_sources(config))


def write(folder: Path, name: str, sentences: list[str]) -> None:
    for language in ("en", "de"):
        (folder / f"{name}.{language}").write_text("".join(f"{language} {sentence}\n" for sentence in sentences))


def test_repeated_pairs_and_known_validation_pairs_are_said(tmp_path: Path) -> None:
    sentences = [" ".join(WORDS[number:] + WORDS[:number]) for number in range(len(WORDS))]
    write(tmp_path, "train", sentences)
    write(tmp_path, "validation", ["ka mi", "lo ka"])
    assert load(tmp_path).notes == []
    write(tmp_path, "train", [*sentences, *sentences[:5]])
    write(tmp_path, "validation", ["ka mi", *sentences[:3]])
    repeated, shared = load(tmp_path).notes
    assert repeated == f"{tmp_path}/train: 5 of 17 pairs repeat an earlier one"
    assert shared.startswith(f"{tmp_path}/validation: 3 of 4 pairs are training pairs too: ")
    write(tmp_path, "train", [*sentences, sentences[0]])
    write(tmp_path, "validation", ["ka mi", sentences[0]])
    repeated, shared = load(tmp_path).notes
    assert repeated == f"{tmp_path}/train: 1 of 13 pairs repeats an earlier one"
    assert shared.startswith(f"{tmp_path}/validation: 1 of 2 pairs is a training pair too: ")


def test_validation_that_is_the_training_text_is_said(tmp_path: Path) -> None:
    write_corpus(tmp_path)
    *_, note = load(tmp_path, f"data.validation={tmp_path}/train").notes
    assert note.startswith(f"{tmp_path}/train: 120 of 120 pairs are training pairs too: ")


COMPOSED, DECOMPOSED = (unicodedata.normalize(form, "é ü ñ") for form in ("NFC", "NFD"))


@pytest.mark.parametrize(
    ("sentences", "asked", "form", "is_alike"),
    [
        ([COMPOSED] * 2, "auto", "nfc", True),
        ([COMPOSED, DECOMPOSED], "auto", "none", False),
        ([COMPOSED, DECOMPOSED], "nfc", "nfc", True),
        ([COMPOSED] * 2, "none", "none", False),
        (["\ufb01n é ü ñ"] * 2, "nfkc", "nfkc", True),
    ],
)
def test_text_is_normalized_as_the_config_says(
    tmp_path: Path, sentences: list[str], asked: str, form: str, is_alike: bool
) -> None:
    write(tmp_path, "train", [*sentences, *(" ".join(WORDS[number:]) for number in range(9))])
    write(tmp_path, "validation", [DECOMPOSED])
    settings = ("data.vocab_size=295", "data.tokenizer={type: bpe, byte_fallback: true}")
    config = tiny(tmp_path, *settings, f"data.normalization={asked}")
    fingerprints = hash_sources(config)
    corpora = load_corpora(config, fingerprints)
    assert corpora.tokenizer.normalization == form
    assert resolve_normalization(config, fingerprints).data.normalization == form
    composed, decomposed = corpora.tokenizer.encode_source([COMPOSED, DECOMPOSED])
    assert (composed == decomposed) == is_alike
    assert list(corpora.validation.target) == [f"de {DECOMPOSED}"]  # a reference stays as it is
    mixed = any("not in Unicode's normalization form C" in note for note in corpora.notes)
    assert mixed == (form == "none" and DECOMPOSED in sentences)


def test_the_sources_decide_on_the_normalization(tmp_path: Path) -> None:
    rest = [" ".join(WORDS[number:]) for number in range(9)]
    write(tmp_path, "train", [COMPOSED, *rest])
    write(tmp_path, "validation", ["ka"])
    (tmp_path / "train.de").write_text("".join(f"de {sentence}\n" for sentence in [DECOMPOSED, *rest]))
    corpora = load(tmp_path, "data.vocab_size=295", "data.tokenizer={type: bpe, byte_fallback: true}")
    assert corpora.tokenizer.normalization == "nfc"
    [note] = corpora.notes
    assert note.startswith(f"{tmp_path}/train: 1 target is in another Unicode form than NFC, ")


@pytest.mark.parametrize(
    ("line", "counted", "hint"),
    [
        ("x" * 878_000, r"at least [\d,]+", r"$"),
        ("ka " * 9000, r"\d+", r", or set training.batch_tokens to \d+$"),
    ],
)
def test_a_validation_line_without_end_is_refused(tmp_path: Path, line: str, counted: str, hint: str) -> None:
    write_corpus(tmp_path)
    write(tmp_path, "validation", ["ka", line])
    hint = r"split the pair into shorter ones, or delete it, on both sides" + hint
    message = rf"^{tmp_path}/validation.en:2: {counted} subwords, but validation takes [\d,]+ at most$"
    with pytest.raises(DataError, match=message) as caught:
        load(tmp_path)
    assert re.match(hint, caught.value.hint)


@pytest.mark.parametrize(
    ("words", "setting"),
    [
        (600, "data.max_length=50"),
        (60, "model.encoder={type: transformer, layers: 1, feedforward: 8, positions: learned}"),
        (60, "model.decoder.attention.score={type: location, max_source: 50}"),
    ],
)
def test_the_hint_for_a_long_validation_line_works(tmp_path: Path, words: int, setting: str) -> None:
    write_corpus(tmp_path)
    write(tmp_path, "validation", ["ka " * words])
    overrides = ["data.max_length=50", "training.batch_tokens=50", setting]
    with pytest.raises(DataError) as caught:
        load(tmp_path, *overrides)
    advised = [f"{key}={value}" for key, value in re.findall(r"([a-z_.]+) to (\d+)", caught.value.hint)]
    assert advised
    load(tmp_path, *overrides, *advised)


@pytest.mark.parametrize(("role", "pair"), [("train", "training"), ("validation", "validation")])
def test_a_header_that_became_a_pair_is_said(tmp_path: Path, role: str, pair: str) -> None:
    write_corpus(tmp_path)
    rows = "".join(f"{word} {word}\tx{word}\n" for word in WORDS)
    for first, said in (("en\tGerman\n", True), ("ka mi\tto\n", False)):
        (tmp_path / f"{role}.tsv").write_text(first + rows * 2)
        notes = load(tmp_path, f"data.{role}={{type: tsv, path: {tmp_path}/{role}.tsv}}").notes
        expected = f"{tmp_path}/{role}.tsv:1: looks like a header, but is a {pair} pair; if it is one, set "
        assert [note for note in notes if "looks like" in note] == (
            [f"{expected}source_column: en, target_column: German"] if said else []
        )


@pytest.mark.parametrize(("language", "code"), [("cn", "zh"), ("jp", "ja"), ("de", None), ("pt_BR", None)])
def test_a_language_that_is_no_code_is_said(tmp_path: Path, language: str, code: str | None) -> None:
    write_corpus(tmp_path)
    for role in ("train", "validation"):
        (tmp_path / f"{role}.de").rename(tmp_path / f"{role}.{language}")
    notes = [note for note in load(tmp_path, f"data.target={language}").notes if note.startswith("data.target")]
    start = f"data.target: {language} is no language code, {code} is likely meant"
    end = f": set data.target: {code} and call the files .{code}"
    assert [note.partition(";")[0] for note in notes] == ([] if code is None else [start])
    assert all(note.endswith(end) for note in notes)


def test_what_to_do_about_a_language_follows_the_kind_of_source(tmp_path: Path) -> None:
    write_corpus(tmp_path)
    pairs = [(f"{word} {word}", f"x{word}") for word in WORDS] * 3
    (tmp_path / "pairs.tsv").write_text("".join(f"{source}\t{target}\n" for source, target in pairs))
    rows = [json.dumps({"en": source, "cn": target}) + "\n" for source, target in pairs]
    (tmp_path / "pairs.jsonl").write_text("".join(rows))
    for kind, does in (("tsv", ""), ("jsonl", " and target_field: cn")):
        section = f"{{type: {kind}, path: {tmp_path}/pairs.{kind}}}"
        settings = [f"data.{role}={section}" for role in ("train", "validation", "test")]
        [note] = [note for note in load(tmp_path, "data.target=cn", *settings).notes if note.startswith("data.target")]
        assert note.endswith(f": set data.target: zh{does}")


def test_references_that_bleu_does_not_split_are_said(tmp_path: Path) -> None:
    write_corpus(tmp_path)
    (tmp_path / "validation.en").write_text("ka mi\n" * 4)
    (tmp_path / "validation.de").write_text("我今天在学校看见了你的老师。\n" * 4)
    said = f"{tmp_path}/validation: 4 of 4 references have no spaces between words"
    assert any(note.startswith(said) for note in load(tmp_path).notes)
