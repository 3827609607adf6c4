"""The probes of trained models: what they count is what the attentions do."""

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from seq2attn.attention import AttentionModule, Request
from seq2attn.build.model import build_seq2seq
from seq2attn.config.model import ModelConfig
from seq2attn.errors import UsageError
from seq2attn.inference.model import Model, load
from seq2attn.probes import attention, heads
from seq2attn.probes.sites import chosen_pairs, encoded_pair, sites
from tests.laws.systems import MODELS
from tests.tiny import tiny

TRANSFORMER = MODELS["transformer"]
WATCHED = [name for name in MODELS if not name.startswith(("lstm", "transformer encoder, lstm"))]


def pairs_of(corpus: Path, count: int = 3) -> list[tuple[str, str]]:
    return chosen_pairs(tiny(corpus), str(corpus / "test"), count)


def untrained(name: str, trained: Path) -> Model:
    """The tokenizer of the trained run around another network, in fp64."""
    model = load(trained)
    config = ModelConfig.model_validate({"embedding": {"width": 8}} | MODELS[name])
    torch.manual_seed(1)
    sizes = {"source_size": model.tokenizer.source_size, "target_size": model.tokenizer.target_size}
    network = build_seq2seq(config, **sizes, max_length=40).double().eval()
    return Model(network, model.tokenizer, model.config.model_copy(update={"model": config}), Path(name))


def traced(model: Model, around: torch.nn.Module, pair: tuple[str, str]) -> Tensor:
    """The weights "H Q S" of one attention over one pair, asked for from outside."""
    found: list[Tensor] = []
    hooks = [
        around.register_forward_pre_hook(lambda _, call: (call[0]._replace(trace=True), *call[1:])),
        around.register_forward_hook(lambda _, args, output: found.append(output.weights[0])),
    ]
    with torch.no_grad():
        model.network(*encoded_pair(model.tokenizer, pair))
    for hook in hooks:
        hook.remove()
    return torch.cat(found, 1)


@pytest.mark.parametrize("name", WATCHED)
def test_every_attention_is_watched_and_its_figures_are_possible(name: str, trained: Path, corpus: Path) -> None:
    model = untrained(name, trained)
    found = attention.measure(model, pairs_of(corpus), seed=1)
    assert {(row.place, row.layer) for row in found.rows} == {(site.place, site.layer) for site in sites(model.network)}
    for row in found.rows:
        assert row.queries > 0
        for shape in (row.trained, row.random):
            assert 0 <= shape.zeros <= shape.small <= 1
            assert 0 <= shape.entropy <= 1 + 1e-12
            assert 1 <= shape.support <= row.keys + 1e-9


@pytest.mark.parametrize("name", ["transformer", "bahdanau", "three hops", "grouped heads", "latent", "sparsemax"])
def test_the_figures_of_each_part_are_those_of_its_traced_weights(name: str, trained: Path, corpus: Path) -> None:
    (matching,) = [each for each in MODELS if each == name] or [next(each for each in MODELS if name in each)]
    (pair,) = pairs_of(corpus, 1)
    expected = {}
    model = untrained(matching, trained)
    for site in sites(model.network):
        weights = traced(model, site.around, pair)
        causal = site.place == "target to target"
        for part, own in zip(site.parts, weights, strict=True):
            rows = [row[: number + 1] if causal else row for number, row in enumerate(own)]
            choices = [row for row in rows if len(row) > 1]
            entropies = [float(-torch.xlogy(row, row).sum()) / math.log(len(row)) for row in choices]
            zeros = [float((row == 0).double().mean()) for row in choices]
            expected[site.place, site.layer, part] = sum(entropies) / len(choices), sum(zeros) / len(choices)
    found = attention.measure(untrained(matching, trained), [pair], seed=1).rows
    assert {(r.place, r.layer, r.part): (r.trained.entropy, r.trained.zeros) for r in found} == {
        key: (pytest.approx(entropy), pytest.approx(zeros)) for key, (entropy, zeros) in expected.items()
    }


def test_uniform_attention_weighs_all_keys_alike(trained: Path, corpus: Path) -> None:
    (row,) = attention.measure(untrained("uniform", trained), pairs_of(corpus), seed=1).rows
    assert (row.trained.entropy, row.trained.support) == (pytest.approx(1), pytest.approx(row.keys))
    assert row.random.entropy < 0.95


def test_random_scores_already_give_sparsemax_many_zeros(trained: Path, corpus: Path) -> None:
    one, other = (
        attention.measure(untrained("sparsemax", trained), pairs_of(corpus, 8), seed=s).rows[0] for s in (1, 2)
    )
    assert one.random.zeros == pytest.approx(other.random.zeros, abs=0.05)
    assert one.random != other.random
    assert one.trained == other.trained
    assert 0.6 < one.random.zeros < 0.9


def test_masking_a_head_is_leaving_it_out_of_the_sum(trained: Path) -> None:
    model = untrained("transformer", trained)
    for site in sites(model.network):
        assert isinstance(site.around, AttentionModule)
    (first, *_) = sites(model.network)
    layer = first.around
    x = torch.randn(1, 5, 8, dtype=torch.float64)
    mask = torch.ones(1, 5, dtype=torch.bool)
    parts = []

    def output(states: Tensor) -> Tensor:
        return layer(Request(states, torch.arange(5)), layer.remember(states, mask)).context  # type: ignore[operator, union-attr]

    with torch.no_grad():
        whole = output(x)
        for _ in heads._masked(layer, lambda: parts.append(output(x)) or 0.0):  # type: ignore[arg-type, func-returns-value]
            pass
        assert torch.equal(output(x), whole)  # nothing stays masked
    bias = layer.output.bias  # type: ignore[union-attr]
    assert torch.allclose(sum(whole - part for part in parts) + bias, whole, atol=1e-12)


def test_a_head_that_looks_at_one_distance_is_described_by_it(trained: Path, corpus: Path) -> None:
    model = untrained("transformer", trained)
    site = sites(model.network)[0]

    def looks(distance: int) -> heads.Look:
        total = heads._Total(site)
        size = 10
        weights = torch.zeros(1, 2, size, size)
        for query in range(size):
            weights[0, :, query, min(max(query + distance, 0), size - 1)] = 1
        total.add(attention_output(weights))
        return total.looks()[1]

    assert str(looks(-1)).startswith("the subword before (0.9")
    assert str(looks(2)).startswith("+2 subwords (0.7")
    assert str(looks(9)).startswith("the sentence mark (1.00")
    assert looks(0).largest == 1


def attention_output(weights: Tensor) -> object:
    from seq2attn.attention import AttentionOutput

    return AttentionOutput(torch.zeros(1, weights.shape[2], 3), weights)


def test_heads_need_a_model_with_heads(trained: Path, corpus: Path) -> None:
    with pytest.raises(UsageError, match="none of its attentions has heads"):
        heads.measure(load(trained), pairs_of(corpus))


def test_every_head_is_masked_and_the_model_stays_as_it_was(trained: Path, corpus: Path) -> None:
    model = untrained("transformer", trained)
    model.network.float()
    before = {name: tensor.clone() for name, tensor in model.network.state_dict().items()}
    found = heads.measure(model, pairs_of(corpus))
    assert len(found.heads) == 2 * (2 + 2 + 2)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.network.state_dict().items())
    assert "nrefs:1" in found.to_text()


def test_sentences_are_spread_over_the_test_set(corpus: Path) -> None:
    lines = (corpus / "test.en").read_text().splitlines()
    assert [source for source, _ in pairs_of(corpus, 4)] == lines[::2]
    assert len(pairs_of(corpus, 99)) == len(lines)


def test_without_a_test_set_the_validation_set_is_watched(corpus: Path) -> None:
    (first, *_) = chosen_pairs(tiny(corpus), None, 3)
    assert first[0] == (corpus / "validation.en").read_text().splitlines()[0]
