"""Hierarchical attention: first to the words of each segment, then to the segments."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import pad

from seq2attn.attention.aggregation import expectation
from seq2attn.attention.attention import Attention, AttentionOutput, Memory, Request
from seq2attn.attention.spans import Global


class Segments(nn.Module):
    """r_j = Σ_{i in segment j} α_ji · value_i; context = Σ_j β_j · r_j (Yang et al. 2016; Miculicich et al. 2018, eqs. 3 to 6).

    Segments are `length` consecutive positions of the sentence. α = normalizer(score(q, key_i)) within each segment, by
    `words`; β = normalizer(score(q, r_j)) over the segments that have a word, by `segments`. Traced weights are β_j · α_ji.
    Raises ValueError if one of the two has a span, history, dropout or a choice of positions: only its score and its normalizer
    are used.
    """

    def __init__(self, words: Attention, segments: Attention, *, length: int) -> None:
        super().__init__()
        for part in (words, segments):
            averages = part.aggregation is expectation and not part.temporal and not part.dropout
            if not averages or part.span != Global():
                raise ValueError("hierarchical attention averages over the whole source, without history and dropout")
        self.words = words
        self.segments = segments
        self.length = length
        self.context_width = words.context_width

    def remember(
        self, states: Float[Tensor, "B S D"], mask: Bool[Tensor, "B S"], values: Float[Tensor, "B S V"] | None = None
    ) -> Memory:
        """The words' keys and values; the values are padded to whole segments."""
        memory = self.words.remember(states, mask, values)
        missing = -states.shape[1] % self._length(mask)
        return memory._replace(values=pad(memory.values, (0, 0, 0, missing)))

    def start(self, mask: Bool[Tensor, "B S"], width: int) -> tuple[()]:
        """An empty history: hierarchical attention knows nothing of earlier steps."""
        return ()

    def forward(self, request: Request, memory: Memory) -> AttentionOutput:
        """Attend within every segment, then over the segments."""
        request.refuse_past("hierarchical attention")
        request.refuse_sentinel("hierarchical attention")
        queries = request.query[:, None]
        places, length = memory.mask.shape[1], self._length(memory.mask)
        missing = memory.values.shape[2] - places
        legal = pad(memory.mask, (0, missing)).unflatten(1, (-1, length))[:, None, None]  # B 1 1 N M
        scores = pad(self.words.score(queries, memory.keys), (0, missing)).unflatten(3, (-1, length))
        alpha = self.words.normalizer(scores, legal)
        values = memory.values.unflatten(2, (-1, length))  # B 1 N M V
        summaries = torch.einsum("bgqnm,bgnmv->bgqnv", alpha.to(values.dtype), values)
        keys = self.segments.score.keys(summaries[:, 0])[:, None]  # B 1 Q N K
        over = self.segments.score(queries[..., None, :], keys)[..., 0, :]
        beta = self.segments.normalizer(over, legal.any(-1))
        context = (beta.to(summaries.dtype)[..., None, :] @ summaries)[..., 0, :]
        weights = (beta[..., None] * alpha).flatten(3)[..., :places] if request.trace else None
        return AttentionOutput(context[:, 0], weights)

    def _length(self, mask: Bool[Tensor, "B S"]) -> int:
        """The positions of a segment, which is at most the whole source."""
        return min(self.length, mask.shape[1])
