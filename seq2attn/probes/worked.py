"""Attention as one works it by hand: every step for one query, with its formula and its numbers."""

from collections.abc import Sequence
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
class VectorExample:
    """One query, S keys as wide as it, and S values of any one width."""

    name: str
    query: Vector
    keys: tuple[Vector, ...]
    values: tuple[Vector, ...]


STATES = VectorExample(
    "Two encoder states, which are keys and values",
    (0.5, 0.5),
    ((1.0, 2.0), (3.0, 4.0)),
    ((1.0, 2.0), (3.0, 4.0)),
)
PAIRS = VectorExample(
    "Keys with other vectors as values",
    (1.0, 0.0, 1.0),
    ((1.0, 0.0, 1.0), (0.0, 1.0, 0.0)),
    ((0.5, 0.5), (0.1, 0.9)),
)


@dataclass(frozen=True)
class Calculation:
    """What is computed, by which formula, and the numbers that come out: one for each key, one for each component, or one."""

    name: str
    formula: str
    numbers: Vector


@dataclass(frozen=True)
class WorkedMechanism:
    """One score with one normalizer, worked step by step: "dot, softmax"."""

    name: str
    steps: tuple[Calculation, ...]

    def __getitem__(self, name: str) -> Vector:
        """The numbers of the step of that name, such as "weights"."""
        return next(step.numbers for step in self.steps if step.name == name)


@dataclass(frozen=True)
class WorkedExample:
    """An example, worked with every mechanism."""

    example: VectorExample
    variants: tuple[WorkedMechanism, ...]

    def to_json(self) -> dict[str, Any]:
        """The example's vectors, and in `variants` the numbers of every mechanism under the names of its steps."""
        variants = [
            {"name": variant.name} | {step.name: step.numbers for step in variant.steps} for variant in self.variants
        ]
        return asdict(self.example) | {"variants": variants}

    def to_text(self) -> str:
        """The vectors, then a block for each mechanism with a line for each step: name, formula, numbers."""
        example = self.example
        lines = [example.name, "", f"  q  = {_format(example.query)}"]
        for number, (key, value) in enumerate(zip(example.keys, example.values, strict=True), 1):
            lines.append(f"  k{number} = {_format(key)}   v{number} = {_format(value)}")
        steps = [step for variant in self.variants for step in variant.steps]
        name, formula = max(len(step.name) for step in steps), max(len(step.formula) for step in steps)
        for variant in self.variants:
            lines += ["", variant.name]
            for step in variant.steps:
                numbers = "  ".join(f"{number:z10.6f}" for number in step.numbers)
                lines.append(f"  {step.name:{name}}  {step.formula:{formula}}  {numbers}")
        return "\n".join(lines)


def _format(vector: Vector) -> str:
    return f"({', '.join(f'{number:g}' for number in vector)})"


@dataclass(frozen=True)
class WorkedExamples:
    """What `probe worked` shows."""

    examples: tuple[WorkedExample, ...]

    def to_json(self) -> dict[str, Any]:
        """The examples in order, each as `WorkedExample.to_json` gives it."""
        return {"examples": [example.to_json() for example in self.examples]}

    def to_text(self) -> str:
        """One example under the other."""
        return "\n\n\n".join(example.to_text() for example in self.examples)


class _Scoring(NamedTuple):
    """A score, the steps that lead to its result, and the symbol of that result in formulas."""

    name: str
    score: Score
    steps: tuple[Calculation, ...]
    symbol: str


def work_examples(examples: Sequence[VectorExample]) -> WorkedExamples:
    """Work every example with every mechanism."""
    return WorkedExamples(tuple(work_example(example) for example in examples))


@torch.no_grad()
def work_example(example: VectorExample) -> WorkedExample:
    """Three scores (dot, scaled dot, additive with W = U = I and v = 1) with softmax, two with a sparse normalizer."""
    query, keys, values = (
        torch.tensor([rows], dtype=torch.float64) for rows in ([example.query], example.keys, example.values)
    )
    dot, scaled_dot, additive = _score_dot(query, keys), _score_scaled_dot(query, keys), _score_additive(query, keys)
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
        output = attention(Request(query, trace=True), attention.remember(keys, mask, values))
        steps = (
            *scoring.steps,
            *_normalize(name, scoring, output.weights),
            _step("context", "c = Σ_i w_i v_i", output.context),
            _step("entropy", "H = −Σ_i w_i ln w_i", entropy(output.weights)),
        )
        variants.append(WorkedMechanism(f"{scoring.name}, {name}", steps))
    return WorkedExample(example, tuple(variants))


def _score_dot(query: Float[Tensor, "1 1 D"], keys: Float[Tensor, "1 S D"]) -> _Scoring:
    score = Dot()
    return _Scoring("dot", score, (_step("scores", "e_i = q · k_i", score(query, keys)),), "e")


def _score_scaled_dot(query: Float[Tensor, "1 1 D"], keys: Float[Tensor, "1 S D"]) -> _Scoring:
    width = query.shape[2]
    score = Dot(scale=width**-0.5)
    scaled = _step("scaled", f"z_i = e_i / √{width}", score(query, keys))
    return _Scoring("scaled dot", score, (*_score_dot(query, keys).steps, scaled), "z")


def _score_additive(query: Float[Tensor, "1 1 D"], keys: Float[Tensor, "1 S D"]) -> _Scoring:
    width = query.shape[2]
    score = Additive(query_width=width, key_width=width, width=width).double()
    nn.init.eye_(score.query.weight)
    nn.init.eye_(score.key.weight)
    nn.init.ones_(score.vector)
    hidden = torch.tanh(score.query(query) + score.keys(keys))[0]
    steps = [
        _step(f"hidden {number}", f"h_{number} = tanh(W q + U k_{number}), W = U = I", row)
        for number, row in enumerate(hidden, 1)
    ]
    scores = _step("scores", "e_i = vᵀ h_i, v = (1, …, 1)", score(query, score.keys(keys)))
    return _Scoring("additive", score, (*steps, scores), "e")


def _normalize(name: str, scoring: _Scoring, weights: Tensor) -> tuple[Calculation, ...]:
    """The weights; before them the threshold τ, if the normalizer has one: it follows from the highest score and its weight."""
    e, score, weight = scoring.symbol, max(scoring.steps[-1].numbers), weights.max()
    match name:
        case "softmax":
            return (_step("weights", f"w_i = exp({e}_i) / Σ_j exp({e}_j)", weights),)
        case "sparsemax":
            threshold, inside = score - weight, f"max({e}_i − τ, 0)"
        case _:
            threshold, inside = score / 2 - weight.sqrt(), f"max({e}_i / 2 − τ, 0)²"
    return _step("threshold", f"τ with Σ_i {inside} = 1", threshold), _step("weights", f"w_i = {inside}", weights)


def _step(name: str, formula: str, numbers: Tensor) -> Calculation:
    return Calculation(name, formula, tuple(numbers.flatten().tolist()))


def entropy(weights: Float[Tensor, "*R S"]) -> Float[Tensor, "*R"]:
    """H = −Σ_s w_s ln w_s in nats: 0 where one position has all the weight, ln S where all have the same."""
    return torch.special.entr(weights).sum(-1)
