"""The protocols between encoder, decoder and search, and the model that joins them.

Shapes are written in the letters of `seq2attn/tensors.py`: B sentences, S source positions, T target steps, W hypotheses of a
sentence, V target tokens (as the last axis of logits), D, F, K and V feature sizes.
"""

from collections.abc import Sequence
from functools import reduce
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from seq2attn.attention.aggregation import Choice, Mixture, join_choices
from seq2attn.tensors import Tree, widen
from seq2attn.tokens import BOS


class Encoded(NamedTuple):
    """What every encoder gives every decoder.

    states: one for each source position, of which attention makes its keys.
    mask: True at real positions, False at padding.
    final: the whole sentence in one vector: the last state, or the mean of the states.
    values: what attention averages; None: the states.
    """

    states: Float[Tensor, "B S D"]
    mask: Bool[Tensor, "B S"]
    final: Float[Tensor, "B F"]
    values: Float[Tensor, "B S V"] | None = None


class Drawn(NamedTuple):
    """Features of a decoder in training whose attention drew positions, and what it drew.

    recurrent: whether the position of one step enters the state of the next, so that it has a part in all later tokens.
    draws: how many positions each step drew; features and choice have a block of T steps for each.
    """

    features: Float[Tensor, "B T D"]
    choice: Choice
    recurrent: bool
    draws: int = 1


def attach_choices(
    features: Float[Tensor, "B T D"], choices: Sequence[Choice | None], *, recurrent: bool, draws: int = 1
) -> Float[Tensor, "B T D"] | Drawn:
    """The features with the choices of all steps, in order; the features alone where nothing was drawn."""
    drawn = [choice for choice in choices if choice is not None]
    return Drawn(features, join_choices(drawn), recurrent, draws) if drawn else features


@runtime_checkable
class Encoder(Protocol):
    """Reads a source; `width` is the size of its states, `final_width` that of its last vector."""

    width: int
    final_width: int

    def __call__(self, source: Int[Tensor, "B S"]) -> Encoded:
        """Encode padded sentences."""


@runtime_checkable
class Decoder(Protocol):
    """Writes a target, one step at a time or all steps at once.

    It returns features of the size of the target embeddings, not logits: projection and loss belong together. Instead of one
    feature vector for each step it may return a Mixture of several; the token's distribution is then the mixture of theirs.
    """

    @property
    def longest(self) -> int | None:
        """The most tokens that it can write; None: any number."""

    def remember(self, encoded: Encoded) -> Tree:
        """What depends on the source alone, leaves "B …": made once, never reordered in search."""

    def start(self, encoded: Encoded, width: int) -> Tree:
        """The state of `width` equal hypotheses before the first token: a tree whose leaves begin "B W", or with branches."""

    def step(self, token: Int[Tensor, "B W"], state: Any, memory: Any) -> tuple[Float[Tensor, "B W D"] | Mixture, Any]:
        """Features for the token after `token`, and the state that has read it; state and memory are this decoder's own."""

    def __call__(self, previous: Int[Tensor, "B T"], encoded: Encoded) -> Float[Tensor, "B T D"] | Mixture | Drawn:
        """Teacher forcing: the features of every step, given the gold token before it. Equals repeated `step`."""


class Seq2Seq(nn.Module):
    """p(y_t | y_<t, x) = softmax(W features_t + b), features = decoder(y_<t, encoder(x)).

    `output` is the table W, the decoder's embedding itself if the two are tied.
    """

    encoder: Encoder
    decoder: Decoder
    output: Tensor

    def __init__(self, *, encoder: Encoder, decoder: Decoder, output: nn.Embedding) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.output = output.weight
        self.bias = nn.Parameter(torch.zeros(output.num_embeddings))

    def forward(
        self, source: Int[Tensor, "B S"], target: Int[Tensor, "B T"]
    ) -> Float[Tensor, "B T D"] | Mixture | Drawn:
        """Features of every target step under teacher forcing."""
        previous = torch.cat([torch.full_like(target[:, :1], BOS), target[:, :-1]], 1)
        return self.decoder(previous, self.encoder(source))

    def logits(self, features: Float[Tensor, "*N D"] | Mixture) -> Float[Tensor, "*N V"]:
        """Scores of every target token; of a mixture log Σ_m w_m p_m, added up one m at a time."""
        if isinstance(features, Mixture):
            log_weights = features.log_weights[..., None].unbind(-2)
            components = zip(log_weights, features.values.unbind(-2), strict=True)
            return reduce(
                torch.logaddexp, (log_w + widen(self.project(values)).log_softmax(-1) for log_w, values in components)
            )
        return self.project(features)

    def project(self, features: Float[Tensor, "*N D"]) -> Float[Tensor, "*N V"]:
        """Scores of every target token of one feature vector each."""
        return nn.functional.linear(features, self.output, self.bias)

    @property
    def longest_target(self) -> int | None:
        """The most tokens that the decoder can write; None: any number."""
        return self.decoder.longest

    @property
    def parameter_count(self) -> int:
        """Trainable numbers, tied ones counted once."""
        return sum(parameter.numel() for parameter in self.parameters())
