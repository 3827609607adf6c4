"""The chart of BLEU by source length: where everything lies in it; the template curve.svg.j2 writes it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from seq2attn.compare.report.results import FEW, Comparison, SystemResult
from seq2attn.evaluation.by_length import Bucket

COLORS = 6  # classes c0…c5 of the style sheet
MARKERS = (
    "M-5,0a5,5 0 1,0 10,0a5,5 0 1,0 -10,0Z",  # circle
    "M-4.5,-4.5h9v9h-9Z",  # square
    "M0,-6L5.5,4H-5.5Z",  # triangle
    "M0,-6.5L6,0L0,6.5L-6,0Z",  # diamond
    "M0,6L5.5,-4H-5.5Z",  # triangle that points down
    "M-1.8,-5.5h3.6v3.7h3.7v3.6h-3.7v3.7h-3.6v-3.7h-3.7v-3.6h3.7Z",  # cross
)
_LABEL_GAP = 17.0
_CHARACTER = 9.2  # width of a character of the labels, generously: fonts differ


@dataclass(frozen=True)
class Point:
    """A marker: hollow if the bucket is small, with a whisker from `low` to `high` if there are several seeds."""

    x: float
    y: float
    hollow: bool
    low: float
    high: float
    title: str


@dataclass(frozen=True)
class Stroke:
    """A straight line between two points; dashed if one of their buckets is small, or buckets between them are empty."""

    x1: float
    y1: float
    x2: float
    y2: float
    dashed: bool


@dataclass(frozen=True)
class Series:
    """One system: the outline of its band, its strokes, its markers, and its label at the right end."""

    color: int
    marker: str
    strokes: tuple[Stroke, ...]
    points: tuple[Point, ...]
    band: str
    label: str
    label_y: float


@dataclass(frozen=True)
class Tick:
    """A mark on an axis; `note` stands below the text, `few` if the bucket is small."""

    position: float
    text: str
    note: str = ""
    few: bool = False


@dataclass(frozen=True)
class Chart:
    """The whole drawing. All lengths are in pixels at full size, from the upper left corner."""

    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    series: tuple[Series, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]


def lay_out(comparison: Comparison, *, width: float, height: float, characters: int, values: bool) -> Chart | None:
    """The chart of all systems, or None while no bucket has a score.

    Labels have at most `characters` of a system's name and, with `values`, its BLEU on the longest sentences.
    """
    systems = comparison.systems
    filled = [i for i, bucket in enumerate(systems[0].by_length) if bucket.sentences] if systems else []
    if not filled:
        return None
    shown = range(filled[0], filled[-1] + 1)
    labels = [_label(system, characters, values) for system in systems]
    left, top, bottom = 40.0, 26.0, height - 62.0
    right = width - 18 - _CHARACTER * max(len(label) for label in labels)
    ceiling = _choose_ceiling(max((b.bleu or 0.0) for system in systems for run in system.runs for b in run.by_length))
    distance = (right - left) / len(shown)
    xs = {index: left + distance * (order + 0.5) for order, index in enumerate(shown)}

    def to_y(bleu: float) -> float:
        return bottom - (bottom - top) * bleu / ceiling

    points = [
        tuple(
            _place(xs[i], system, i, to_y, comparison.test.unit) for i in shown if system.by_length[i].bleu is not None
        )
        for system in systems
    ]
    label_ys = spread([line[-1].y for line in points], gap=_LABEL_GAP, low=top, high=bottom)
    series = tuple(
        Series(
            color=order % COLORS,
            marker=MARKERS[(order + order // COLORS) % len(MARKERS)],  # so that 36 systems differ in one of the two
            strokes=_connect(points[order], distance),
            points=points[order],
            band=_outline(systems[order], shown, xs, to_y),
            label=labels[order],
            label_y=label_ys[order],
        )
        for order in range(len(systems))
    )
    every = 10 if ceiling <= 50 else 20
    return Chart(
        width=width,
        height=height,
        left=left,
        right=right,
        top=top,
        bottom=bottom,
        series=series,
        x_ticks=tuple(_mark_bucket(xs[i], systems[0].by_length[i]) for i in shown),
        y_ticks=tuple(Tick(to_y(float(value)), str(value)) for value in range(0, ceiling + 1, every)),
    )


def spread(positions: list[float], *, gap: float, low: float, high: float) -> list[float]:
    """Move positions apart to keep `gap` between neighbors, as little as possible, in [low, high] if they fit there.

    The order stays. Neighbors that overlap are merged into one block around their mean, until no two blocks overlap.
    """
    order = sorted(range(len(positions)), key=lambda index: positions[index])
    blocks: list[list[int]] = []
    for index in order:
        blocks.append([index])
        while len(blocks) > 1 and _find_start(blocks[-1], positions, gap, low, high) < (
            _find_start(blocks[-2], positions, gap, low, high) + gap * len(blocks[-2])
        ):
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    result = list(positions)
    for block in blocks:
        start = _find_start(block, positions, gap, low, high)
        for order_in_block, index in enumerate(block):
            result[index] = start + gap * order_in_block
    return result


def _find_start(block: list[int], positions: list[float], gap: float, low: float, high: float) -> float:
    extent = gap * (len(block) - 1)
    middle = sum(positions[index] for index in block) / len(block)
    return max(low, min(high - extent, middle - extent / 2))


def _place(x: float, system: SystemResult, index: int, to_y: Callable[[float], float], unit: str) -> Point:
    bucket = system.by_length[index]
    runs = [run.by_length[index].bleu or 0.0 for run in system.runs]
    bleu = bucket.bleu or 0.0
    return Point(
        x=x,
        y=to_y(bleu),
        hollow=bucket.sentences < FEW,
        low=to_y(min(runs)),
        high=to_y(max(runs)),
        title=f"{system.name}, {bucket.label} {unit}: BLEU {bleu:.1f} ({bucket.sentences:,} sentences)",
    )


def _connect(points: tuple[Point, ...], distance: float) -> tuple[Stroke, ...]:
    return tuple(
        Stroke(one.x, one.y, other.x, other.y, dashed=one.hollow or other.hollow or other.x - one.x > 1.5 * distance)
        for one, other in pairwise(points)
    )


def _outline(system: SystemResult, shown: range, xs: Mapping[int, float], to_y: Callable[[float], float]) -> str:
    """The polygon around the intervals of the buckets that have one; empty if there are fewer than two."""
    if not system.intervals:
        return ""
    known = [(xs[index], interval) for index in shown if (interval := system.intervals[index]) is not None]
    upper = [f"{x:.1f},{to_y(interval.high):.1f}" for x, interval in known]
    lower = [f"{x:.1f},{to_y(interval.low):.1f}" for x, interval in reversed(known)]
    return " ".join(upper + lower) if len(known) > 1 else ""


def _mark_bucket(x: float, bucket: Bucket) -> Tick:
    return Tick(x, bucket.label, f"{bucket.sentences:,}", few=bucket.sentences < FEW)


def _choose_ceiling(highest: float) -> int:
    """The end of the BLEU axis: 20, 30, 40, 50, 60, 80 or 100, so that lines use the height."""
    return next((end for end in (20, 30, 40, 50, 60, 80) if highest <= end), 100)


def _label(system: SystemResult, characters: int, values: bool) -> str:
    name = system.name if len(system.name) <= characters else system.name[: characters - 1] + "…"
    last = next(bucket.bleu for bucket in reversed(system.by_length) if bucket.bleu is not None)
    return f"{name} {last:.0f}" if values else name
