"""Names of languages that are no codes, and cells that are names of columns."""

import pytest

from seq2attn.data.headers import describe_header, is_header
from seq2attn.data.languages import guess_code
from seq2attn.data.sources import JsonLines, Tsv


@pytest.mark.parametrize(
    ("names", "code"),
    [
        ("cn chn hk zhs zhcn mandarin Chinese simplified_chinese chinese-traditional", "zh"),
        ("cantonese", "yue"),
        ("jp jap Japanese", "ja"),
        ("kh khmer", "km"),
        ("burmese myanmar", "my"),
        ("tibetan", "bo"),
        ("farsi persian", "fa"),
        ("ua ukrainian", "uk"),
        ("swedish", "sv"),
        ("zh zho zh_CN zho_Hans en-US pt_BR tw src x", None),  # tw is Twi
    ],
)
def test_the_code_that_is_meant_is_guessed(names: str, code: str | None) -> None:
    assert {guess_code(name) for name in names.split()} == {code}


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        (("source_text", "target_text"), True),
        (("sentence_en", "sentence_de"), True),
        (('"en"', '"de"'), True),
        (("#en", "#de"), True),
        (("# Source (en)", "# Target (de)"), True),
        (("en_text", "text_de"), True),
        (("sentence1", "sentence2"), True),
        (("en-US", "de_DE"), True),
        (("eng", "deu"), True),
        (("original", "translated"), True),
        (("source sentence", "target sentence"), True),
        (("input_text", "target"), True),
        (("ENGLISH ", "GERMAN"), True),
        (("no", "nein"), False),
        (("Source", "Quelle"), False),
        (("The text.", "Der Text."), False),
        (("12", "12"), False),
        (("it", "es"), False),
    ],
)
def test_a_header_is_seen(pair: tuple[str, str], expected: bool) -> None:
    assert all(is_header(cell, ("en", "de")) for cell in pair) == expected


def test_a_header_is_told_with_what_to_set() -> None:
    table = Tsv("some table.tsv", 0, 1)
    said = describe_header(table, "x:1", ("#en", "GERMAN "), "training", ("en", "de"))
    assert said == (
        "x:1: looks like a header, but is a training pair; if it is one, "
        'set source_column: "#en", target_column: "GERMAN "'
    )
    said = describe_header(table, "x:1", ("en", "de"), "test", ("en", "de"))
    assert said.endswith("""--test '{type: tsv, path: "some table.tsv", source_column: en, target_column: de}'""")
    assert describe_header(JsonLines("x", "en", "de"), "x:1", ("en", "de"), "test", ("en", "de")) == ""
