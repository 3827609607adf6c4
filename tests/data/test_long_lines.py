"""Where a long line is cut."""

from hypothesis import given
from hypothesis import strategies as st

from seq2attn.data.long_lines import split
from tests.examples import examples


def parts(text: str, longest: int) -> list[str]:
    return split(text, lambda part: len(part) <= longest)


def test_a_line_that_fits_is_one_part() -> None:
    assert parts("One. Two.", 9) == ["One. Two."]
    assert parts(" ", 9) == []


def test_sentences_stay_whole_where_they_fit() -> None:
    assert parts('He said: "No!" She left. They met again (twice). End', 26) == [
        'He said: "No!" She left.',
        "They met again (twice).",
        "End",
    ]
    assert parts("这是第一句。这是第二句！“第三句？”完", 7) == ["这是第一句。", "这是第二句！", "“第三句？”完"]


def test_long_sentences_are_cut_at_spaces_and_words_anywhere() -> None:
    assert parts("one two three four", 10) == ["one two", "three four"]
    assert parts("abcdefgh", 3) == ["ab", "cd", "ef", "gh"]
    assert parts("Pi is 3.14159 not 3", 13) == ["Pi is", "3.14159 not 3"]  # no sentence ends inside a number


@given(
    text=st.text(st.sampled_from("ab .!?。\u2028\x00é ") | st.characters(exclude_categories=["Cs"])),
    longest=st.integers(1, 9),
)
@examples(300)
def test_parts_fit_are_not_blank_and_lose_nothing_but_space(text: str, longest: int) -> None:
    found = parts(text, longest)
    assert all(0 < len(part) <= longest and part == part.strip() for part in found)
    assert "".join("".join(found).split()) == "".join(text.split())


def test_a_very_long_line_is_not_cut_too_finely() -> None:
    for text in ("word " * 100_000, "Word. " * 100_000, "x" * 500_000, "." * 500_000 + "x", '."' * 250_000):
        found = parts(text, 1000)
        assert len(text) / 1000 <= len(found) <= 2.2 * len(text) / 1000
