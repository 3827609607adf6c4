"""The pictures of the probes of trained models. They need matplotlib, the extra `plot`."""

from collections.abc import Sequence
from itertools import cycle

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from seq2attn.inference.attend import Attended, describe_map
from seq2attn.probes.attention import AttentionStatistics
from seq2attn.probes.capacity import BITS, RIGHT, WORDS, Capacity, Limit, MeasuredSystem
from seq2attn.probes.heads import LITTLE, HeadImportance
from seq2attn.probes.plots import STYLE
from seq2attn.probes.sentences import Quality


@rc_context(STYLE)
def draw_attention(result: AttentionStatistics) -> Figure:
    """Entropy and exact zeros of every head, trained beside random."""
    names = [f"{row.place}, layer {row.layer}{row.part and f', {row.part}'}" for row in result.rows]
    figure = Figure((11, 1.8 + 0.32 * len(names)), layout="constrained")
    entropy, zeros = figure.subplots(1, 2, sharey=True)
    heights = range(len(names))
    for axes, quantity in ((entropy, "entropy"), (zeros, "zeros")):
        axes.plot([getattr(row.trained, quantity) for row in result.rows], heights, "o", markersize=8, label="trained")
        random = [getattr(row.random, quantity) for row in result.rows]
        axes.plot(random, heights, "D", fillstyle="none", markersize=8, label="random scores")
        axes.set(xlim=(-0.03, 1.03))
        axes.grid(axis="y", alpha=0.3)
    entropy.set_yticks(heights, names)
    entropy.set(xlabel="entropy H / ln n (0: one key alone, 1: all keys alike)", ylim=(len(names) - 0.5, -0.5))
    zeros.set(xlabel="share of weights that are exactly 0")
    figure.legend(*entropy.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    _warn(figure, result.quality)
    return figure


@rc_context(STYLE)
def draw_heads(result: HeadImportance) -> Figure:
    """BLEU lost without each head, by attention and layer."""
    names = [f"{head.place}, layer {head.layer}, head {head.head}" for head in result.heads]
    figure = Figure((9, 1.4 + 0.32 * len(names)), layout="constrained")
    axes = figure.subplots()
    axes.barh(names, [result.quality.bleu - head.bleu for head in result.heads], height=0.65)
    axes.axvline(0, color="gray", linewidth=1)
    axes.set(
        xlabel=f"BLEU lost without the head ({result.quality.bleu:.1f} with all heads)", ylim=(len(names) - 0.5, -0.5)
    )
    left, right = axes.get_xlim()
    axes.set_xlim(min(left, -LITTLE), max(right, LITTLE))  # so that a loss of nothing looks like nothing
    _warn(figure, result.quality)
    return figure


@rc_context(STYLE)
def draw_capacity(result: Capacity) -> Figure:
    """Above, the share of faultless translations by words and by bits; below, where each width of the vector gives in."""
    figure = Figure((13, 9), layout="constrained")
    (by_words, by_bits), (words, bits) = figure.subplots(2, 2)
    for system, marker in zip(result.systems, cycle("osD^vP*X"), strict=False):
        for axes, groups in ((by_words, system.by_words), (by_bits, system.by_bits)):
            points = [(group.mean, group.exact) for group in groups if group.sentences]
            style = "--" if system.vector is None else "-"
            axes.plot(*zip(*points, strict=True), style, marker=marker, label=system.name)
            axes.axhline(RIGHT, color="gray", linestyle=":", linewidth=1)
    by_words.set(xlabel="words of the source", ylabel="share translated without any fault", ylim=(-0.02, 1.02))
    by_bits.set(xlabel="information of the source in bits")
    _draw_limits(words, [(system, system.words) for system in result.systems], WORDS[-1])
    _draw_limits(bits, [(system, system.bits) for system in result.systems], BITS[-1])
    words.set(ylabel="words at which half are right")
    bits.set(ylabel="bits at which half are right")
    figure.legend(*by_words.get_legend_handles_labels(), loc="outside right center")
    return figure


def _draw_limits(axes: Axes, limits: Sequence[tuple[MeasuredSystem, Limit]], beyond: int) -> None:
    """Limits against the width of the vector, with intervals; a line for each other system. What is beyond stands at the top."""

    def place(end: float | None) -> float:
        return float(beyond) if end is None else end

    for system, limit in limits:
        at = place(limit.at)
        if system.vector is None:
            axes.axhline(at, color="gray", linestyle="--", linewidth=1)
            name = system.name if limit.at is not None else f"{system.name}: beyond"
            axes.annotate(name, (1, at), xycoords=("axes fraction", "data"), ha="right", va="bottom")
            continue
        error = [[max(0.0, at - place(limit.low))], [max(0.0, place(limit.high) - at)]]
        axes.errorbar([system.vector], [at], yerr=error, fmt="o", color="tab:blue", capsize=3)
    widths = sorted({system.vector for system, _ in limits if system.vector is not None})
    axes.set_xscale("log", base=2)
    axes.set_xticks(widths, [str(width) for width in widths])
    axes.set(xlabel="numbers of the fixed vector", ylim=(0, 1.05 * beyond))


@rc_context(STYLE)
def draw_attended(attended: Sequence[Attended]) -> Figure:
    """The maps of each model to one sentence, two in a row: those of a layer's mean or of each hop."""
    maps = [(one, each) for one in attended for each in (*one.summarize(), *([] if one.maps else [None]))]
    columns, rows = len(attended[0].source), max(len(one.target) for one in attended)
    across = min(2, len(maps))
    down = -(-len(maps) // across)
    figure = Figure((across * (1.6 + 0.3 * columns), down * (1.8 + 0.3 * rows)), layout="constrained")
    places = list(figure.subplots(down, across, squeeze=False).flat)
    for empty in places[len(maps) :]:
        empty.remove()
    for axes, (one, each) in zip(places, maps, strict=False):
        named = f"{one.name}\n{describe_map(each)}" if each is not None else f"{one.name}\nno attention"
        axes.set_title(named, fontsize=10)
        axes.set_yticks(range(len(one.target)), one.target)
        if each is None:
            axes.text(0.5, 0.5, "the same fixed vector,\nwhatever is written", ha="center", transform=axes.transAxes)
            axes.set(xticks=[], ylim=(len(one.target) - 0.5, -0.5))
            continue
        axes.imshow(each.weights.numpy(), cmap="Blues", vmin=0, vmax=1)
        axes.set_xticks(range(columns), one.source, rotation=90)
        axes.xaxis.tick_top()
    return figure


def _warn(figure: Figure, quality: Quality) -> None:
    if not quality.learned:
        figure.suptitle(f"This model has not learned to translate yet (BLEU {quality.bleu:.1f})", color="tab:red")
