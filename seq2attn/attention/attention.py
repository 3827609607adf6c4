"""Attention = score → span → normalizer → weights → weighted sum of the values.

`Attention(Additive(…), Global(), softmax)` is Bahdanau's; `Attention(General(…), Global(), softmax)` is Luong's; inside
`MultiHead`, `Attention(Dot(scale=d**-0.5), Causal(), softmax)` is a Transformer decoder's self-attention.
"""

from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import dropout, scaled_dot_product_attention

from seq2attn.attention.aggregation import Aggregation, Choice, expectation
from seq2attn.attention.normalizers import Normalizer, softmax
from seq2attn.attention.scores import Score
from seq2attn.attention.spans import Focus, Span
from seq2attn.attention.temporal import temporal
from seq2attn.tensors import Tree, compute_dtype


class Memory(NamedTuple):
    """What attention keeps of a source sequence, made once for each: G groups of keys and values (1, or one for each head)."""

    keys: Float[Tensor, "B G S K"]
    values: Float[Tensor, "B G S V"]
    mask: Bool[Tensor, "B S"]


class AttentionOutput(NamedTuple):
    """The context of each query, and what came with it.

    `weights`: only where a trace was asked for; by head or by hop, before dropout and before any position is drawn.
    `history`: what temporal attention has to know at the next step. `query`: the last query of a memory with hops.
    `sentinel`: the weight β of an adaptive attention's sentinel, with a trace. `choice`: what hard attention drew.
    """

    context: Float[Tensor, "B Q V"] | Any  # a Mixture from Marginal; only a decoder that can read one is given it
    weights: Float[Tensor, "B G Q S"] | None = None
    history: Tree = ()
    query: Float[Tensor, "B Q D"] | None = None
    sentinel: Float[Tensor, "B Q"] | None = None
    choice: Choice | None = None


@runtime_checkable
class AttentionModule(Protocol):
    """What decoders need of attention, with one head or many."""

    context_width: int

    def remember(
        self, states: Float[Tensor, "B S D"], mask: Bool[Tensor, "B S"], values: Float[Tensor, "B S V"] | None = None
    ) -> Any:
        """Everything that depends on the source alone: a Memory, or a tuple of them. Values default to the states."""

    def start(self, mask: Bool[Tensor, "B S"], width: int) -> Tree:
        """The history of `width` hypotheses before the first step, leaves "B W …"; () for attention that has none."""

    def __call__(
        self,
        query: Float[Tensor, "B Q D"],
        memory: Any,
        positions: Int[Tensor, " Q"] | None = None,
        *,
        past: Tree | None = None,
        sentinel: Float[Tensor, "B Q X"] | None = None,
        trace: bool = False,
    ) -> AttentionOutput:
        """The context of each query at its target step `positions`.

        With `past` the queries are W hypotheses, each with a history of its own; without, they are the steps of one target.
        `sentinel`: what the decoder offers beside the source (adaptive attention only).
        """


class Attended(NamedTuple):
    """The outcome in every group."""

    context: Float[Tensor, "B G Q V"]
    weights: Float[Tensor, "B G Q S"] | None
    history: Tree
    choice: Choice | None


class Attention(nn.Module):
    """context_q = Σ_s weight_qs · value_s, with weights = normalizer(score(query, keys)) inside the span.

    `context_width` is the size of the values. Dropout acts on the weights. `temporal` subtracts from each score what its
    position has received so far. `aggregation` may choose one position instead of the sum (hard attention).
    """

    def __init__(
        self,
        *,
        score: Score,
        span: Span,
        normalizer: Normalizer,
        context_width: int,
        aggregation: Aggregation = expectation,
        temporal: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.score = score
        self.span = span
        self.normalizer = normalizer
        self.aggregation = aggregation
        self.context_width = context_width
        self.temporal = temporal
        self.dropout = dropout

    def remember(
        self, states: Float[Tensor, "B S D"], mask: Bool[Tensor, "B S"], values: Float[Tensor, "B S V"] | None = None
    ) -> Memory:
        """One group of keys and values."""
        return Memory(self.score.keys(states[:, None]), (states if values is None else values)[:, None], mask)

    def start(self, mask: Bool[Tensor, "B S"], width: int, groups: int = 1) -> Tree:
        """No position has been attended to yet."""
        if not self.temporal:
            return ()
        return torch.full((len(mask), width, groups, mask.shape[1]), -torch.inf, device=mask.device)

    def forward(
        self,
        query: Float[Tensor, "B Q D"],
        memory: Memory,
        positions: Int[Tensor, " Q"] | None = None,
        *,
        past: Tree | None = None,
        sentinel: Float[Tensor, "B Q X"] | None = None,
        trace: bool = False,
    ) -> AttentionOutput:
        """Attend with one head."""
        found = self.attend(query[:, None], memory, positions, past=past, trace=trace)
        return AttentionOutput(found.context.squeeze(1), found.weights, found.history, choice=found.choice)

    def attend(
        self,
        query: Float[Tensor, "B G Q D"],
        memory: Memory,
        positions: Int[Tensor, " Q"] | None,
        *,
        past: Tree | None = None,
        trace: bool = False,
    ) -> Attended:
        """Attend in every group.

        The fused kernel computes scaled dot + softmax where nobody wants to see the weights; not in bf16 on a CPU, where its
        backward takes several times as long as the composed path's (scripts/bench_kernels.py).
        """
        focus = self.span(query, memory.mask, positions)
        if not trace and self._fuses(query, focus):
            keys, values = memory.keys.to(query.dtype), memory.values.to(query.dtype)
            rate = self.dropout if self.training else 0.0
            context = scaled_dot_product_attention(query, keys, values, focus.legal, rate, scale=self.score.dot_scale)
            return Attended(context, None, (), None)
        weights, history = self.weigh(query, memory, focus, past)
        used, choice = self.aggregation(weights, self.training)
        context = self.average(used, memory, focus)
        return Attended(context, scattered(weights, memory.mask, focus) if trace else None, history, choice)

    def weigh(
        self,
        query: Float[Tensor, "B G Q D"],
        memory: Memory,
        focus: Focus,
        past: Tree | None = None,
        beside: Float[Tensor, "B G Q 1"] | None = None,
    ) -> tuple[Float[Tensor, "B G Q M"], Tree]:
        """The weights in the focus, and the history; `beside` is the score of a sentinel, whose weight comes last."""
        if focus.places is None:
            scores = self.score(query, memory.keys)
        else:
            scores = self.score(query[..., None, :], picked(memory.keys, focus.places))[..., 0, :]
        history: Tree = ()
        if self.temporal:
            scores, history = temporal(scores, past)  # type: ignore[arg-type]
        legal = focus.legal.expand(scores.shape)
        if beside is not None:
            scores = torch.cat([scores, beside.to(scores.dtype)], -1)
            legal = torch.cat([legal, legal.new_ones(beside.shape)], -1)
        weights = self.normalizer(scores, legal)
        return weights if focus.gain is None else weights * focus.gain, history

    def average(self, weights: Float[Tensor, "B G Q M"], memory: Memory, focus: Focus) -> Float[Tensor, "B G Q V"]:
        """The weighted sum of the values in the focus, with dropout on the weights in training."""
        if self.training and self.dropout:
            weights = dropout(weights, self.dropout)
        weights = weights.to(memory.values.dtype)
        if focus.places is None:
            return weights @ memory.values
        return (weights[..., None, :] @ picked(memory.values, focus.places))[..., 0, :]

    def _fuses(self, query: Tensor, focus: Focus) -> bool:
        plain = focus.gain is None and focus.places is None and not self.temporal and self.aggregation is expectation
        fast = query.device.type != "cpu" or compute_dtype(query) != torch.bfloat16
        return plain and fast and self.score.dot_scale is not None and self.normalizer is softmax


def picked(states: Float[Tensor, "B G S K"], places: Int[Tensor, "B Q M"]) -> Float[Tensor, "B G Q M K"]:
    """The rows at `places`, for each query its own."""
    sentences = torch.arange(len(states), device=states.device)[:, None, None]
    return states.transpose(1, 2)[sentences, places].movedim(3, 1)


def scattered(weights: Float[Tensor, "B G Q M"], mask: Bool[Tensor, "B S"], focus: Focus) -> Float[Tensor, "B G Q S"]:
    """Weights of gathered keys, put back to where the keys stand."""
    if focus.places is None:
        return weights
    whole = weights.new_zeros(*weights.shape[:3], mask.shape[1])
    return whole.scatter_add(3, focus.places[:, None].expand(weights.shape), weights)
