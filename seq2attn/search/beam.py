"""Beam search, batched over sentences."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from seq2attn.models.seq2seq import Seq2Seq
from seq2attn.search.hypothesis import Hypothesis, length_penalty, next_logits
from seq2attn.tensors import select, take
from seq2attn.tokens import BOS, EOS


@dataclass(frozen=True)
class Beam:
    """Keep the `width` likeliest unfinished hypotheses at every step; rank finished ones by log p(y | x) / lp(y).

    Of the 2·width best extensions, an end of sentence among the first `width` finishes its hypothesis, and the first `width`
    others live on. A sentence leaves the batch when it has `width` finished hypotheses and the best living one, were it to
    end now, would not be among the `width` best. With α = 0 that is exact; otherwise it is the usual heuristic.
    """

    width: int = 5
    length_penalty: float = 1.0

    @torch.inference_mode()
    def __call__(
        self,
        model: Seq2Seq,
        source: Int[Tensor, "B S"],
        limits: Int[Tensor, " B"],
        never: Int[Tensor, " N"],
        lines: Sequence[int],
    ) -> list[list[Hypothesis]]:
        """At most `width` hypotheses for each sentence, best first; those cut at their limit rank with the others."""
        device, width = source.device, self.width
        encoded = model.encoder(source)
        memory, state = model.decoder.remember(encoded), model.decoder.start(encoded, 1)
        sentences = list(range(len(source)))
        score = torch.zeros(len(source), 1, device=device, dtype=model.output.dtype)
        token = torch.full((len(source), 1), BOS, device=device)
        written = torch.empty(len(source), 1, 0, dtype=torch.long, device=device)
        finished: list[list[Hypothesis]] = [[] for _ in sentences]
        for length in range(1, int(limits.max()) + 1):
            features, state = model.decoder.step(token, state, memory)
            log_p = next_logits(model, features, never).log_softmax(-1)
            top = log_p.topk(min(2 * width, log_p.shape[-1]))
            candidates = (score[:, :, None] + top.values).flatten(1)
            best, rank = candidates.topk(min(2 * width, candidates.shape[1]))
            parents = rank // top.indices.shape[-1]
            tokens = top.indices.flatten(1).gather(1, rank)
            ends = tokens == EOS
            living = ends.int().argsort(dim=1, stable=True)[:, :width]
            alive = best.masked_fill(ends, -torch.inf)
            norm = length_penalty(length, self.length_penalty)
            at_limit = (limits <= length).tolist()
            for row in (ends[:, :width].any(1) | (limits <= length)).nonzero()[:, 0].tolist():
                pool = finished[sentences[row]]
                for place in ends[row, :width].nonzero()[:, 0].tolist():
                    self._finish(pool, written[row, parents[row, place]].tolist(), float(best[row, place]) / norm)
                if at_limit[row]:
                    for place in living[row].tolist():
                        prefix = written[row, parents[row, place]].tolist()
                        self._finish(pool, [*prefix, int(tokens[row, place])], float(alive[row, place]) / norm)
            token, parents, score = (t.gather(1, living) for t in (tokens, parents, alive))
            ceilings = (score.amax(1) / norm).tolist()
            keep = [
                row
                for row, sentence in enumerate(sentences)
                if not at_limit[row] and not self._settled(finished[sentence], ceilings[row])
            ]
            if not keep:
                break
            if len(keep) < len(sentences):
                rows = torch.tensor(keep, device=device)
                sentences = [sentences[row] for row in keep]
                token, parents, score, written, limits = (t[rows] for t in (token, parents, score, written, limits))
                state, memory = take(state, rows), take(memory, rows)
            state = select(state, parents)
            written = torch.cat([select(written, parents), token[:, :, None]], 2)  # type: ignore[list-item]
        return finished

    def _finish(self, pool: list[Hypothesis], tokens: list[int], score: float) -> None:
        """Add to the `width` best; an impossible hypothesis (a vocabulary smaller than the beam) is none."""
        if score > -torch.inf:
            pool.append(Hypothesis(tokens, score))
            pool.sort(key=lambda hypothesis: -hypothesis.score)
            del pool[self.width :]

    def _settled(self, pool: list[Hypothesis], ceiling: float) -> bool:
        return len(pool) >= self.width and ceiling <= pool[-1].score
