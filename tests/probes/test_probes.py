"""The probes without a trained model: numbers worked by hand, the laws that they show, and their pictures."""

import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from seq2attn.attention import softmax
from seq2attn.probes import permutation, scaling
from seq2attn.probes.worked import PAIRS, STATES, VectorExample, WorkedMechanism, entropy, work_example, work_examples


def work_mechanism(example: VectorExample, name: str) -> WorkedMechanism:
    return next(variant for variant in work_example(example).variants if variant.name == name)


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
    example: VectorExample, name: str, weights: list[float], context: list[float]
) -> None:
    worked = work_mechanism(example, name)
    assert worked["weights"] == pytest.approx(weights, abs=5e-7)
    assert worked["context"] == pytest.approx(context, abs=5e-7)


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
def test_every_step_on_the_way_is_shown(example: VectorExample, name: str, step: str, numbers: list[float]) -> None:
    assert work_mechanism(example, name)[step] == pytest.approx(numbers, abs=5e-7)


def test_the_weights_follow_from_the_threshold_as_the_formula_says() -> None:
    example = replace(STATES, keys=((1.0, 2.0), (2.0, 2.1), (0.0, 3.0)), values=((1.0,), (2.0,), (3.0,)))
    sparse, entmax = work_mechanism(example, "dot, sparsemax"), work_mechanism(example, "scaled dot, entmax 1.5")
    (tau,), (half_tau,) = sparse["threshold"], entmax["threshold"]
    assert sparse["weights"] == pytest.approx([max(e - tau, 0) for e in sparse["scores"]], abs=1e-12)
    assert entmax["weights"] == pytest.approx([max(z / 2 - half_tau, 0) ** 2 for z in entmax["scaled"]], abs=1e-12)
    assert 0 < sum(weight > 0 for weight in sparse["weights"]) <= 3


def test_text_and_json_hold_the_same_numbers() -> None:
    worked = work_example(PAIRS)
    text = worked.to_text()
    assert all(line in text for line in ("q  = (1, 0, 1)", "k2 = (0, 1, 0)   v2 = (0.1, 0.9)"))
    for variant in worked.to_json()["variants"]:
        block = text.split(f"\n{variant.pop('name')}\n")[1].split("\n\n")[0].splitlines()
        for line, (step, numbers) in zip(block, variant.items(), strict=True):
            assert line.startswith(f"  {step} ")
            assert re.findall(r"-?\d+\.\d{6}", line) == [f"{number:.6f}" for number in numbers]


def test_one_key_gets_all_the_weight() -> None:
    example = VectorExample("one", (1.0, -1.0), ((5.0, 5.0),), ((1.0, 2.0, 3.0),))
    for variant in work_example(example).variants:
        assert variant["weights"] == pytest.approx([1])
        assert variant["context"] == pytest.approx([1, 2, 3])
        assert variant["entropy"] == (0,)


def test_entropy_of_one_position_and_of_equal_ones() -> None:
    rows = torch.tensor([[0.0, 1, 0, 0], [0.25, 0.25, 0.25, 0.25]], dtype=torch.float64)
    assert entropy(rows).tolist() == pytest.approx([0, math.log(4)], abs=1e-15)


# ---- scaling


@pytest.fixture(scope="module")
def scaled() -> scaling.Scaling:
    return scaling.measure_scaling(draws=400, seed=1)


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
    first, again, other = (scaling.measure_scaling(draws=3, seed=seed) for seed in (5, 5, 6))
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
    return permutation.measure_permutation(seed=1)


def test_only_a_transformer_without_positions_is_blind(permuted: permutation.Permutation) -> None:
    blind, *others = permuted.encoders
    assert blind.encoder == "Transformer, no positions"
    assert max(blind.states, blind.context) <= 1e-12
    assert blind.verdict == "states equivariant, context invariant: blind to word order"
    assert len(others) >= 2
    for effect in others:
        assert min(effect.states, effect.context) > 0.01
        assert effect.verdict == "states not equivariant, context not invariant: word order counts"


def test_the_random_state_of_others_stays_as_it_was(permuted: permutation.Permutation) -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    assert permutation.measure_permutation(seed=1) == permuted
    assert torch.equal(torch.rand(2), expected)
    assert permutation.measure_permutation(seed=2) != permuted


# ---- pictures: what is drawn, not how large the file is


@pytest.mark.parametrize("examples", [(STATES,), (STATES, PAIRS)])
def test_weights_are_drawn_as_labeled_bars(examples: tuple[VectorExample, ...]) -> None:
    pytest.importorskip("matplotlib")
    from seq2attn.probes.pictures import draw

    result = work_examples(examples)
    figure = draw(result)
    variants = [variant for worked in result.examples for variant in worked.variants]
    assert [[bar.get_height() for bar in axes.patches] for axes in figure.get_axes()] == [
        list(variant["weights"]) for variant in variants
    ]
    assert [[label.get_text() for label in axes.texts] for axes in figure.get_axes()] == [
        [f"{weight:.3f}" for weight in variant["weights"]] for variant in variants
    ]
    assert [axes.get_title() for axes in figure.get_axes()] == [variant.name for variant in variants]
    assert {axes.get_xlabel() for axes in figure.get_axes()} == {"key"}
    assert [row.get_suptitle() for row in figure.subfigs] == [example.name for example in examples]


def test_scaling_is_drawn_as_labeled_curves(scaled: scaling.Scaling) -> None:
    pytest.importorskip("matplotlib")
    from seq2attn.probes.pictures import draw

    axes = draw(scaled).get_axes()
    widths = scaled.widths
    curves = [
        ([width.variance for width in widths], [width.variance / width.d for width in widths]),
        ([width.entropy_unscaled for width in widths], [width.entropy_scaled for width in widths]),
        ([width.jacobian_unscaled for width in widths], [width.jacobian_scaled for width in widths]),
    ]
    assert [tuple(list(line.get_ydata()) for line in panel.lines[:2]) for panel in axes] == curves
    for panel in axes:
        assert list(panel.lines[0].get_xdata()) == [4, 16, 64, 256, 1024]
        assert [line.get_label() for line in panel.lines[:2]] == ["q · k", "q · k / √d"]
    assert [(panel.get_title(), panel.get_ylabel()) for panel in axes] == [
        ("Scores", "variance of the scores"),
        ("Weights", "entropy of the weights (nats)"),
        ("Gradient", "norm of ∂weights/∂scores"),
    ]
    assert list(axes[1].lines[2].get_ydata()) == [math.log(32)] * 2


def test_changes_are_drawn_on_a_logarithmic_axis(permuted: permutation.Permutation) -> None:
    pytest.importorskip("matplotlib")
    from seq2attn.probes.pictures import draw

    unchanged = permutation.PermutationEffect("no change at all", 0.0, 0.0)
    effects = (*permuted.encoders, unchanged)
    figure = draw(replace(permuted, encoders=effects))
    (axes,) = figure.get_axes()
    assert axes.get_xscale() == "log"
    states, context, tolerance = axes.lines
    assert list(states.get_xdata()) == [*(effect.states for effect in permuted.encoders), 1e-17]
    assert list(context.get_xdata()) == [*(effect.context for effect in permuted.encoders), 1e-17]
    assert list(tolerance.get_xdata()) == [permutation.TOLERANCE] * 2
    assert axes.get_xlim()[0] < min(states.get_xdata())
    assert axes.get_xlim()[1] > max(states.get_xdata())
    assert [label.get_text() for label in axes.get_yticklabels()] == [effect.encoder for effect in effects]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["states", "context", "1e-12: rounding up to here"]


@pytest.mark.parametrize(("suffix", "begins"), [(".png", b"\x89PNG"), (".pdf", b"%PDF"), (".svg", b"<?xml")])
def test_a_picture_is_written_in_its_format(tmp_path: Path, suffix: str, begins: bytes) -> None:
    figure = pytest.importorskip("matplotlib.figure").Figure()
    from seq2attn.probes.pictures import write_picture

    write_picture(figure, tmp_path / f"picture{suffix}")
    assert (tmp_path / f"picture{suffix}").read_bytes().startswith(begins)
