"""Attention: scores inside a span, made into weights by a normalizer, and the weighted sum of the values.

Bahdanau's attention over encoder states of size 16, asked by decoder states of size 8:

>>> from seq2attn.attention import Additive, Attention, Global, Request, softmax
>>> score = Additive(query_width=8, key_width=16, width=8)
>>> attention = Attention(score=score, span=Global(), normalizer=softmax, context_width=16)
>>> memory = attention.remember(torch.randn(2, 5, 16), torch.ones(2, 5, dtype=torch.bool))
>>> attention(Request(torch.randn(2, 1, 8)), memory).context.shape
torch.Size([2, 1, 16])

With `General(query_width=8, key_width=16)` as its score it is Luong's. Inside `MultiHead`, with
`Dot(scale=head_width**-0.5)` and `Causal()`, it is the self-attention of a Transformer's decoder.
"""

from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import dropout, scaled_dot_product_attention

from seq2attn.attention.aggregation import Aggregation, Choice, expectation
from seq2attn.attention.normalizers import Normalizer, softmax
from seq2attn.attention.scores import Score
from seq2attn.attention.spans import Causal, Focus, Span
from seq2attn.attention.temporal import temporal
from seq2attn.tensors import Tree, compute_dtype, is_empty, map_tree, widen

WIDEST_FUSED = 256  # of a key, for which GPUs have fast fused kernels


class Memory(NamedTuple):
    """What attention keeps of a sequence of S positions, made once: keys and values of G key-value heads.

    The letters of all shapes are explained in `seq2attn/tensors.py`. `mask` is True at real positions, False at padding.
    """

    keys: Float[Tensor, "B G S K"]
    values: Float[Tensor, "B G S V"]
    mask: Bool[Tensor, "B S"]


class Request(NamedTuple):
    """What a decoder asks of an attention, Q queries for each sentence.

    query: the Q steps of one target under teacher forcing, or one step of Q hypotheses when stepping.
    positions: the target step of each query, from 0; spans that move with the target and rotary positions need it.
    past: the history of each hypothesis, as `start` began it and the last step's output returned it; the queries are then
        hypotheses. None: the queries are the steps of one target.
    sentinel: what the decoder offers beside the source; adaptive attention needs it, and no other takes it.
    own: which keys are the query's own, where search asks several hypotheses' keys at once; it takes the place of a span that
        sees all earlier positions.
    trace: whether to return the weights, which a fused kernel never makes.
    """

    query: Float[Tensor, "B Q D"]
    positions: Int[Tensor, " Q"] | None = None
    past: Tree | None = None
    sentinel: Float[Tensor, "B Q X"] | None = None
    trace: bool = False
    own: Bool[Tensor, "B Q S"] | None = None

    def repeat(self, times: int) -> "Request":
        """The same for that many blocks of Q queries; the query itself stays as it is."""
        positions = None if self.positions is None else self.positions.repeat(times)
        own = None if self.own is None else self.own.repeat(1, times, 1)
        return self._replace(positions=positions, own=own)

    def refuse_past(self, name: str) -> None:
        """Raise ValueError if there is a history: attention called `name` keeps none."""
        if self.past is not None and not is_empty(self.past):
            raise ValueError(f"{name} keeps no history of earlier steps, but was given one")

    def refuse_sentinel(self, name: str) -> None:
        """Raise ValueError if there is a sentinel: only adaptive attention weighs it."""
        if self.sentinel is not None:
            raise ValueError(f"{name} has no use for a sentinel: only adaptive attention weighs one")


class AttentionOutput(NamedTuple):
    """The context of each query, and what came with it.

    context: the weighted sum of the values; from `Marginal` a Mixture, and only Luong's decoder can read one.
    weights: only where a trace was asked for; one for each head or hop, before dropout and before any position is drawn.
    history: what the attention has to know at the next step.
    query: the last query of a memory with hops, which stands for the decoder's state from there on.
    sentinel: the weight β of an adaptive attention's sentinel, with a trace.
    choice: which positions hard attention drew in training.
    """

    context: Float[Tensor, "B Q V"] | Any
    weights: Float[Tensor, "B G Q S"] | None = None
    history: Tree = ()
    query: Float[Tensor, "B Q D"] | None = None
    sentinel: Float[Tensor, "B Q"] | None = None
    choice: Choice | None = None


@runtime_checkable
class AttentionModule(Protocol):
    """What decoders need of an attention, with one head or many."""

    context_width: int

    def remember(
        self, states: Float[Tensor, "B S D"], mask: Bool[Tensor, "B S"], values: Float[Tensor, "B S V"] | None = None
    ) -> Any:
        """Everything that depends on the source alone: a Memory, or a tuple of them. Values default to the states."""

    def start(self, mask: Bool[Tensor, "B S"], width: int) -> Tree:
        """The history of `width` hypotheses before the first step, leaves "B W …"; () for attention that keeps none."""

    def __call__(self, request: Request, memory: Any) -> AttentionOutput:
        """The context of each query. Raises ValueError for a past or a sentinel that this attention cannot use."""


@runtime_checkable
class SelfAttention(AttentionModule, Protocol):
    """What a decoder needs of the attention to what it has written."""

    @property
    def sees_all(self) -> bool:
        """Whether a query sees every earlier position, wherever it is: then `Request.own` can say which keys those are."""

    def remember(
        self,
        states: Float[Tensor, "B S D"],
        mask: Bool[Tensor, "B S"],
        values: Float[Tensor, "B S V"] | None = None,
        start: int = 0,
    ) -> Memory:
        """The memory of states that stand at the positions from `start` on."""


class History(NamedTuple):
    """What one attention has to know of the steps before: each part () where there is nothing to know.

    sums: for temporal attention, the logarithm of the summed exponentials of each position's scores so far.
    drawn: what the aggregation keeps: for REINFORCE in training, which sentences use the soft weights.
    """

    sums: Float[Tensor, "B W G S"] | tuple[()] = ()
    drawn: Tree = ()


class Attended(NamedTuple):
    """What attention gives for the queries of every key-value head, before the heads are joined."""

    context: Float[Tensor, "B G Q V"]
    weights: Float[Tensor, "B G Q S"] | None
    history: History
    choice: Choice | None


class Attention(nn.Module):
    """context_q = Σ_s weight_qs · value_s, with weights = normalizer(score(query, keys)) inside the span.

    context_width: the size of the values.
    aggregation: what is done with the weights; `expectation` averages, hard attention chooses one position instead.
    temporal: subtract from each score what its position has received in earlier steps.
    dropout: the share of the weights that is dropped in training.
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

    @property
    def sees_all(self) -> bool:
        """Whether a query sees every earlier position of its own sequence, and weighs it whatever its distance."""
        return self.span == Causal() and not self.temporal

    def remember(
        self,
        states: Float[Tensor, "B S D"],
        mask: Bool[Tensor, "B S"],
        values: Float[Tensor, "B S V"] | None = None,
        start: int = 0,
    ) -> Memory:
        """The prepared keys and the values, as one key-value head; wherever they stand."""
        return Memory(self.score.keys(states[:, None]), (states if values is None else values)[:, None], mask)

    def start(self, mask: Bool[Tensor, "B S"], width: int, heads: int = 1) -> History:
        """A history in which no position has been attended to yet, for each of `heads` key-value heads."""
        if not self.temporal:
            return History()
        return History(torch.full((len(mask), width, heads, mask.shape[1]), -torch.inf, device=mask.device))

    def forward(self, request: Request, memory: Memory) -> AttentionOutput:
        """Attend with one head."""
        request.refuse_sentinel("attention to the source alone")
        context, weights, history, choice = self.attend(request.query[:, None], request, memory)
        return AttentionOutput(context.squeeze(1), weights, history, choice=choice)

    def attend(self, queries: Float[Tensor, "B G Q D"], request: Request, memory: Memory) -> Attended:
        """Attend with the queries of every key-value head, made of `request.query`; positions, past and trace are the request's.

        The fused kernel computes scaled dot + softmax where nobody wants to see the weights, but not with wide keys on a GPU,
        where its backward takes several times as long as the composed path's. On a CPU the products are in fp32, also under
        autocast: they are small, and in bf16 oneDNN makes a kernel for each of their many shapes, which takes longer.
        """
        if queries.device.type == "cpu" and compute_dtype(queries) == torch.bfloat16:
            with torch.autocast("cpu", enabled=False):
                return self.attend(queries.float(), request, Memory(*map_tree(widen, memory)))
        _, drawn = self._read_past(request)
        own = request.own
        focus = self.span(queries, memory.mask, request.positions) if own is None else Focus(own[:, None])
        if not request.trace and self._fuses(queries, focus):
            keys, values = memory.keys.to(queries.dtype), memory.values.to(queries.dtype)
            rate = self.dropout if self.training else 0.0
            scale = self.score.dot_scale
            context = scaled_dot_product_attention(queries, keys, values, focus.legal, rate, scale=scale)
            if context.device.type == "cuda":  # whose kernels average all values where nothing is legal
                context = context.masked_fill(~focus.legal.any(-1, keepdim=True), 0)
            return Attended(context, None, History(), None)
        weights, sums = self.weigh(queries, memory, focus, request)
        used, choice, drawn = self.aggregation(weights, self.training, drawn)
        context = self.average(used, memory, focus)
        traced = scatter_weights(weights, memory.mask, focus) if request.trace else None
        return Attended(context, traced, History(sums, drawn), choice)

    def weigh(
        self,
        queries: Float[Tensor, "B G Q D"],
        memory: Memory,
        focus: Focus,
        request: Request,
        beside: Float[Tensor, "B G Q 1"] | None = None,
    ) -> tuple[Float[Tensor, "B G Q M"], Float[Tensor, "B Q G S"] | tuple[()]]:
        """The weights in the focus, and temporal attention's sums after this step.

        `beside` is the score of a sentinel; its weight then comes last.
        """
        if focus.places is None:
            scores = self.score(queries, memory.keys)
        else:
            scores = self.score(queries[..., None, :], gather_rows(memory.keys, focus.places))[..., 0, :]
        before, _ = self._read_past(request)
        sums: Tensor | tuple[()] = ()
        if self.temporal:
            scores, sums = temporal(scores, before)
        legal = focus.legal.expand(scores.shape)
        if beside is not None:
            scores = torch.cat([scores, beside.to(scores.dtype)], -1)
            legal = torch.cat([legal, legal.new_ones(beside.shape)], -1)
        weights = self.normalizer(scores, legal)
        return weights if focus.gain is None else weights * focus.gain, sums

    def average(self, weights: Float[Tensor, "B G Q M"], memory: Memory, focus: Focus) -> Float[Tensor, "B G Q V"]:
        """The weighted sum of the values in the focus, with dropout on the weights in training."""
        if self.training and self.dropout:
            weights = dropout(weights, self.dropout)
        weights = weights.to(memory.values.dtype)
        if focus.places is None:
            return weights @ memory.values
        return (weights[..., None, :] @ gather_rows(memory.values, focus.places))[..., 0, :]

    def _read_past(self, request: Request) -> tuple[Tensor | None, Tree]:
        """Temporal attention's sums (None: the queries are the steps of one target), and what the aggregation keeps.

        Raises ValueError for temporal attention's sums where there should be none, or none where there should be.
        """
        if request.past is None:
            return None, ()
        sums, drawn = History(*request.past)
        if self.temporal and not isinstance(sums, Tensor):
            raise ValueError("temporal attention needs the history that its `start` begins")
        if not self.temporal and isinstance(sums, Tensor):
            raise ValueError("attention that is not temporal was given the history of one that is")
        return (sums if isinstance(sums, Tensor) else None), drawn

    def _fuses(self, query: Tensor, focus: Focus) -> bool:
        plain = focus.gain is None and focus.places is None and not self.temporal and self.aggregation is expectation
        fast = query.device.type == "cpu" or query.shape[-1] <= WIDEST_FUSED
        return plain and fast and self.score.dot_scale is not None and self.normalizer is softmax


def gather_rows(states: Float[Tensor, "B G S K"], places: Int[Tensor, "B Q M"]) -> Float[Tensor, "B G Q M K"]:
    """The rows of `states` at `places`, which differ from query to query."""
    sentences = torch.arange(len(states), device=states.device)[:, None, None]
    return states.transpose(1, 2)[sentences, places].movedim(3, 1)


def scatter_weights(
    weights: Float[Tensor, "B G Q M"], mask: Bool[Tensor, "B S"], focus: Focus
) -> Float[Tensor, "B G Q S"]:
    """Weights of gathered keys, put back to the positions of those keys; 0 elsewhere."""
    if focus.places is None:
        return weights
    whole = weights.new_zeros(*weights.shape[:3], mask.shape[1])
    return whole.scatter_add(3, focus.places[:, None].expand(weights.shape), weights)
