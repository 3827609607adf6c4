"""The pictures of the probes that need no trained model. They need matplotlib, the extra `plot`."""

import math
from collections.abc import Sequence
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from seq2attn.probes.cost.cost import Cost
from seq2attn.probes.cost.curves import LengthCurve
from seq2attn.probes.permutation import TOLERANCE, Permutation
from seq2attn.probes.scaling import KEYS, Scaling
from seq2attn.probes.worked import WorkedExamples

_LABELED_KEYS = 4  # with more, bars are too narrow for their numbers
_ZERO = 1e-17  # where the logarithmic axis shows a change of 0
_COLORS = {
    "full": "tab:blue",
    "causal": "tab:cyan",
    "window": "tab:green",
    "strided": "tab:red",
    "local": "tab:orange",
    "latent": "tab:purple",
    "recurrent": "tab:red",
    "Transformer": "tab:blue",
}
STYLE: Any = {"font.size": 11, "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False}


@rc_context(STYLE)
def draw_worked(result: WorkedExamples) -> Figure:
    """Bars of the keys' weights: a row for each example, a column for each mechanism."""
    examples = result.examples
    columns = len(examples[0].variants)
    figure = Figure((2.7 * columns + 0.5, 3.2 * len(examples)), layout="constrained")
    rows = figure.subfigures(len(examples), 1, squeeze=False)
    for subfigure, worked in zip(rows.flat, examples, strict=True):
        keys = range(1, len(worked.example.keys) + 1)
        subfigure.suptitle(worked.example.name, weight="bold")
        row = subfigure.subplots(1, columns, sharey=True)
        for axes, variant in zip(row, worked.variants, strict=True):
            bars = axes.bar(keys, variant["weights"], width=0.65)
            if len(keys) <= _LABELED_KEYS:
                axes.bar_label(bars, fmt="%.3f", padding=2)
            axes.locator_params(axis="x", integer=True)
            axes.set(title=variant.name, xlabel="key", ylim=(0, 1.12), yticks=(0, 0.5, 1))
        row[0].set_ylabel("weight")
    return figure


@rc_context(STYLE)
def draw_scaling(result: Scaling) -> Figure:
    """Curves over d: the variance of the scores, the entropy of their weights and the norm of the Jacobian."""
    figure = Figure((13.5, 4.2), layout="constrained")
    scores, entropy, jacobian = figure.subplots(1, 3)
    widths = result.widths
    _draw_both(scores, result, [w.variance for w in widths], [w.variance / w.d for w in widths])
    scores.set_yscale("log", base=2)
    scores.set_yticks([1, *(w.d for w in widths)], ["1", *(str(w.d) for w in widths)])
    scores.set(title="Scores", ylabel="variance of the scores")
    _draw_both(entropy, result, [w.entropy_unscaled for w in widths], [w.entropy_scaled for w in widths])
    entropy.axhline(math.log(KEYS), color="gray", linestyle=":", label=f"uniform: ln {KEYS}")
    entropy.set(title="Weights", ylabel="entropy of the weights (nats)", ylim=0)
    _draw_both(jacobian, result, [w.jacobian_unscaled for w in widths], [w.jacobian_scaled for w in widths])
    jacobian.set(title="Gradient", ylabel="norm of ∂weights/∂scores", ylim=0)
    for axes in (scores, entropy, jacobian):
        axes.legend()
    return figure


def _draw_both(axes: Axes, result: Scaling, unscaled: Sequence[float], scaled: Sequence[float]) -> None:
    d = [width.d for width in result.widths]
    axes.plot(d, unscaled, "o-", label="q · k")
    axes.plot(d, scaled, "s-", label="q · k / √d")
    axes.set_xscale("log", base=2)
    axes.set_xticks(d, [str(width) for width in d])
    axes.set_xlabel("d (width of query and key)")


@rc_context(STYLE)
def draw_permutation(result: Permutation) -> Figure:
    """The changes of every encoder on a logarithmic axis, beside the tolerance."""
    figure = Figure((9, 1.6 + 0.6 * len(result.encoders)), layout="constrained")
    axes = figure.subplots()
    names = [effect.encoder for effect in result.encoders]
    states = [max(effect.states, _ZERO) for effect in result.encoders]
    contexts = [max(effect.context, _ZERO) for effect in result.encoders]
    axes.plot(states, names, "o", markersize=9, label="states")
    axes.plot(contexts, names, "D", markersize=9, markeredgewidth=2, fillstyle="none", label="context")
    axes.axvline(TOLERANCE, color="gray", linestyle=":", label=f"{TOLERANCE:g}: rounding up to here")
    axes.set(xscale="log", xlim=(_ZERO / 2, 100), xlabel="largest change when the words are permuted (fp64)")
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(axis="y", alpha=0.3)
    figure.legend(loc="outside upper center", ncols=3)
    return figure


@rc_context(STYLE)
def draw_cost(result: Cost) -> Figure:
    """Pairs, time and memory over the length of a sequence, and the speed of training over that of a sentence."""
    figure = Figure((13, 10), layout="constrained")
    (pairs, seconds), (memory, speed) = figure.subplots(2, 2)
    measured = result.self_attention
    _draw_by_length(pairs, result.pairs.scored)
    pairs.set(title="Pairs scored", ylabel="pairs of query and key", xlabel="length n")
    _draw_by_length(seconds, measured.seconds)
    seconds.set(title="Time, forward and backward", ylabel="seconds", xlabel="length n")
    _draw_by_length(memory, measured.peak_bytes)
    memory.set(title="Peak memory, forward and backward", ylabel="bytes", xlabel="length n")
    _draw_by_length(speed, result.training.speeds)
    speed.set(
        title="Speed of training",
        ylabel="target tokens per second",
        xlabel="words of a sentence",
        yscale="linear",
        ylim=0,
    )
    return figure


def _draw_by_length(axes: Axes, curves: Sequence[LengthCurve]) -> None:
    """Logarithmic axes, on which a power law is a line and its exponent the slope."""
    for number, curve in enumerate(curves):
        kind = _kind(curve)
        first = kind not in map(_kind, curves[:number])
        axes.plot(curve.lengths, curve.figures, "o-" if first else "D--", color=_COLORS[kind], label=curve.name)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(curves[0].lengths, [str(length) for length in curves[0].lengths])
    axes.grid(alpha=0.3)
    axes.legend()


def _kind(curve: LengthCurve) -> str:
    """What its color stands for: "window" of "window, gathered"."""
    return curve.name.split(",")[0]
