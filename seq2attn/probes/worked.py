"""Attention worked by hand: every step of one query, with its formula and its numbers."""

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seq2attn.attention import Additive, Attention, Dot, Global, Normalizer, Request, Score, softmax
from seq2attn.attention.normalizers import Entmax, sparsemax

Vector = tuple[float, ...]
_NORMALIZERS: dict[str, Normalizer] = {"softmax": softmax, "sparsemax": sparsemax, "entmax 1.5": Entmax(1.5)}


@dataclass(frozen=True)
class Example:
    """One query, S keys as wide as it, and S values of any one width."""

    name: str
    query: Vector
    keys: tuple[Vector, ...]
    values: tuple[Vector, ...]


STATES = Example(
    "Two encoder states, which are keys and values",
    (0.5, 0.5),
    ((1.0, 2.0), (3.0, 4.0)),
    ((1.0, 2.0), (3.0, 4.0)),
)
PAIRS = Example(
    "Keys with values of their own",
    (1.0, 0.0, 1.0),
    ((1.0, 0.0, 1.0), (0.0, 1.0, 0.0)),
    ((0.5, 0.5), (0.1, 0.9)),
)


@dataclass(frozen=True)
class Step:
    """What is computed, how, and the numbers that come out: one for each key, each component, or one."""

    name: str
    formula: str
    numbers: Vector


@dataclass(frozen=True)
class Variant:
    """One way to attend, step by step."""

    name: str
    steps: tuple[Step, ...]

    def __getitem__(self, step: str) -> Vector:
        """The numbers of the step of that name."""
        return next(each.numbers for each in self.steps if each.name == step)


@dataclass(frozen=True)
class Worked:
    """An example, worked in every variant."""

    example: Example
    variants: tuple[Variant, ...]

    def to_json(self) -> dict[str, Any]:
        """The example, and the numbers of every variant by step."""
        variants = [{"name": each.name} | {step.name: step.numbers for step in each.steps} for each in self.variants]
        return asdict(self.example) | {"variants": variants}

    def to_text(self) -> str:
        """For a terminal."""
        example = self.example
        lines = [example.name, "", f"  q  = {_vector(example.query)}"]
        for place, (key, value) in enumerate(zip(example.keys, example.values, strict=True), 1):
            lines.append(f"  k{place} = {_vector(key)}   v{place} = {_vector(value)}")
        steps = [step for variant in self.variants for step in variant.steps]
        name, formula = max(len(step.name) for step in steps), max(len(step.formula) for step in steps)
        for variant in self.variants:
            lines += ["", variant.name]
            for step in variant.steps:
                numbers = "  ".join(f"{number:z10.6f}" for number in step.numbers)
                lines.append(f"  {step.name:{name}}  {step.formula:{formula}}  {numbers}")
        return "\n".join(lines)


def _vector(numbers: Vector) -> str:
    return f"({', '.join(f'{number:g}' for number in numbers)})"


class _Scoring(NamedTuple):
    """A score, the steps that lead to it, and the symbol of what the last of them gives."""

    name: str
    score: Score
    steps: tuple[Step, ...]
    symbol: str


@torch.no_grad()
def work(example: Example) -> Worked:
    """Three scores (dot, scaled dot, additive with W = U = I and v = 1) and three normalizers, not in every combination."""
    query, keys, values = (
        torch.tensor([rows], dtype=torch.float64) for rows in ([example.query], example.keys, example.values)
    )
    dot, scaled_dot, additive = _dot(query, keys), _scaled_dot(query, keys), _additive(query, keys)
    variants = []
    for scoring, name in (
        (dot, "softmax"),
        (scaled_dot, "softmax"),
        (additive, "softmax"),
        (dot, "sparsemax"),
        (scaled_dot, "entmax 1.5"),
    ):
        normalizer, width = _NORMALIZERS[name], values.shape[2]
        attention = Attention(score=scoring.score, span=Global(), normalizer=normalizer, context_width=width)
        mask = torch.ones(keys.shape[:2], dtype=torch.bool)
        found = attention(Request(query, trace=True), attention.remember(keys, mask, values))
        steps = (
            *scoring.steps,
            *_normalization(name, scoring, found.weights),
            _step("context", "c = Σ_i w_i v_i", found.context),
            _step("entropy", "H = −Σ_i w_i ln w_i", entropy(found.weights)),
        )
        variants.append(Variant(f"{scoring.name}, {name}", steps))
    return Worked(example, tuple(variants))


def _dot(query: Float[Tensor, "1 1 D"], keys: Float[Tensor, "1 S D"]) -> _Scoring:
    score = Dot()
    return _Scoring("dot", score, (_step("scores", "e_i = q · k_i", score(query, keys)),), "e")


def _scaled_dot(query: Float[Tensor, "1 1 D"], keys: Float[Tensor, "1 S D"]) -> _Scoring:
    width = query.shape[2]
    score = Dot(scale=width**-0.5)
    scaled = _step("scaled", f"z_i = e_i / √{width}", score(query, keys))
    return _Scoring("scaled dot", score, (*_dot(query, keys).steps, scaled), "z")


def _additive(query: Float[Tensor, "1 1 D"], keys: Float[Tensor, "1 S D"]) -> _Scoring:
    width = query.shape[2]
    score = Additive(query_width=width, key_width=width, width=width).double()
    nn.init.eye_(score.query.weight)
    nn.init.eye_(score.key.weight)
    nn.init.ones_(score.vector)
    hidden = torch.tanh(score.query(query) + score.keys(keys))[0]
    steps = [
        _step(f"hidden {place}", f"h_{place} = tanh(W q + U k_{place}), W = U = I", row)
        for place, row in enumerate(hidden, 1)
    ]
    scores = _step("scores", "e_i = vᵀ h_i, v = (1, …, 1)", score(query, score.keys(keys)))
    return _Scoring("additive", score, (*steps, scores), "e")


def _normalization(name: str, scoring: _Scoring, weights: Tensor) -> tuple[Step, ...]:
    """The weights; before them, where there is one, the threshold, read off the highest score and the highest weight."""
    e, score, weight = scoring.symbol, max(scoring.steps[-1].numbers), weights.max()
    match name:
        case "softmax":
            return (_step("weights", f"w_i = exp({e}_i) / Σ_j exp({e}_j)", weights),)
        case "sparsemax":
            threshold, inside = score - weight, f"max({e}_i − τ, 0)"
        case _:
            threshold, inside = score / 2 - weight.sqrt(), f"max({e}_i / 2 − τ, 0)²"
    return _step("threshold", f"τ with Σ_i {inside} = 1", threshold), _step("weights", f"w_i = {inside}", weights)


def _step(name: str, formula: str, numbers: Tensor) -> Step:
    return Step(name, formula, tuple(numbers.flatten().tolist()))


def entropy(weights: Float[Tensor, "*R S"]) -> Float[Tensor, "*R"]:
    """H = −Σ_s w_s ln w_s in nats: 0 where one position has all the weight, ln S where all have the same."""
    return torch.special.entr(weights).sum(-1)
