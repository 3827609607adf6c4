"""The scores are sacrebleu's own, and say so."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from seq2attn.errors import DataError, UsageError
from seq2attn.evaluation.bleu import Bleu

REFERENCES = [
    "Der alte Mann liest heute Abend ein neues Buch .",
    "Weil das Kind müde ist, schläft es im Garten ein.",
    "Wir haben 1.234,5 Äpfel gekauft!",
    "Ein Hund läuft über die grüne Wiese hinter dem kleinen Haus.",
    "Ja.",
]
HYPOTHESES = [
    "der alte Mann liest heute ein neues Buch .",
    "Weil das Kind müde ist, es schläft im Garten.",
    "Wir haben 1.234,5 Äpfel Gekauft !",
    "Ein Hund läuft über die Wiese hinter dem Haus.",
    "",
]


def sacrebleu_command(folder: Path, *options: str) -> dict[str, tuple[float, str]]:
    """Scores and signatures by metric name, as the command line prints them for files."""
    (folder / "reference.de").write_text("".join(line + "\n" for line in REFERENCES), encoding="utf-8")
    (folder / "hypotheses.de").write_text("".join(line + "\n" for line in HYPOTHESES), encoding="utf-8")
    arguments = ["reference.de", "-i", "hypotheses.de", "-m", "bleu", "chrf", "ter", "-w", "6"]
    command = [sys.executable, "-m", "sacrebleu", *arguments, *options]
    printed = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=120).stdout
    return {metric["name"].split("|")[0]: (metric["score"], metric["signature"]) for metric in json.loads(printed)}


@pytest.mark.parametrize(
    ("options", "settings"),
    [
        ((), {}),
        (("-lc",), {"lowercase": True}),
        (("-tok", "none", "--force"), {"tokenize": "none"}),
        (("-tok", "char"), {"tokenize": "char"}),
    ],
)
def test_scores_equal_the_sacrebleu_command(tmp_path: Path, options: tuple[str, ...], settings: dict) -> None:
    expected = sacrebleu_command(tmp_path, *options)
    scores = Bleu("de", **settings).score(HYPOTHESES, REFERENCES)
    assert expected["BLEU"] == (pytest.approx(scores.bleu, abs=1e-6), scores.signature)
    assert expected["chrF2"] == (pytest.approx(scores.chrf, abs=1e-6), scores.chrf_signature)
    assert expected["TER"] == (pytest.approx(scores.ter, abs=1e-6), scores.ter_signature)


def test_lowercase_raises_bleu_where_only_the_case_differs() -> None:
    hypotheses, references = ["ein großer hund schläft"], ["Ein großer Hund schläft"]
    cased = Bleu("de").score(hypotheses, references)
    uncased = Bleu("de", lowercase=True).score(hypotheses, references)
    assert uncased.signature.split("|")[1] == "case:lc"
    assert cased.bleu < 50
    assert uncased.bleu == pytest.approx(100)


def test_ter_can_be_left_out() -> None:
    scores = Bleu("de").score(HYPOTHESES, REFERENCES, ter=False)
    assert (scores.ter, scores.ter_signature) == (None, None)


@pytest.mark.parametrize(
    ("language", "name"),
    [
        ("de", "13a"), ("vi", "13a"), ("ko", "13a"), ("zh", "zh"), ("zh-CN", "zh"), ("zho_Hans", "zh"),
        ("ja", "ja-mecab"), ("JA", "ja-mecab"), ("th", "char"), ("lo", "char"), ("km", "char"),
        ("my", "char"), ("bo", "char"),
    ],
)  # fmt: skip
def test_the_tokenizer_follows_the_target_language(language: str, name: str) -> None:
    assert Bleu(language).tokenizer == name
    assert Bleu(language, tokenize="none").tokenizer == "none"


def test_the_tokenizer_is_named_with_the_score() -> None:
    lines = ["我喜欢你的书。"]
    assert "|tok:zh|" in Bleu("zh").score(lines, lines).signature
    assert "|tok:13a|" in Bleu("de").score(lines, lines).signature


def test_chinese_is_scored_by_characters_not_by_lines() -> None:
    reference, near = ["我今天在学校看见了你的老师。"], ["我今天在学校看见了他的老师。"]
    assert Bleu("zh").score(near, reference).bleu > 50


def test_japanese_is_split_with_mecab() -> None:
    pytest.importorskip("MeCab")
    pytest.importorskip("ipadic")
    reference = ["私は昨日、図書館で新しい本を読みました。"]
    scores = Bleu("ja").score(["私は今日、図書館で新しい本を読みました。"], reference)
    assert "tok:ja-mecab-" in scores.signature
    assert 50 < scores.bleu < 100


def test_missing_mecab_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sacrebleu.tokenizers.tokenizer_ja_mecab.MeCab", None)
    with pytest.raises(UsageError) as error:
        Bleu("ja").score(["本"], ["本"])
    assert "seq2attn[ja]" in error.value.hint
    assert "--tokenize char" in error.value.hint


def test_an_unknown_tokenizer_names_the_nearest() -> None:
    with pytest.raises(UsageError) as error:
        Bleu("de", tokenize="13b").metric()
    assert error.value.hint == "did you mean 13a?"


@pytest.mark.parametrize(("hypotheses", "references"), [(["a"], ["a", "b"]), ([], [])])
def test_lines_without_a_partner_are_refused(hypotheses: list[str], references: list[str]) -> None:
    with pytest.raises(DataError):
        Bleu("de").score(hypotheses, references)


def test_moses_splits_words_as_moses_does_in_the_target_language() -> None:
    metric = Bleu("de", tokenize="moses").metric()
    text = 'Der Hund (alt) schläft & sagt z.B. am 3. Mai "ja".'  # in German, "3." before a month is one token
    assert metric.tokenizer(text) == 'Der Hund ( alt ) schläft & sagt z.B. am 3. Mai " ja " .'
    english = Bleu("en", tokenize="moses").metric()
    assert english.tokenizer("It's the 3. Dr. Smith, e.g.") == "It 's the 3 . Dr. Smith , e.g."


def test_moses_bleu_is_bleu_of_the_tokens_and_says_so() -> None:
    own = Bleu("de", tokenize="moses", lowercase=True)
    moses = own.metric()
    tokenized = [[moses.tokenizer(line.lower()) for line in lines] for lines in (HYPOTHESES, REFERENCES)]
    scores = own.score(HYPOTHESES, REFERENCES)
    assert scores.bleu == pytest.approx(Bleu("de", tokenize="none").score(*tokenized).bleu)
    assert "case:lc" in scores.signature
    assert "tok:moses-de-sacremoses-" in scores.signature


def test_moses_without_sacremoses_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sacremoses", None)
    with pytest.raises(UsageError, match="sacremoses") as error:
        Bleu("de", tokenize="moses").metric()
    assert "seq2attn[moses]" in str(error.value.hint)
