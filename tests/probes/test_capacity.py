"""The capacity experiment: groups and where a system gives in, its corpora, and the whole of it at a tiny size."""

from math import log2
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from seq2attn.config.data import GrammarConfig
from seq2attn.config.load import load_config
from seq2attn.grammar.corpus import generate, translate
from seq2attn.probes import capacity_runs
from seq2attn.probes.capacity import BITS, WORDS, Capacity, Group, System, Translated, gives_in, grouped

GRAMMAR = GrammarConfig(pairs=400, max_words=10, seed=3)


def group(mean: float | None, exact: float | None) -> Group:
    return Group(0, 1, 0 if mean is None else 5, mean, exact, None)


@pytest.mark.parametrize(
    ("groups", "point"),
    [
        ([(2.0, 1.0), (6.0, 0.75), (10.0, 0.25)], 8.0),
        ([(2.0, 1.0), (None, None), (10.0, 0.0)], 6.0),
        ([(2.0, 0.9), (6.0, 0.5), (10.0, 0.4)], 6.0),
        ([(2.0, 0.9), (6.0, 0.8)], None),
        ([(2.0, 0.4), (6.0, 0.8)], 0.0),
        ([(None, None)], None),
    ],
)
def test_a_system_gives_in_where_half_of_the_sentences_are_right(
    groups: list[tuple[float | None, float | None]], point: float | None
) -> None:
    assert gives_in([group(*each) for each in groups]) == (None if point is None else pytest.approx(point))


def test_sentences_are_grouped_by_words_and_by_bits_upper_ends_inclusive() -> None:
    tested = [
        Translated(4, 25.0, "ein Hund schläft hier .", "ein Hund schläft hier ."),
        Translated(5, 25.1, "eine Katze schläft hier .", "ein Hund schläft hier ."),
        Translated(8, 60.0, "ein Hund schläft hier .", "ein Hund schläft hier ."),
    ]
    words = grouped(tested, WORDS, lambda each: each.words)
    assert [(each.label, each.sentences, each.exact, each.mean) for each in words[:2]] == [
        ("1–4", 1, 1.0, 4.0),
        ("5–8", 2, 0.5, 6.5),
    ]
    assert words[0].bleu == pytest.approx(100)
    assert 50 < (words[1].bleu or 0) < 100
    assert [each.sentences for each in grouped(tested, BITS, lambda each: each.bits)] == [1, 1, 0, 1, 0][
        : len(BITS) - 1
    ]
    assert words[2].exact is words[2].bleu is words[2].mean is None


def test_repeated_phrases_grow_longer_with_hardly_more_information(tmp_path: Path) -> None:
    capacity_runs._write_phrases(GRAMMAR, tmp_path)
    new = capacity_runs._new_phrases(tmp_path, GRAMMAR, 100)
    assert len(new) == 100
    for start in range(0, 100, 4):
        once, *more = new[start : start + 4]
        assert once.target == translate(once.source)
        assert len(once.source.split()) <= capacity_runs.PHRASE_WORDS
        for times, pair in enumerate(more, 2):
            assert pair.source == " ".join([once.source] * times)
            assert pair.target == " ".join([once.target] * times)
            assert pair.bits == once.bits
    (phrase,) = [p for p in capacity_runs._phrases(100, GRAMMAR.seed + 1) if p.source == new[0].source]
    assert new[0].bits == phrase.bits + log2(4)


def test_no_phrase_is_in_two_of_the_three_sets(tmp_path: Path) -> None:
    capacity_runs._write_phrases(GRAMMAR, tmp_path)
    train, validation = (set((tmp_path / f"{role}.en").read_text().splitlines()) for role in ("train", "validation"))
    test = {pair.source for pair in capacity_runs._new_phrases(tmp_path, GRAMMAR, 1000)}
    assert train.isdisjoint(validation | test)
    assert validation.isdisjoint(test)
    assert len(train) > 200


def test_sentences_that_training_has_seen_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = load_config("configs/capacity/vector_64.yaml")
    known = generate(pairs=400, max_words=10, seed=3).train
    new = [
        pair for pair in generate(pairs=100, max_words=10, seed=4).train if pair.source not in {p.source for p in known}
    ]
    capacity_runs._write_phrases(GRAMMAR, tmp_path)
    monkeypatch.setattr(capacity_runs, "generate", lambda **_: SimpleNamespace(train=[*known, *new]))
    assert capacity_runs._new_sentences(config, GRAMMAR, 500) == new
    trained = set((tmp_path / "train.en").read_text().splitlines())
    phrases = {pair.source for pair in capacity_runs._new_phrases(tmp_path, GRAMMAR, 10_000)}
    assert phrases
    assert phrases.isdisjoint(trained)


def test_the_widths_differ_in_their_vector_alone() -> None:
    models = [load_config(f"configs/capacity/vector_{width}.yaml") for width in (64, 128, 256, 512)]
    dumps: list[dict[str, Any]] = [model.model_dump() for model in models]
    assert [dump["model"]["decoder"].pop("bottleneck") for dump in dumps] == [64, 128, 256, 512]
    assert dumps == [dumps[0]] * 4


def test_the_text_shows_every_system(tmp_path: Path) -> None:
    from seq2attn.probes import plots, plots_models

    tested = [Translated(words, 8.0 * words, "x", "x" if words < 9 else "y") for words in range(1, 21)]
    by_words, by_bits = (grouped(tested, WORDS, lambda e: e.words), grouped(tested, BITS, lambda e: e.bits))
    right = [Translated(each.words, each.bits, "x", "x") for each in tested]
    systems = (
        System("vector_64", 1000, by_words, by_bits),
        System("attention", 900, grouped(right, WORDS, lambda e: e.words), grouped(right, BITS, lambda e: e.bits)),
    )
    text = Capacity(systems).to_text()
    lines = [line.split() for line in text.splitlines()]
    assert ["vector_64", "1,000", "8", "80"] in lines
    assert ["attention", "900", "beyond", "20", "beyond", "130"] in lines
    assert ["5–8", "100%", "100%"] in lines
    plots.write(plots_models.capacity(Capacity(systems)), tmp_path / "capacity.svg")
    assert (tmp_path / "capacity.svg").stat().st_size > 5000
