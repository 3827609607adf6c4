"""The probes of trained models: what they count is what the attentions do."""

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from seq2attn.attention import AttentionOutput, MultiHead, Request
from seq2attn.build.model import build_seq2seq
from seq2attn.config.model import ModelConfig
from seq2attn.errors import UsageError
from seq2attn.inference.model import Model, load
from seq2attn.models.sites import AttentionSite, find_attentions
from seq2attn.probes.attention import describe_rows, measure_attention, watch_normalizers
from seq2attn.probes.heads import AttentionPattern, HeadImportance, MaskedHead, WeightTotals, mask_head, measure_heads
from seq2attn.probes.sentences import Quality, choose_pairs, encode_pair, has_learned
from tests.laws.systems import MODELS
from tests.tiny import tiny

TRANSFORMER = MODELS["transformer"]
WATCHED = [name for name in MODELS if not name.startswith(("lstm", "transformer encoder, lstm"))]


def pairs_of(corpus: Path, count: int = 3) -> list[tuple[str, str]]:
    return choose_pairs(tiny(corpus), str(corpus / "test"), count, corpus)


def untrained(name: str, trained: Path) -> Model:
    """The tokenizer of the trained run around another network, in fp64."""
    model = load(trained)
    config = ModelConfig.model_validate({"embedding": {"width": 8}} | MODELS[name])
    torch.manual_seed(1)
    sizes = {"source_size": model.tokenizer.source_size, "target_size": model.tokenizer.target_size}
    network = build_seq2seq(config, **sizes, max_length=40).double().eval()
    return Model(network, model.tokenizer, model.config.model_copy(update={"model": config}), Path(name))


def trace(model: Model, holder: torch.nn.Module, pair: tuple[str, str]) -> Tensor:
    """The weights "H Q S" of one attention over one pair, asked for from outside."""
    weights: list[Tensor] = []
    hooks = [
        holder.register_forward_pre_hook(lambda _, call: (call[0]._replace(trace=True), *call[1:])),
        holder.register_forward_hook(lambda _, args, output: weights.append(output.weights[0])),
    ]
    with torch.no_grad():
        model.network(*encode_pair(model.tokenizer, pair))
    for hook in hooks:
        hook.remove()
    return torch.cat(weights, 1)


@pytest.mark.parametrize("name", WATCHED)
def test_every_attention_is_watched_and_its_figures_are_possible(name: str, trained: Path, corpus: Path) -> None:
    model = untrained(name, trained)
    rows = measure_attention(model, pairs_of(corpus), seed=1).rows
    assert {(row.place, row.layer) for row in rows} == {
        (site.place, site.layer) for site in find_attentions(model.network)
    }
    for row in rows:
        assert row.queries > 0
        for statistics in (row.trained, row.random):
            assert 0 <= statistics.zeros <= statistics.small <= 1
            assert 0 <= statistics.entropy <= 1 + 1e-12
            assert 1 <= statistics.support <= row.keys + 1e-9


@pytest.mark.parametrize("name", ["transformer", "bahdanau", "three hops", "grouped heads", "latent", "sparsemax"])
def test_the_figures_of_each_part_follow_from_its_weights(name: str, trained: Path, corpus: Path) -> None:
    matching = name if name in MODELS else next(system for system in MODELS if name in system)
    (pair,) = pairs_of(corpus, 1)
    expected = {}
    model = untrained(matching, trained)
    for site in find_attentions(model.network):
        weights = trace(model, site.holder, pair)
        causal = site.place == "target to target"
        for part, by_query in zip(site.parts, weights, strict=True):
            rows = [row[: number + 1] if causal else row for number, row in enumerate(by_query)]
            choices = [row for row in rows if len(row) > 1]
            entropies = [float(-torch.xlogy(row, row).sum()) / math.log(len(row)) for row in choices]
            zeros = [float((row == 0).double().mean()) for row in choices]
            expected[site.place, site.layer, part] = sum(entropies) / len(choices), sum(zeros) / len(choices)
    measured = measure_attention(untrained(matching, trained), [pair], seed=1).rows
    assert {(r.place, r.layer, r.part): (r.trained.entropy, r.trained.zeros) for r in measured} == {
        key: (pytest.approx(entropy), pytest.approx(zeros)) for key, (entropy, zeros) in expected.items()
    }


def test_uniform_attention_weighs_all_keys_alike(trained: Path, corpus: Path) -> None:
    (row,) = measure_attention(untrained("uniform", trained), pairs_of(corpus), seed=1).rows
    assert (row.trained.entropy, row.trained.support) == (pytest.approx(1), pytest.approx(row.keys))
    assert row.random.entropy < 0.95


def test_random_scores_already_give_sparsemax_many_zeros(trained: Path, corpus: Path) -> None:
    one, other = (
        measure_attention(untrained("sparsemax", trained), pairs_of(corpus, 8), seed=s).rows[0] for s in (1, 2)
    )
    assert one.random.zeros == pytest.approx(other.random.zeros, abs=0.05)
    assert one.random != other.random
    assert one.trained == other.trained
    assert 0.6 < one.random.zeros < 0.9


@pytest.mark.filterwarnings("ignore:.* cut at the limit")
def test_the_attention_probe_leaves_the_model_as_it_was(trained: Path, corpus: Path) -> None:
    hops = next(name for name in MODELS if "three hops" in name)
    for name in ("bahdanau", "learned entmax heads", hops, "transformer"):
        model = untrained(name, trained)
        model.network.float()
        pairs = pairs_of(corpus)
        sources = [source for source, _ in pairs]
        normalizers = [site.attention.normalizer for site in find_attentions(model.network)]
        weights = model.network.state_dict()
        before = model.translate(sources, beam=2)
        measure_attention(model, pairs, seed=1)
        after = [site.attention.normalizer for site in find_attentions(model.network)]
        assert all(old is new for old, new in zip(normalizers, after, strict=True))
        assert list(model.network.state_dict()) == list(weights)
        assert model.translate(sources, beam=2) == before


def test_normalizers_come_back_after_an_error(trained: Path, corpus: Path) -> None:
    for name in ("transformer", "learned entmax heads"):
        model = untrained(name, trained)
        sites = find_attentions(model.network)
        normalizers = [site.attention.normalizer for site in sites]
        with watch_normalizers(sites, torch.Generator()) as watches:
            assert [site.attention.normalizer for site in sites] == watches
        with pytest.raises(RuntimeError, match="in the middle"), watch_normalizers(sites, torch.Generator()):
            raise RuntimeError("in the middle")
        assert all(site.attention.normalizer is old for site, old in zip(sites, normalizers, strict=True))


class OnMps(Tensor):
    """A tensor that is somewhere without fp64, as on Apple's MPS, until `cpu()` fetches it."""

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        if function is Tensor.cpu:
            return args[0].as_subclass(Tensor)
        if function is Tensor.double or any(value is torch.float64 for value in (*args, *(kwargs or {}).values())):
            raise TypeError("Cannot convert a MPS Tensor to float64 dtype")
        return super().__torch_function__(function, types, args, kwargs or {})


def test_fp64_is_used_on_the_cpu_alone(trained: Path) -> None:
    weights, legal = torch.rand(2, 3, 4).softmax(-1), torch.ones(2, 3, 4, dtype=torch.bool)
    elsewhere = weights.as_subclass(OnMps)
    with pytest.raises(TypeError, match="MPS"):
        elsewhere.double()
    assert torch.equal(describe_rows(elsewhere, legal.as_subclass(OnMps)), describe_rows(weights, legal))
    totals = WeightTotals(first_site(trained))
    totals.add(AttentionOutput(torch.zeros(1, 3, 3), elsewhere[None]))
    assert totals.largest.tolist() == pytest.approx(weights.double().amax(2).sum(1).tolist())


def first_site(trained: Path) -> AttentionSite:
    return find_attentions(untrained("transformer", trained).network)[0]


def test_a_masked_head_is_left_out_of_the_sum(trained: Path) -> None:
    holder = first_site(trained).holder
    assert isinstance(holder, MultiHead)
    states = torch.randn(1, 5, 8, dtype=torch.float64)
    mask = torch.ones(1, 5, dtype=torch.bool)

    def attend() -> Tensor:
        return holder(Request(states, torch.arange(5)), holder.remember(states, mask)).context

    with torch.no_grad():
        whole = attend()
        without = []
        for head in range(holder.heads):
            with mask_head(holder, head):
                without.append(attend())
        assert torch.allclose(sum(whole - rest for rest in without) + holder.output.bias, whole, atol=1e-12)
        with pytest.raises(RuntimeError, match="in the middle"), mask_head(holder, 0):
            raise RuntimeError("in the middle")
        assert torch.equal(attend(), whole)  # nothing stays masked


@pytest.mark.parametrize(
    ("distance", "described"),
    [(-1, "the subword before (0.9"), (2, "+2 subwords (0.7"), (9, "the sentence mark (1.00"), (0, "itself (0.9")],
)
def test_a_head_is_described_by_where_it_looks(trained: Path, distance: int, described: str) -> None:
    totals = WeightTotals(first_site(trained))
    size = 10
    weights = torch.zeros(1, 2, size, size)
    for query in range(size):
        weights[0, :, query, min(max(query + distance, 0), size - 1)] = 1
    totals.add(AttentionOutput(torch.zeros(1, size, 3), weights))
    pattern = totals.summarize()[1]
    assert str(pattern).startswith(described)
    assert pattern.largest == 1


def test_heads_need_a_model_with_heads(trained: Path, corpus: Path) -> None:
    with pytest.raises(UsageError, match="none of its attentions has heads"):
        measure_heads(load(trained), pairs_of(corpus))


def test_masking_heads_leaves_the_model_as_it_was(trained: Path, corpus: Path) -> None:
    model = untrained("transformer", trained)
    model.network.float()
    before = {name: tensor.clone() for name, tensor in model.network.state_dict().items()}
    result = measure_heads(model, pairs_of(corpus))
    assert len(result.heads) == 2 * (2 + 2 + 2)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.network.state_dict().items())
    assert "nrefs:1" in result.to_text()


def test_no_verdict_on_a_model_that_has_not_learned(trained: Path, corpus: Path) -> None:
    model = untrained("transformer", trained)
    model.network.float()
    attention = measure_attention(model, pairs_of(corpus, 8), seed=1)
    head = MaskedHead("source to source", 1, 1, 0.4, AttentionPattern(0.9, 0.1, -1, 0.8))
    heads = HeadImportance("run", 8, Quality(0.5, 0.0, "signature"), (head,))
    for result in (attention, heads):
        assert not result.to_json()["learned"]
        assert result.verdict.startswith(f"This model has not learned to translate yet (BLEU {result.quality.bleu:.1f}")
        assert result.verdict in result.to_text()
    assert "cost less than" not in heads.to_text()


def test_the_verdict_counts_heads_that_cost_little() -> None:
    pattern = AttentionPattern(0.9, 0.1, -1, 0.8)
    heads = tuple(MaskedHead("source to source", 1, number, bleu, pattern) for number, bleu in ((1, 20.0), (2, 20.9)))
    result = HeadImportance("run", 3, Quality(21.0, 0.1, "signature"), heads)
    assert result.verdict == "1 of 2 heads, each masked alone, cost less than 0.5 BLEU."
    assert (result.to_json()["learned"], [head["lost"] for head in result.to_json()["heads"]]) == (
        True,
        [1.0, pytest.approx(0.1)],
    )


@pytest.mark.parametrize(
    ("bleu", "exact", "learned"), [(0.5, 0.0, False), (1.9, 0.05, False), (2.0, 0.0, True), (0.0, 0.2, True)]
)
def test_learned_means_some_bleu_or_some_faultless_sentences(bleu: float, exact: float, learned: bool) -> None:
    assert has_learned(bleu, exact) is learned


def test_sentences_are_spread_over_the_test_set(corpus: Path) -> None:
    lines = (corpus / "test.en").read_text().splitlines()
    assert [source for source, _ in pairs_of(corpus, 4)] == lines[::2]
    assert len(pairs_of(corpus, 99)) == len(lines)


def test_without_a_test_set_the_validation_set_is_watched(corpus: Path) -> None:
    (first, *_) = choose_pairs(tiny(corpus), None, 3, corpus)
    assert first[0] == (corpus / "validation.en").read_text().splitlines()[0]
