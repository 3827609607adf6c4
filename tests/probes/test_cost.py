"""The cost probe: counts by closed formulas, bytes by theirs, slopes of exact power laws, memory of known allocations."""

import math
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from seq2attn.models.past import Slots
from seq2attn.probes.cost import cache, meter, pairs, self_attention, training
from seq2attn.probes.cost.cost import Cost, measure_cost
from seq2attn.probes.cost.curves import LengthCurve, format_curves

CPU = torch.device("cpu")
MIB = 2**20
LENGTHS, SENTENCES = (4, 9, 32), (3, 8)


@pytest.fixture(scope="module")
def measured() -> Iterator[Cost]:
    """All measurements, over lengths that are too short to show anything."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "BATCH_TOKENS", 64)
        patch.setattr(self_attention, "_SECONDS", 0.0)
        yield measure_cost(lengths=LENGTHS, sentence_lengths=SENTENCES, device=CPU, seed=1)


# ---- curves


@pytest.mark.parametrize("power", [0, 1, 1.5, 2])
def test_the_slope_of_a_power_law_is_its_exponent(power: float) -> None:
    lengths = (64, 100, 128, 1000, 4096)
    curve = LengthCurve("law", lengths, tuple(3.0 * length**power for length in lengths))
    assert curve.slope == pytest.approx(power, abs=1e-12)


def test_the_slope_is_that_of_the_longer_half() -> None:
    lengths = (1, 2, 4, 8, 16)
    assert LengthCurve("bent", lengths, (99, 7, 16, 64, 256)).slope == pytest.approx(2, abs=1e-12)
    assert LengthCurve("bent", lengths[1:], (99, 7, 64, 256)).slope == pytest.approx(2, abs=1e-12)
    assert LengthCurve("two", (3, 6), (1, 8)).slope == pytest.approx(3, abs=1e-12)
    assert LengthCurve("one", (3,), (1,)).slope is None


def test_a_curve_is_lower_from_where_it_stays_below() -> None:
    lengths, level = (1, 2, 4, 8), LengthCurve("level", (1, 2, 4, 8), (5, 5, 5, 5))
    starts = {(1, 6, 4, 3): 4, (4, 4, 4, 4): 1, (1, 1, 1, 5): None, (6, 6, 6, 4): 8}
    for figures, length in starts.items():
        assert LengthCurve("lower", lengths, figures).lower_from(level) == length


def test_a_row_of_figures_ends_in_its_slope() -> None:
    square = LengthCurve("square", (10, 1000), (100, 1_000_000))
    one = LengthCurve("one", (10,), (2,))
    assert format_curves("n", [square], "{:,.0f}".format).splitlines()[1].split() == [
        "square",
        "100",
        "1,000,000",
        "2.00",
    ]
    assert format_curves("n", [one], "{:.1f}".format).splitlines()[1].split() == ["one", "2.0", "–"]
    assert format_curves("n", [one], "{:.1f}".format, slopes=False).split() == ["n", "10", "one", "2.0"]


# ---- the meter


def test_peak_memory_is_the_most_that_exists_at_once(capfd: pytest.CaptureFixture[str]) -> None:
    def after_one_another() -> None:
        first = torch.empty(4 * MIB, dtype=torch.uint8)
        del first
        torch.empty(2 * MIB, dtype=torch.uint8)

    def together() -> None:
        first, second = (torch.empty(size * MIB, dtype=torch.uint8) for size in (4, 2))
        del first
        third = torch.empty(3 * MIB, dtype=torch.uint8)
        del second, third

    assert meter.measure_peak_memory(after_one_another, CPU) == 4 * MIB
    assert meter.measure_peak_memory(together, CPU) == 6 * MIB
    assert capfd.readouterr() == ("", "")


def test_peak_memory_leaves_out_what_existed_before() -> None:
    inputs = torch.zeros(MIB, requires_grad=True)
    root = torch.tensor(1.0)

    def passes() -> None:
        torch.autograd.grad(inputs.exp(), inputs, root.expand(MIB))

    assert (
        meter.measure_peak_memory(passes, CPU) == 2 * inputs.nbytes
    )  # the result, which backward reads, and the gradient


def test_works_take_turns_and_the_first_turn_does_not_count() -> None:
    done: list[str] = []
    seconds = meter.measure_seconds([lambda: done.append("a"), lambda: done.append("b")], CPU)
    assert done == ["a", "b"] * 6
    assert len(seconds) == 2
    assert min(seconds) > 0
    done.clear()
    meter.measure_seconds([lambda: done.append("a")], CPU, at_least=3600.0)
    assert len(done) == 51


# ---- pairs


def near(length: int, radius: int) -> int:
    """Pairs of two positions at most `radius` apart."""
    radius = min(radius, length - 1)
    return length * (2 * radius + 1) - radius * (radius + 1)


def strided_causal(length: int) -> int:
    """Of every query the last l keys, and one more for every full l positions before it."""
    stride = math.ceil(math.sqrt(length))
    rows, rest = divmod(length, stride)
    return length * stride - stride * (stride - 1) // 2 + stride * rows * (rows - 1) // 2 + rows * rest


@pytest.mark.parametrize("length", [1, 2, 5, 16, 64, 100, 777, 1024])
def test_every_count_follows_its_formula(length: int) -> None:
    counted = pairs.measure_pairs((length,))
    causal = strided_causal(length)
    assert {curve.name: curve.figures[0] for curve in counted.scored} == {
        "full": length**2,
        "causal": length * (length + 1) // 2,
        "window": near(length, 16),
        "strided": 2 * causal - length,
        "strided, causal": causal,
        "local": near(length, 10),
    }
    stride = math.ceil(math.sqrt(length))
    jumps = math.ceil(length / stride)
    assert {curve.name: curve.figures[0] for curve in counted.computed} == {
        "window": length * (2 * min(16, length - 1) + 1),
        "strided": length * (2 * (stride + jumps) - 1),
        "strided, causal": length * (stride + jumps),
        "local": length * (2 * min(10, length - 1) + 1),
    }


def test_strided_pairs_at_1024_are_as_published() -> None:
    counted = pairs.measure_pairs((64, 1024))
    figures = {curve.name: curve.figures[1] for curve in counted.scored}
    assert (figures["strided, causal"], figures["causal"], figures["strided"]) == (48_144, 524_800, 95_264)
    assert counted.verdict.endswith("48,144 of 524,800 causal pairs: 90.8% fewer.")


def test_gathered_and_masked_spans_allow_the_same_pairs() -> None:
    masked, gathered = (pairs._spans(50, gathered=gathered) for gathered in (False, True))
    for name, span in masked.items():
        allowed, computed = pairs.count_pairs(span, 50)
        assert computed == 2500
        assert pairs.count_pairs(gathered[name], 50)[0] == allowed


def test_counting_in_pieces_changes_no_count(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = pairs.measure_pairs((37,))
    monkeypatch.setattr(pairs, "_AT_ONCE", 100)
    assert pairs.measure_pairs((37,)) == whole


# ---- what the decoder keeps


def test_every_cache_is_as_large_as_its_formula_says(measured: Cost) -> None:
    kept = {kind.attention: kind.measured for kind in measured.cache.variants}
    assert kept == {
        "multi-head": 24_576,
        "grouped (2 groups)": 6_144,
        "multi-query (1 group)": 3_072,
        "latent": 6_912,
    }
    assert [kind.formula for kind in measured.cache.variants] == list(kept.values())
    assert "28.1%" in measured.cache.to_text()


def test_what_is_kept_counts_without_the_room_for_more() -> None:
    slots = Slots(torch.zeros(1, 2, 9, 4), torch.zeros(1, 2, 9, 0), 3)
    assert cache.count_bytes((slots, slots)) == 2 * (2 * 3 * 4) * 4


# ---- time and memory of self-attention


def peak(name: str, length: int) -> int:
    return meter.measure_peak_memory(self_attention.make_pass(name, length, CPU, 1), CPU)


def test_memory_grows_with_the_stored_pairs() -> None:
    short, long = 256, 1024
    growth = {name: math.log(peak(name, long) / peak(name, short), 4) for name in self_attention.FORMS}
    assert growth == {
        "full": pytest.approx(2, abs=0.05),
        "full, fused": pytest.approx(1, abs=0.15),
        "window": pytest.approx(2, abs=0.05),
        "window, gathered": pytest.approx(1, abs=0.05),
        "strided": pytest.approx(2, abs=0.05),
        "strided, gathered": pytest.approx(1.5, abs=0.05),
        "latent": pytest.approx(2, abs=0.1),
    }
    weights = 4 * self_attention.HEADS * long**2
    assert 2 * weights < peak("full", long) < 6 * weights


def test_slopes_of_short_sequences_are_called_so(measured: Cost) -> None:
    assert "too short for slopes" in measured.self_attention.verdict
    lengths = (256, 512, 1024)
    long = self_attention.SelfAttentionCost(
        tuple(LengthCurve(name, lengths, tuple(n**2.0 for n in lengths)) for name in self_attention.FORMS),
        tuple(LengthCurve(name, lengths, tuple(n**2.0 for n in lengths)) for name in self_attention.FORMS),
    )
    assert "too short" not in long.verdict
    assert "Slopes to expect: full 2" in long.verdict
    assert long.to_json()["long_enough_for_slopes"]


def test_the_verdict_says_from_where_gathering_gains() -> None:
    lengths = (512, 1024, 2048)
    seconds = {"full": (4.0, 5.0, 6.0), "window, gathered": (5.0, 4.0, 4.0), "strided, gathered": (7.0, 8.0, 9.0)}
    numbers = {"full": (4.0, 5.0, 6.0), "window, gathered": (1.0, 1.0, 1.0), "strided, gathered": (9.0, 9.0, 5.0)}
    curves = [tuple(LengthCurve(name, lengths, row) for name, row in rows.items()) for rows in (seconds, numbers)]
    window, strided, _ = self_attention.SelfAttentionCost(*curves).verdict.splitlines()
    assert window == ("Window, gathered: faster than full from length 1,024 on, less memory at every length measured.")
    assert strided == ("Strided, gathered: faster than full at no length measured, less memory from length 2,048 on.")


# ---- training


def test_the_models_are_of_one_size() -> None:
    sizes = [training.build_model(name, 9).parameter_count for name in training.MODELS]
    assert max(sizes) < 1.01 * min(sizes)


def test_speed_counts_the_tokens_that_are_in_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "BATCH_TOKENS", 64)
    monkeypatch.setattr(training, "measure_seconds", lambda works, device: [1.0, 0.5] * len(training.MODELS))
    for speed in training.measure_training((3, 10), device=CPU, seed=1).speeds:
        assert speed.figures == (63, 120)


def test_shares_are_of_the_speed_at_the_shortest_length() -> None:
    lengths = (8, 64)
    speeds = (LengthCurve("steps", lengths, (1000.0, 250.0)), LengthCurve("fused", lengths, (500.0, 600.0)))
    result = training.TrainingSpeed(speeds, (5, 5))
    assert [share.figures for share in result.shares] == [(1, 0.25), (1, 1.2)]
    assert result.verdict == "At length 64, what is left of the speed at length 8: steps 25%; fused 120%."
    one = replace(result, speeds=(LengthCurve("steps", (8,), (1000.0,)),))
    assert one.verdict.startswith("One length does not show")


# ---- the whole


def test_everything_has_a_figure_for_every_length(measured: Cost) -> None:
    figures = measured.to_json()
    assert list(figures) == [
        "lengths",
        "sentence_lengths",
        "seed",
        "hardware",
        "pairs",
        "cache",
        "self_attention",
        "training",
    ]
    assert (figures["lengths"], figures["sentence_lengths"], figures["seed"]) == ([4, 9, 32], [3, 8], 1)
    attention = figures["self_attention"]
    for curves in (
        figures["pairs"]["scored"],
        figures["pairs"]["computed"],
        attention["seconds"],
        attention["peak_bytes"],
    ):
        assert all(len(curve["figures"]) == 3 and min(curve["figures"]) > 0 for curve in curves)
    assert [curve["name"] for curve in attention["seconds"]] == list(self_attention.FORMS)
    for model in figures["training"]["models"]:
        assert len(model["tokens_per_second"]) == len(model["share"]) == 2
        assert min(model["tokens_per_second"]) > 0


def test_every_table_says_what_is_measured_and_where(measured: Cost) -> None:
    machines = {
        "on Ryzen (cpu, 1 thread)": {"device": "cpu", "name": "Ryzen", "threads": 1},
        "on Ryzen (cpu, 2 threads)": {"device": "cpu", "name": "Ryzen", "threads": 2},
        "on H100 (cuda)": {"device": "cuda", "name": "H100", "threads": 2},
    }
    for place, hardware in machines.items():
        text = replace(measured, hardware=hardware).to_text()
        assert text.count(place) == 4
        assert text.count("the same on every machine") == 2


def test_the_random_state_of_others_stays_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "BATCH_TOKENS", 8)
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    cache.measure_cache(seed=1)
    self_attention.make_pass("full", 4, CPU, 1)()
    training.measure_training((4,), device=CPU, seed=1)
    assert torch.equal(torch.rand(2), expected)


def test_costs_are_drawn_over_length(measured: Cost) -> None:
    pytest.importorskip("matplotlib")
    from seq2attn.probes.pictures import draw

    figure = draw(measured)
    drawn = [[(line.get_label(), tuple(line.get_ydata())) for line in axes.lines] for axes in figure.get_axes()]
    attention = measured.self_attention
    panels = (measured.pairs.scored, attention.seconds, attention.peak_bytes, measured.training.speeds)
    assert drawn == [[(curve.name, curve.figures) for curve in curves] for curves in panels]
    assert [axes.get_yscale() for axes in figure.get_axes()] == ["log", "log", "log", "linear"]
    for axes in figure.get_axes():
        styles = [(line.get_color(), line.get_linestyle()) for line in axes.lines]
        assert len(set(styles)) == len(styles)
        assert [text.get_text() for text in axes.get_legend().get_texts()] == [line.get_label() for line in axes.lines]
    assert [(axes.get_title(), axes.get_xlabel(), axes.get_ylabel()) for axes in figure.get_axes()] == [
        ("Pairs scored", "length n", "pairs of query and key"),
        ("Time, forward and backward", "length n", "seconds"),
        ("Peak memory, forward and backward", "length n", "bytes"),
        ("Speed of training", "words of a sentence", "target tokens per second"),
    ]
