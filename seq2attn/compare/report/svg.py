"""Where everything lies in the curve of BLEU by source length; the template curve.svg.j2 draws it."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from seq2attn.compare.report.results import FEW, Comparison, SystemResult
from seq2attn.evaluation.by_length import Bucket

COLORS = 6  # classes c0…c5 of the page's style sheet
MARKERS = (
    "M-5,0a5,5 0 1,0 10,0a5,5 0 1,0 -10,0Z",  # circle
    "M-4.5,-4.5h9v9h-9Z",  # square
    "M0,-6L5.5,4H-5.5Z",  # triangle
    "M0,-6.5L6,0L0,6.5L-6,0Z",  # diamond
    "M0,6L5.5,-4H-5.5Z",  # triangle that points down
    "M-1.8,-5.5h3.6v3.7h3.7v3.6h-3.7v3.7h-3.6v-3.7h-3.7v-3.6h3.7Z",  # cross
)
_LABEL_GAP = 17.0
_CHARACTER = 8.4  # width of a character of the labels, generously


@dataclass(frozen=True)
class Point:
    """A marker: hollow where the bucket is small, with a whisker over the seeds where there are several."""

    x: float
    y: float
    hollow: bool
    low: float
    high: float
    title: str


@dataclass(frozen=True)
class Segment:
    """A piece of a line between neighboring buckets; dashed where either of them is small."""

    x1: float
    y1: float
    x2: float
    y2: float
    dashed: bool


@dataclass(frozen=True)
class Line:
    """One system: its pieces, its markers, and its label at the right end."""

    color: int
    marker: str
    segments: tuple[Segment, ...]
    points: tuple[Point, ...]
    label: str
    label_y: float


@dataclass(frozen=True)
class Tick:
    """A mark on an axis; `note` stands below the text."""

    place: float
    text: str
    note: str = ""
    few: bool = False


@dataclass(frozen=True)
class Curve:
    """The whole drawing, in user units."""

    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    lines: tuple[Line, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]


def curve(comparison: Comparison, *, width: float, height: float, characters: int, values: bool) -> Curve | None:
    """The drawing of all systems, or None while no bucket has a score.

    Labels have at most `characters` of a name, and the last BLEU if there is room for `values`.
    """
    systems = comparison.systems
    places = [i for i, bucket in enumerate(systems[0].by_length) if bucket.sentences] if systems else []
    if not places:
        return None
    shown = range(places[0], places[-1] + 1)
    names = [_label(system, characters, values) for system in systems]
    left, top, bottom = 30.0, 16.0, height - 62.0
    right = width - 18 - _CHARACTER * max(len(name) for name in names)
    ceiling = _ceiling(max((b.bleu or 0.0) for system in systems for run in system.runs for b in run.by_length))
    step = (right - left) / len(shown)
    xs = {place: left + step * (order + 0.5) for order, place in enumerate(shown)}

    def height_of(bleu: float) -> float:
        return bottom - (bottom - top) * bleu / ceiling

    points = [
        tuple(
            _point(xs[place], system, place, height_of) for place in shown if system.by_length[place].bleu is not None
        )
        for system in systems
    ]
    ends = spread([line[-1].y for line in points], gap=_LABEL_GAP, low=top, high=bottom)
    lines = tuple(
        Line(
            color=order % COLORS,
            marker=MARKERS[order % len(MARKERS)],
            segments=_segments(points[order], step),
            points=points[order],
            label=names[order],
            label_y=ends[order],
        )
        for order in range(len(systems))
    )
    y_step = 10 if ceiling <= 50 else 20
    return Curve(
        width=width,
        height=height,
        left=left,
        right=right,
        top=top,
        bottom=bottom,
        lines=lines,
        x_ticks=tuple(_bucket_tick(xs[place], systems[0].by_length[place]) for place in shown),
        y_ticks=tuple(Tick(height_of(float(value)), str(value)) for value in range(0, ceiling + 1, y_step)),
    )


def spread(places: list[float], *, gap: float, low: float, high: float) -> list[float]:
    """The nearest places that keep `gap` between neighbors, in the same order, within [low, high] if they fit.

    Neighbors that overlap are merged into one block around their mean, until no two blocks overlap.
    """
    order = sorted(range(len(places)), key=lambda index: places[index])
    blocks: list[list[int]] = []
    for index in order:
        blocks.append([index])
        while len(blocks) > 1 and _start(blocks[-1], places, gap, low, high) < (
            _start(blocks[-2], places, gap, low, high) + gap * len(blocks[-2])
        ):
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    result = list(places)
    for block in blocks:
        start = _start(block, places, gap, low, high)
        for position, index in enumerate(block):
            result[index] = start + gap * position
    return result


def _start(block: list[int], places: list[float], gap: float, low: float, high: float) -> float:
    extent = gap * (len(block) - 1)
    middle = sum(places[index] for index in block) / len(block)
    return max(low, min(high - extent, middle - extent / 2))


def _point(x: float, system: SystemResult, place: int, height_of: Callable[[float], float]) -> Point:
    bucket = system.by_length[place]
    runs = [run.by_length[place].bleu or 0.0 for run in system.runs]
    bleu = bucket.bleu or 0.0
    return Point(
        x=x,
        y=height_of(bleu),
        hollow=bucket.sentences < FEW,
        low=height_of(min(runs)),
        high=height_of(max(runs)),
        title=f"{system.name}, {bucket.label} words: BLEU {bleu:.1f} ({bucket.sentences:,} sentences)",
    )


def _segments(points: tuple[Point, ...], step: float) -> tuple[Segment, ...]:
    return tuple(
        Segment(one.x, one.y, other.x, other.y, dashed=one.hollow or other.hollow or other.x - one.x > 1.5 * step)
        for one, other in pairwise(points)
    )


def _bucket_tick(x: float, bucket: Bucket) -> Tick:
    return Tick(x, bucket.label, f"{bucket.sentences:,}", few=bucket.sentences < FEW)


def _ceiling(highest: float) -> int:
    """The end of the BLEU axis: 20, 30, 40, 50, 60, 80 or 100, so that lines use the height."""
    return next((end for end in (20, 30, 40, 50, 60, 80) if highest <= end), 100)


def _label(system: SystemResult, characters: int, values: bool) -> str:
    name = system.name if len(system.name) <= characters else system.name[: characters - 1] + "…"
    last = next(bucket.bleu for bucket in reversed(system.by_length) if bucket.bleu is not None)
    return f"{name} {last:.0f}" if values else name
