"""The capacity experiment: groups and where a system gives in, its corpora, and the whole of it at a tiny size."""

import re
from math import log2
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from seq2attn.config.data import GrammarConfig
from seq2attn.config.load import load_config
from seq2attn.errors import UsageError
from seq2attn.grammar.corpus import generate, translate
from seq2attn.probes import capacity_runs
from seq2attn.probes.capacity import (
    BITS,
    WORDS,
    Capacity,
    Limit,
    MeasuredSystem,
    TranslatedSentence,
    find_limit,
    group_sentences,
    measure_limit,
)

GRAMMAR = GrammarConfig(pairs=400, max_words=10, seed=3)


def words(sentence: TranslatedSentence) -> int:
    return sentence.words


def bits(sentence: TranslatedSentence) -> float:
    return sentence.bits


@pytest.mark.parametrize(
    ("groups", "point"),
    [
        ([(2.0, 1.0), (6.0, 0.75), (10.0, 0.25)], 8.0),
        ([(2.0, 1.0), (10.0, 0.0)], 6.0),
        ([(2.0, 0.9), (6.0, 0.5), (10.0, 0.4)], 6.0),
        ([(2.0, 0.9), (6.0, 0.8)], None),
        ([(2.0, 0.4), (6.0, 0.8)], 0.0),
        ([], None),
    ],
)
def test_a_system_gives_in_where_half_are_right(groups: list[tuple[float, float]], point: float | None) -> None:
    assert find_limit(groups) == (None if point is None else pytest.approx(point))


def sentences_right_up_to(limit: int, number: int) -> list[TranslatedSentence]:
    """`number` sentences of each length from 1 to 30 words, of which those of more than `limit` words are wrong."""
    return [
        TranslatedSentence(length, 6.0 * length, "x" if length <= limit else "y", "x")
        for length in range(1, 31)
        for _ in range(number)
    ]


def test_a_limit_is_that_of_the_groups_and_its_interval_holds_it() -> None:
    sentences = sentences_right_up_to(10, 20)
    groups = group_sentences(sentences, WORDS, words)
    means = [(group.mean, group.exact) for group in groups if group.mean is not None and group.exact is not None]
    limit = measure_limit(sentences, WORDS, words)
    assert limit.at == pytest.approx(find_limit(means))
    assert limit.low is not None
    assert limit.high is not None
    assert 8 < limit.low < limit.at < limit.high < 13
    assert measure_limit(sentences, WORDS, words) == limit
    few = measure_limit(sentences_right_up_to(10, 2), WORDS, words)
    assert few.low is not None
    assert few.high is not None
    assert few.high - few.low > limit.high - limit.low


@pytest.mark.parametrize(("right", "at"), [(30, None), (0, 0.0)])
def test_a_limit_beyond_every_sentence_or_before_all_is_certain(right: int, at: float | None) -> None:
    assert measure_limit(sentences_right_up_to(right, 3), WORDS, words) == Limit(at, at, at)


def test_sentences_beyond_the_last_edge_have_no_part_in_a_limit() -> None:
    longer = [TranslatedSentence(31, 300.0, "y", "x")] * 50
    assert measure_limit(sentences_right_up_to(30, 1) + longer, WORDS, words) == Limit(None, None, None)
    assert measure_limit([], WORDS, words) == Limit(None, None, None)


def test_groups_include_their_upper_edge() -> None:
    sentences = [
        TranslatedSentence(4, 25.0, "ein Hund schläft hier .", "ein Hund schläft hier ."),
        TranslatedSentence(5, 25.1, "eine Katze schläft hier .", "ein Hund schläft hier ."),
        TranslatedSentence(8, 60.0, "ein Hund schläft hier .", "ein Hund schläft hier ."),
    ]
    by_words = group_sentences(sentences, WORDS, words)
    assert [(g.label, g.sentences, g.exact, g.mean) for g in by_words[:2]] == [
        ("1–4", 1, 1.0, 4.0),
        ("5–8", 2, 0.5, 6.5),
    ]
    assert by_words[0].bleu == pytest.approx(100)
    assert 50 < (by_words[1].bleu or 0) < 100
    assert [g.sentences for g in group_sentences(sentences, BITS, bits)] == [1, 1, 0, 1, 0, 0, 0]
    assert by_words[2].exact is by_words[2].bleu is by_words[2].mean is None


def test_repeated_phrases_grow_longer_with_hardly_more_information(tmp_path: Path) -> None:
    capacity_runs._write_phrases(GRAMMAR, tmp_path)
    new = capacity_runs._draw_new_phrases(tmp_path, GRAMMAR, 100)
    assert len(new) == 100
    for start in range(0, 100, 4):
        once, *more = new[start : start + 4]
        assert once.target == translate(once.source)
        assert len(once.source.split()) <= capacity_runs.PHRASE_WORDS
        for times, pair in enumerate(more, 2):
            assert pair.source == " ".join([once.source] * times)
            assert pair.target == " ".join([once.target] * times)
            assert pair.bits == once.bits
    (phrase,) = [p for p in capacity_runs._draw_phrases(100, GRAMMAR.seed + 1) if p.source == new[0].source]
    assert new[0].bits == phrase.bits + log2(4)


def test_no_phrase_is_in_two_of_the_three_sets(tmp_path: Path) -> None:
    capacity_runs._write_phrases(GRAMMAR, tmp_path)
    train, validation = (set((tmp_path / f"{role}.en").read_text().splitlines()) for role in ("train", "validation"))
    test = {pair.source for pair in capacity_runs._draw_new_phrases(tmp_path, GRAMMAR, 1000)}
    assert train.isdisjoint(validation | test)
    assert validation.isdisjoint(test)
    assert len(train) > 200


def test_sentences_that_training_has_seen_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = load_config("configs/capacity/vector_64.yaml")
    config = config.model_copy(update={"data": config.data.model_copy(update={"train": GRAMMAR})})
    known = generate(pairs=400, max_words=10, seed=3).train
    new = [
        pair for pair in generate(pairs=100, max_words=10, seed=4).train if pair.source not in {p.source for p in known}
    ]
    capacity_runs._write_phrases(GRAMMAR, tmp_path)
    monkeypatch.setattr(capacity_runs, "generate", lambda **_: SimpleNamespace(train=[*known, *new]))
    assert capacity_runs._draw_new_sentences(config, GRAMMAR, 500) == new
    trained = set((tmp_path / "train.en").read_text().splitlines())
    phrases = {pair.source for pair in capacity_runs._draw_new_phrases(tmp_path, GRAMMAR, 10_000)}
    assert phrases
    assert phrases.isdisjoint(trained)


def test_the_widths_differ_in_their_vector_alone() -> None:
    models = [load_config(f"configs/capacity/vector_{width}.yaml") for width in (64, 128, 256, 512, 1024)]
    dumps: list[dict[str, Any]] = [model.model_dump() for model in models]
    assert [dump["model"]["decoder"].pop("bottleneck") for dump in dumps] == [64, 128, 256, 512, 1024]
    assert dumps == [dumps[0]] * 5


def make_system(name: str, faultless_up_to: int, vector: int | None = None) -> MeasuredSystem:
    """A system that translates sentences of up to so many words without a fault, and no longer one."""
    sentences = sentences_right_up_to(faultless_up_to, 1)
    return MeasuredSystem(
        name,
        1000,
        200,
        vector,
        group_sentences(sentences, WORDS, words),
        group_sentences(sentences, BITS, bits),
        measure_limit(sentences, WORDS, words),
        measure_limit(sentences, BITS, bits),
    )


def test_the_text_shows_every_system() -> None:
    result = Capacity((make_system("vector_64", 8), make_system("attention", 30)))
    lines = [line.split() for line in result.to_text().splitlines()]
    (vector,) = [line for line in lines if line[:4] == ["vector_64", "1,000", "200", "8"]]
    assert re.fullmatch(r"\((\d+)–(\d+)\)", vector[4])
    assert ["attention", "1,000", "200", "beyond", "30", "beyond", "190"] in lines
    assert ["5–8", "100%", "100%"] in lines
    assert result.verdict == ""


def test_a_system_that_has_not_learned_is_named() -> None:
    result = Capacity((make_system("vector_64", 0), make_system("vector_512", 8), make_system("uniform", 0)))
    assert result.verdict.startswith("`vector_64` and `uniform` have not learned to translate yet")
    assert result.verdict in result.to_text()
    assert ["uniform", "1,000", "200", "not", "learned", "yet", "not", "learned", "yet"] in [
        line.split() for line in result.to_text().splitlines()
    ]
    assert [system["learned"] for system in result.to_json()["systems"]] == [False, True, False]
    one = Capacity((make_system("attention", 0),))
    assert one.verdict.startswith("`attention` has not learned to translate yet")


def test_every_system_is_drawn_by_words_and_by_bits() -> None:
    pytest.importorskip("matplotlib")
    from seq2attn.probes.pictures import draw

    systems = (make_system("vector_64", 8, 64), make_system("attention", 30))
    figure = draw(Capacity(systems))
    by_words, by_bits, at_words, at_bits = figure.get_axes()
    for axes, groups in ((by_words, [s.by_words for s in systems]), (by_bits, [s.by_bits for s in systems])):
        curves = [line for line in axes.lines if not str(line.get_label()).startswith("_")]
        assert [line.get_label() for line in curves] == ["vector_64", "attention"]
        for line, filled in zip(curves, groups, strict=True):
            assert list(line.get_xdata()) == [g.mean for g in filled if g.sentences]
            assert list(line.get_ydata()) == [g.exact for g in filled if g.sentences]
    assert by_words.get_xlabel() == "words of the source"
    assert by_bits.get_xlabel() == "information of the source in bits"
    assert by_words.get_ylabel() == "share translated without any fault"
    for axes, limit, end in ((at_words, systems[0].words, 30), (at_bits, systems[0].bits, 190)):
        (points,) = axes.containers
        assert points.lines[0].get_xydata().tolist() == [[64, limit.at]]
        (ends,) = points.lines[2][0].get_segments()
        assert ends[:, 1].tolist() == pytest.approx([limit.low, limit.high])
        assert [line.get_ydata()[0] for line in axes.lines if line.get_linestyle() == "--"] == [end]
        assert [text.get_text() for text in axes.texts] == ["attention: beyond"]


# ---- the folder of the experiment


@pytest.mark.parametrize(
    "changed", [{"pairs": 300}, {"seed": 4}, {"max_words": 12}, {"shares": (1, 2)}, {"grammar": "another lexicon"}]
)
def test_other_phrases_have_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any]
) -> None:
    small = GrammarConfig(pairs=200, max_words=10, seed=3)
    first = capacity_runs._prepare_phrases(tmp_path, small)
    assert capacity_runs._prepare_phrases(tmp_path, small) == first
    version = changed.pop("grammar", None)
    if version:
        monkeypatch.setattr(capacity_runs, "grammar_version", lambda: version)
    assert capacity_runs._prepare_phrases(tmp_path, small.model_copy(update=changed)) != first


def test_an_unwritable_folder_is_blamed_on_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    out = tmp_path / "file" / "out"
    with pytest.raises(UsageError) as error:
        capacity_runs._prepare_phrases(out, GrammarConfig(pairs=200, max_words=10))
    assert error.value.message == f"--out {out}: cannot be written: Not a directory"
    assert error.value.hint == "choose another --out"
