"""Time and memory of self-attention by length: full, window, strided, each in the forms that this project has."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from seq2attn.attention import Request
from seq2attn.build.attention import build_attention
from seq2attn.config.attention import TransformerAttentionConfig
from seq2attn.probes.cost.curves import LONG, LengthCurve, format_curves, longer_half
from seq2attn.probes.cost.meter import RUNS, Work, measure_peak_memory, measure_seconds
from seq2attn.probes.cost.pairs import RADIUS, square_root

WIDTH, HEADS = 64, 4
_SECONDS = 1.0  # for each length, at least

# Each form's config section at a length, and whether a trace is asked for, so that all weights are stored.
FORMS: dict[str, tuple[Callable[[int], dict[str, object]], bool]] = {
    "full": (lambda n: {}, True),
    "full, fused": (lambda n: {}, False),
    "window": (lambda n: {"span": _window(gathered=False)}, True),
    "window, gathered": (lambda n: {"span": _window(gathered=True)}, False),
    "strided": (lambda n: {"span": _strided(n, gathered=False)}, True),
    "strided, gathered": (lambda n: {"span": _strided(n, gathered=True)}, False),
    "latent": (lambda n: {"latent": {}}, True),
}


def _window(*, gathered: bool) -> dict[str, object]:
    return {"type": "window", "radius": RADIUS, "gathered": gathered}


def _strided(length: int, *, gathered: bool) -> dict[str, object]:
    return {"type": "strided", "stride": square_root(length), "gathered": gathered}


@dataclass(frozen=True)
class SelfAttentionCost:
    """By length: the seconds and the peak bytes of one forward and backward pass, a curve for each form."""

    seconds: tuple[LengthCurve, ...]
    peak_bytes: tuple[LengthCurve, ...]

    @property
    def verdict(self) -> str:
        """From which length on gathering gains, and which slopes to expect."""
        slopes = "Slopes to expect: full 2, strided gathered 1.5, window gathered 1; memory of the fused kernel 1."
        if not _are_long(self.seconds[0].lengths):
            slopes = f"These lengths are too short for slopes to mean much: give two or more from {LONG} up."
        return "\n".join([*(self._gain(name) for name in ("window, gathered", "strided, gathered")), slopes])

    def _gain(self, name: str) -> str:
        faster, smaller = (_describe_gain(name, curves) for curves in (self.seconds, self.peak_bytes))
        return f"{name[0].upper()}{name[1:]}: faster than full {faster}, less memory {smaller}."

    def to_json(self) -> dict[str, Any]:
        """`seconds` and `peak_bytes` are curves over the lengths, one for each form."""
        return {
            "width": WIDTH,
            "heads": HEADS,
            "radius": RADIUS,
            "seconds": [curve.to_json() for curve in self.seconds],
            "peak_bytes": [curve.to_json() for curve in self.peak_bytes],
            "long_enough_for_slopes": _are_long(self.seconds[0].lengths),
            "verdict": self.verdict,
        }

    def to_text(self, machine: str) -> str:
        """Two tables, a row for each form and a column for each length, and the verdict; `machine` ends their captions."""
        half = longer_half(self.seconds[0].lengths)
        return f"""\
Milliseconds of self-attention over one sentence, forward and backward: medians of {RUNS} runs or more, {machine}.
Width {WIDTH}, {HEADS} heads, fp32. Full, window, strided and latent compute and store all n² weights, hidden ones too;
the fused kernel stores none; gathered forms compute only what the span allows, and copy keys and values for it.
Slope: a of figure ∝ n^a, by least squares over the lengths from {half[0]:,} up.

{format_curves("ms", self.seconds, lambda seconds: f"{1000 * seconds:.2f}")}

Peak memory in MiB of the same passes, parameters and input not counted, {machine}.

{format_curves("MiB", self.peak_bytes, lambda number: f"{number / 2**20:.2f}")}

{self.verdict}"""


def _describe_gain(name: str, curves: tuple[LengthCurve, ...]) -> str:
    by_name = {curve.name: curve for curve in curves}
    length = by_name[name].lower_from(by_name["full"])
    if length is None:
        return "at no length measured"
    return "at every length measured" if length == curves[0].lengths[0] else f"from length {length:,} on"


def _are_long(lengths: tuple[int, ...]) -> bool:
    return len(lengths) > 1 and longer_half(lengths)[0] >= LONG


def measure_self_attention(lengths: tuple[int, ...], *, device: torch.device, seed: int) -> SelfAttentionCost:
    """Measure every form at every length, from random states and weights."""
    seconds, peaks = [], []
    for length in lengths:
        works = [make_pass(name, length, device, seed) for name in FORMS]
        seconds.append(measure_seconds(works, device, at_least=_SECONDS))
        peaks.append([measure_peak_memory(work, device) for work in works])
    return SelfAttentionCost(_make_curves(lengths, seconds), _make_curves(lengths, peaks))


def _make_curves(lengths: tuple[int, ...], rows: list[list[Any]]) -> tuple[LengthCurve, ...]:
    return tuple(LengthCurve(name, lengths, tuple(row[number] for row in rows)) for number, name in enumerate(FORMS))


def make_pass(name: str, length: int, device: torch.device, seed: int) -> Work:
    """One forward and backward pass of the form of that name over one sentence; no gradient is kept."""
    section, stores = FORMS[name]
    config = TransformerAttentionConfig.model_validate({"heads": HEADS, **section(length)})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = build_attention(config, over="encoder", query_width=WIDTH, key_width=WIDTH)
        states = torch.randn(1, length, WIDTH).to(device).requires_grad_()
    assert isinstance(module, torch.nn.Module)
    module.to(device)
    inputs = [states, *module.parameters()]
    real, positions = torch.ones(1, length, dtype=torch.bool, device=device), torch.arange(length, device=device)

    def work() -> None:
        context = module(Request(states, positions, trace=stores), module.remember(states, real)).context
        torch.autograd.grad(context.sum(), inputs)

    return work
