"""The probes: numbers worked by hand, the laws that they show, and pictures of them."""

import math
import re
import struct
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from seq2attn.attention import softmax
from seq2attn.probes import permutation, scaling
from seq2attn.probes.worked import PAIRS, STATES, Example, Variant, Worked, entropy, work


def variant(example: Example, name: str) -> Variant:
    return next(each for each in work(example).variants if each.name == name)


# ---- worked


@pytest.mark.parametrize(
    ("example", "name", "weights", "context"),
    [
        (STATES, "dot, softmax", [0.119203, 0.880797], [2.761594, 3.761594]),
        (STATES, "scaled dot, softmax", [0.195570, 0.804430], [2.608859, 3.608859]),
        (STATES, "additive, softmax", [0.473483, 0.526517], [2.053034, 3.053034]),
        (STATES, "dot, sparsemax", [0, 1], [3, 4]),
        (STATES, "scaled dot, entmax 1.5", [0.066987, 0.933013], [2.866025, 3.866025]),
        (PAIRS, "dot, softmax", [0.880797, 0.119203], [0.452319, 0.547681]),
        (PAIRS, "scaled dot, softmax", [0.760368, 0.239632], [0.404147, 0.595853]),
        (PAIRS, "dot, sparsemax", [1, 0], [0.5, 0.5]),
        (PAIRS, "scaled dot, entmax 1.5", [0.872678, 0.127322], [0.449071, 0.550929]),
    ],
)
def test_weights_and_contexts_are_those_worked_by_hand(
    example: Example, name: str, weights: list[float], context: list[float]
) -> None:
    found = variant(example, name)
    assert found["weights"] == pytest.approx(weights, abs=5e-7)
    assert found["context"] == pytest.approx(context, abs=5e-7)


@pytest.mark.parametrize(
    ("example", "name", "step", "numbers"),
    [
        (STATES, "dot, softmax", "scores", [1.5, 3.5]),
        (STATES, "dot, softmax", "entropy", [0.365334]),
        (STATES, "scaled dot, softmax", "scores", [1.5, 3.5]),
        (STATES, "scaled dot, softmax", "scaled", [1.060660, 2.474874]),
        (STATES, "scaled dot, softmax", "entropy", [0.494200]),
        (STATES, "additive, softmax", "hidden 1", [math.tanh(1.5), math.tanh(2.5)]),
        (STATES, "additive, softmax", "hidden 2", [math.tanh(3.5), math.tanh(4.5)]),
        (STATES, "additive, softmax", "scores", [1.891763, 1.997931]),
        (STATES, "dot, sparsemax", "threshold", [2.5]),
        (STATES, "dot, sparsemax", "entropy", [0]),
        (PAIRS, "scaled dot, softmax", "scores", [2, 0]),
        (PAIRS, "scaled dot, softmax", "scaled", [1.154701, 0]),
    ],
)
def test_every_step_on_the_way_is_shown(example: Example, name: str, step: str, numbers: list[float]) -> None:
    assert variant(example, name)[step] == pytest.approx(numbers, abs=5e-7)


def test_the_weights_follow_from_the_threshold_as_the_formula_says() -> None:
    example = replace(STATES, keys=((1.0, 2.0), (2.0, 2.1), (0.0, 3.0)), values=((1.0,), (2.0,), (3.0,)))
    sparse, entmax = variant(example, "dot, sparsemax"), variant(example, "scaled dot, entmax 1.5")
    (tau,), (half_tau,) = sparse["threshold"], entmax["threshold"]
    assert sparse["weights"] == pytest.approx([max(e - tau, 0) for e in sparse["scores"]], abs=1e-12)
    assert entmax["weights"] == pytest.approx([max(z / 2 - half_tau, 0) ** 2 for z in entmax["scaled"]], abs=1e-12)
    assert 0 < sum(weight > 0 for weight in sparse["weights"]) <= 3


def test_text_and_json_hold_the_same_numbers() -> None:
    worked = work(PAIRS)
    text = worked.to_text()
    assert all(line in text for line in ("q  = (1, 0, 1)", "k2 = (0, 1, 0)   v2 = (0.1, 0.9)"))
    for found in worked.to_json()["variants"]:
        block = text.split(f"\n{found.pop('name')}\n")[1].split("\n\n")[0].splitlines()
        for line, (step, numbers) in zip(block, found.items(), strict=True):
            assert line.startswith(f"  {step} ")
            assert re.findall(r"-?\d+\.\d{6}", line) == [f"{number:.6f}" for number in numbers]


def test_one_key_gets_all_the_weight_and_values_may_have_any_width() -> None:
    example = Example("one", (1.0, -1.0), ((5.0, 5.0),), ((1.0, 2.0, 3.0),))
    for found in work(example).variants:
        assert found["weights"] == pytest.approx([1])
        assert found["context"] == pytest.approx([1, 2, 3])
        assert found["entropy"] == (0,)


def test_entropy_is_zero_for_one_position_and_the_logarithm_for_equal_ones() -> None:
    rows = torch.tensor([[0.0, 1, 0, 0], [0.25, 0.25, 0.25, 0.25]], dtype=torch.float64)
    assert entropy(rows).tolist() == pytest.approx([0, math.log(4)], abs=1e-15)


# ---- scaling


@pytest.fixture(scope="module")
def scaled() -> scaling.Scaling:
    return scaling.measure(draws=400, seed=1)


def test_scaling_keeps_the_weights_as_spread_at_every_width(scaled: scaling.Scaling) -> None:
    assert [width.d for width in scaled.widths] == [4, 16, 64, 256, 1024]
    expected = [(2.275, 0.675), (1.136, 0.612), (0.500, 0.451), (0.229, 0.317), (0.111, 0.223)]  # mean, sd of a draw
    for width, (mean, deviation) in zip(scaled.widths, expected, strict=True):
        assert width.entropy_unscaled == pytest.approx(mean, abs=3 * deviation / scaled.draws**0.5)
    assert [width.entropy_scaled for width in scaled.widths] == pytest.approx([3.02] * 5, abs=0.04)


def test_without_scaling_the_gradient_dies(scaled: scaling.Scaling) -> None:
    assert scaled.widths[0].jacobian_unscaled == pytest.approx(0.293, abs=0.02)
    assert scaled.widths[-1].jacobian_unscaled == pytest.approx(0.064, abs=0.02)
    assert [width.jacobian_scaled for width in scaled.widths] == pytest.approx([0.238] * 5, abs=0.01)


def test_the_variance_of_scores_grows_linearly(scaled: scaling.Scaling) -> None:
    assert [width.variance / width.d for width in scaled.widths] == pytest.approx([1] * 5, abs=0.12)
    assert scaled.growth == pytest.approx(1, abs=0.03)
    assert "linearly with d, not exponentially" in scaled.verdict
    exponential = tuple(replace(width, variance=2.0 ** (width.d / 10)) for width in scaled.widths)
    assert "linearly" not in replace(scaled, widths=exponential).verdict


def test_the_seed_decides_every_figure() -> None:
    first, again, other = (scaling.measure(draws=3, seed=seed) for seed in (5, 5, 6))
    assert first == again
    assert first.widths[0] != other.widths[0]


def test_the_jacobian_is_that_of_softmax() -> None:
    scores = torch.randn(1, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64, requires_grad=True)
    weights = softmax(scores, torch.ones(5, dtype=torch.bool))
    rows = [torch.autograd.grad(weight, scores, retain_graph=True)[0] for weight in weights[0]]
    assert scaling.jacobian_norm(weights).item() == pytest.approx(torch.cat(rows).norm().item(), abs=1e-14)


# ---- permutation


@pytest.fixture(scope="module")
def permuted() -> permutation.Permutation:
    return permutation.measure(seed=1)


def test_only_a_transformer_without_positions_is_blind_to_word_order(permuted: permutation.Permutation) -> None:
    blind, *others = permuted.encoders
    assert blind.encoder == "Transformer, no positions"
    assert max(blind.states, blind.context) <= 1e-12
    assert blind.verdict == "states equivariant, context invariant: blind to word order"
    assert len(others) >= 2
    for each in others:
        assert min(each.states, each.context) > 0.01
        assert each.verdict == "states not equivariant, context not invariant: word order counts"


def test_the_random_state_of_others_stays_as_it_was(permuted: permutation.Permutation) -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    assert permutation.measure(seed=1) == permuted
    assert torch.equal(torch.rand(2), expected)
    assert permutation.measure(seed=2) != permuted


# ---- pictures


def size(file: Path) -> tuple[int, int]:
    """Width and height in the header of a PNG."""
    content = file.read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", content[16:24])
    return width, height


@pytest.mark.parametrize("examples", [(STATES,), (STATES, PAIRS)])
def test_weights_are_drawn_as_bars(tmp_path: Path, examples: tuple[Example, ...]) -> None:
    pytest.importorskip("matplotlib")
    from seq2attn.probes import plots

    found: list[Worked] = [work(example) for example in examples]
    figure = plots.weights(found)
    drawn = [[bar.get_height() for bar in axes.patches] for axes in figure.get_axes()]
    assert drawn == [list(variant["weights"]) for worked in found for variant in worked.variants]
    plots.write(figure, tmp_path / "weights.png")
    width, height = size(tmp_path / "weights.png")
    assert 1200 <= width <= 2400
    assert 400 <= height <= 1200


def test_scaling_is_drawn_as_labeled_curves(tmp_path: Path, scaled: scaling.Scaling) -> None:
    pytest.importorskip("matplotlib")
    from seq2attn.probes import plots

    figure = plots.scaling(scaled)
    scores, entropies, gradient = figure.get_axes()
    assert list(entropies.lines[0].get_ydata()) == [width.entropy_unscaled for width in scaled.widths]
    assert list(gradient.lines[1].get_ydata()) == [width.jacobian_scaled for width in scaled.widths]
    assert all(axes.get_xlabel() and axes.get_ylabel() for axes in (scores, entropies, gradient))
    plots.write(figure, tmp_path / "scaling.png")
    assert min(size(tmp_path / "scaling.png")) >= 500


def test_differences_are_drawn_on_a_logarithmic_axis(tmp_path: Path, permuted: permutation.Permutation) -> None:
    pytest.importorskip("matplotlib")
    from seq2attn.probes import plots

    nothing = permutation.Difference("no change at all", 0.0, 0.0)
    figure = plots.permutation(replace(permuted, encoders=(*permuted.encoders, nothing)))
    (axes,) = figure.get_axes()
    assert axes.get_xscale() == "log"
    states = axes.lines[0].get_xdata()
    assert list(states) == [*(each.states for each in permuted.encoders), 1e-17]
    assert axes.get_xlim()[0] < min(states)
    assert axes.get_xlim()[1] > max(states)
    plots.write(figure, tmp_path / "permutation.png")
    assert min(size(tmp_path / "permutation.png")) >= 400
