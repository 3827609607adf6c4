"""From attention weights to links between words."""

from pathlib import Path

import pytest
import torch

from seq2attn.config.attention import LocationConfig
from seq2attn.evaluation.alignment import GoldLinks
from seq2attn.inference.align import measure_alignment
from seq2attn.inference.model import load
from seq2attn.inference.words import WordPair, link_words, merge_subwords
from seq2attn.models.maps import trace_maps
from tests.laws.systems import MODELS, sentences, system

# three source words of 1, 2 and 1 subwords, two target words of 2 and 1
PAIR = WordPair(torch.zeros(1, 5), torch.zeros(1, 4), [0, 1, 1, 2, -1], [0, 0, 1, -1])


def test_subwords_are_merged_to_words() -> None:
    weights = torch.tensor(
        [
            [0.1, 0.2, 0.3, 0.0, 0.4],
            [0.7, 0.1, 0.1, 0.1, 0.0],
            [0.0, 0.0, 0.2, 0.3, 0.5],
            [0.0, 0.0, 0.0, 0.0, 1.0],
        ]
    )
    merged = merge_subwords(weights, PAIR)
    torch.testing.assert_close(merged, torch.tensor([[0.4, 0.35, 0.05], [0.0, 0.2, 0.3]], dtype=torch.float64))
    assert link_words(weights, PAIR) == {(0, 0), (2, 1)}


def test_a_word_whose_weight_is_all_on_the_end_has_no_link() -> None:
    weights = torch.zeros(4, 5)
    weights[:, 4] = 1
    assert link_words(weights, PAIR) == frozenset()


WITHOUT = [name for name in MODELS if "lstm decoder" in name or (name.startswith("lstm") and "transformer" not in name)]


@pytest.mark.parametrize("name", [name for name in MODELS if name not in WITHOUT])
def test_every_attention_to_the_source_gives_a_map(name: str) -> None:
    torch.manual_seed(0)
    network = system(name)
    source, target = sentences([7]), sentences([6])
    maps = trace_maps(network, source, target)
    assert maps
    for each in maps:
        assert each.weights.shape == (6, 7)
        assert each.weights.min() >= 0
        if "adaptive" not in name and "local" not in name:
            torch.testing.assert_close(each.weights.sum(1), torch.ones(6))
    again = trace_maps(network, source, target)
    assert all(torch.equal(one.weights, two.weights) for one, two in zip(maps, again, strict=True))


@pytest.mark.parametrize("name", WITHOUT)
def test_a_fixed_vector_gives_none(name: str) -> None:
    assert trace_maps(system(name), sentences([7]), sentences([6])) == []


def test_pairs_that_are_longer_than_the_model_can_read_are_left_out(trained: Path) -> None:
    model = load(trained)
    short = model.config.model.decoder.attention.model_copy(  # type: ignore[union-attr]
        update={"score": LocationConfig(max_source=3)}
    )
    decoder = model.config.model.decoder.model_copy(update={"attention": short})
    model.config = model.config.model_copy(update={"model": model.config.model.model_copy(update={"decoder": decoder})})
    assert model.config.longest_source == 3
    nothing = GoldLinks(frozenset(), frozenset())
    assert measure_alignment(model, [("ka ko ka ko ka ko", "wa")], [nothing]).sentences == 0


def test_uniform_attention_gives_equal_weights() -> None:
    (only,) = trace_maps(system("uniform"), sentences([7]), sentences([6]))
    torch.testing.assert_close(only.weights, torch.full((6, 7), 1 / 7))


def test_pairs_without_words_are_left_out(trained: Path) -> None:
    nothing = GoldLinks(frozenset(), frozenset())
    found = measure_alignment(load(trained), [("", "x"), ("a b", "c d")], [nothing, nothing])
    assert found.sentences == 1
