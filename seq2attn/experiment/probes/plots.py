"""The probes' pictures, one function for each. They need matplotlib, the extra `plot`."""

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from seq2attn.errors import UsageError
from seq2attn.experiment.probes.attention import Attentions
from seq2attn.experiment.probes.capacity import RIGHT, Capacity
from seq2attn.experiment.probes.heads import Heads
from seq2attn.experiment.probes.permutation import TOLERANCE, Permutation
from seq2attn.experiment.probes.scaling import KEYS, Scaling
from seq2attn.experiment.probes.worked import Worked

_LABELED = 4  # keys: with more, bars are too narrow for their numbers
_SMALLEST = 1e-17  # where a logarithmic axis shows a difference of 0
_STYLE: Any = {"font.size": 11, "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False}


@rc_context(_STYLE)
def weights(examples: Sequence[Worked]) -> Figure:
    """Bars of the keys' weights: a row for each example, a column for each variant."""
    columns = len(examples[0].variants)
    figure = Figure((2.7 * columns + 0.5, 3.2 * len(examples)), layout="constrained")
    parts = figure.subfigures(len(examples), 1, squeeze=False)
    for part, worked in zip(parts.flat, examples, strict=True):
        keys = range(1, len(worked.example.keys) + 1)
        part.suptitle(worked.example.name, weight="bold")
        row = part.subplots(1, columns, sharey=True)
        for axes, variant in zip(row, worked.variants, strict=True):
            bars = axes.bar(keys, variant["weights"], width=0.65)
            if len(keys) <= _LABELED:
                axes.bar_label(bars, fmt="%.3f", padding=2)
            axes.locator_params(axis="x", integer=True)
            axes.set(title=variant.name, xlabel="key", ylim=(0, 1.12), yticks=(0, 0.5, 1))
        row[0].set_ylabel("weight")
    return figure


@rc_context(_STYLE)
def scaling(found: Scaling) -> Figure:
    """Curves over d: the variance of the scores, the entropy of their weights and the norm of the Jacobian."""
    figure = Figure((13.5, 4.2), layout="constrained")
    scores, entropy, jacobian = figure.subplots(1, 3)
    widths = found.widths
    _curves(scores, found, [w.variance for w in widths], [w.variance / w.d for w in widths])
    scores.set_yscale("log", base=2)
    scores.set_yticks([1, *(w.d for w in widths)], ["1", *(str(w.d) for w in widths)])
    scores.set(title="Scores", ylabel="variance")
    _curves(entropy, found, [w.entropy_unscaled for w in widths], [w.entropy_scaled for w in widths])
    entropy.axhline(math.log(KEYS), color="gray", linestyle=":", label=f"uniform: ln {KEYS}")
    entropy.set(title="Weights", ylabel="entropy (nats)", ylim=0)
    _curves(jacobian, found, [w.jacobian_unscaled for w in widths], [w.jacobian_scaled for w in widths])
    jacobian.set(title="Gradient", ylabel="norm of ∂weights/∂scores", ylim=0)
    for axes in (scores, entropy, jacobian):
        axes.legend()
    return figure


def _curves(axes: Axes, found: Scaling, unscaled: Sequence[float], scaled: Sequence[float]) -> None:
    d = [width.d for width in found.widths]
    axes.plot(d, unscaled, "o-", label="q · k")
    axes.plot(d, scaled, "s-", label="q · k / √d")
    axes.set_xscale("log", base=2)
    axes.set_xticks(d, [str(width) for width in d])
    axes.set_xlabel("d (width of query and key)")


@rc_context(_STYLE)
def permutation(found: Permutation) -> Figure:
    """The differences of every encoder on a logarithmic axis, beside the tolerance."""
    figure = Figure((9, 1.6 + 0.6 * len(found.encoders)), layout="constrained")
    axes = figure.subplots()
    names = [each.encoder for each in found.encoders]
    states = [max(each.states, _SMALLEST) for each in found.encoders]
    contexts = [max(each.context, _SMALLEST) for each in found.encoders]
    axes.plot(states, names, "o", markersize=9, label="states")
    axes.plot(contexts, names, "D", markersize=9, markeredgewidth=2, fillstyle="none", label="context")
    axes.axvline(TOLERANCE, color="gray", linestyle=":", label=f"tolerance {TOLERANCE:g}")
    axes.set(xscale="log", xlim=(_SMALLEST / 2, 100), xlabel="largest difference when the words are permuted (fp64)")
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(axis="y", alpha=0.3)
    figure.legend(loc="outside upper center", ncols=3)
    return figure


@rc_context(_STYLE)
def attention(found: Attentions) -> Figure:
    """Entropy and exact zeros of every head, trained beside random."""
    names = [f"{row.place}, layer {row.layer} {row.part}".strip() for row in found.rows]
    figure = Figure((11, 1.8 + 0.32 * len(names)), layout="constrained")
    entropy, zeros = figure.subplots(1, 2, sharey=True)
    places = range(len(names))
    for axes, quantity in ((entropy, "entropy"), (zeros, "zeros")):
        axes.plot([getattr(row.trained, quantity) for row in found.rows], places, "o", markersize=8, label="trained")
        random = [getattr(row.random, quantity) for row in found.rows]
        axes.plot(random, places, "D", fillstyle="none", markersize=8, label="random scores")
        axes.set(xlim=(-0.03, 1.03))
        axes.grid(axis="y", alpha=0.3)
    entropy.set_yticks(places, names)
    entropy.set(xlabel="H / ln n: 0 one key, 1 all alike", ylim=(len(names) - 0.5, -0.5))
    zeros.set(xlabel="share of weights that are exactly 0")
    figure.legend(*entropy.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


@rc_context(_STYLE)
def heads(found: Heads) -> Figure:
    """BLEU lost without each head, by attention and layer."""
    names = [f"{head.place}, layer {head.layer}, head {head.head}" for head in found.heads]
    figure = Figure((9, 1.4 + 0.32 * len(names)), layout="constrained")
    axes = figure.subplots()
    axes.barh(names, [found.bleu - head.bleu for head in found.heads], height=0.65)
    axes.axvline(0, color="gray", linewidth=1)
    axes.set(xlabel=f"BLEU lost without the head ({found.bleu:.1f} with all)", ylim=(len(names) - 0.5, -0.5))
    return figure


@rc_context(_STYLE)
def capacity(found: Capacity) -> Figure:
    """The share of faultless translations of every system, by words and by bits."""
    figure = Figure((13, 5), layout="constrained")
    by_words, by_bits = figure.subplots(1, 2, sharey=True)
    for system, marker in zip(found.systems, "osD^vP*X", strict=True):
        for axes, groups in ((by_words, system.by_words), (by_bits, system.by_bits)):
            points = [(group.mean, group.exact) for group in groups if group.sentences]
            style = "-" if system.name.startswith("vector") and "," not in system.name else "--"
            axes.plot(*zip(*points, strict=True), style, marker=marker, label=system.name)
            axes.axhline(RIGHT, color="gray", linestyle=":", linewidth=1)
    by_words.set(xlabel="words of the source", ylabel="translated without any fault", ylim=(-0.02, 1.02))
    by_bits.set(xlabel="information of the source in bits")
    figure.legend(*by_words.get_legend_handles_labels(), loc="outside right center")
    return figure


def write(figure: Figure, file: Path) -> None:
    """Write a picture in the format that the file's name ends in. Raises UsageError if it cannot be written."""
    picture = io.BytesIO()
    figure.savefig(picture, format=file.suffix[1:].lower(), dpi=150)
    try:
        file.write_bytes(picture.getvalue())
    except OSError as error:
        raise UsageError(f"--plot {file}: cannot be written: {error.strerror}", "choose another file") from error
