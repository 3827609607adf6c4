"""What is said about the corpora of a run."""

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


@pytest.mark.parametrize("line", ["x" * 878_000, "ka " * 9000])
def test_a_validation_line_without_end_is_refused(tmp_path: Path, line: str) -> None:
    write_corpus(tmp_path)
    write(tmp_path, "validation", ["ka", line])
    with pytest.raises(DataError, match=rf"^{tmp_path}/validation.en:2: "):
        load(tmp_path)


def test_a_header_that_became_a_pair_is_said(tmp_path: Path) -> None:
    write_corpus(tmp_path)
    rows = "".join(f"{word} {word}\tx{word}\n" for word in WORDS)
    for first, said in (("en\tGerman\n", True), ("ka mi\tto\n", False)):
        (tmp_path / "train.tsv").write_text(first + rows * 2)
        notes = load(tmp_path, f"data.train={{type: tsv, path: {tmp_path}/train.tsv}}").notes
        expected = f"{tmp_path}/train.tsv:1: looks like a header, but is a training pair; if it is one, set "
        assert [note for note in notes if "looks like" in note] == (
            [f"{expected}source_column: en, target_column: German"] if said else []
        )


@pytest.mark.parametrize(("language", "code"), [("cn", "zh"), ("jp", "ja"), ("de", None), ("pt_BR", None)])
def test_a_language_that_is_no_code_is_said(tmp_path: Path, language: str, code: str | None) -> None:
    write_corpus(tmp_path)
    for role in ("train", "validation"):
        (tmp_path / f"{role}.de").rename(tmp_path / f"{role}.{language}")
    notes = [note for note in load(tmp_path, f"data.target={language}").notes if note.startswith("data.target")]
    assert [note.partition(";")[0] for note in notes] == (
        [] if code is None else [f"data.target: {language} is no language code, {code} is likely meant"]
    )
