"""Sampling: draw each token from the model's distribution."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seq2attn.models.seq2seq import Seq2Seq
from seq2attn.search.hypothesis import Hypothesis, next_logits
from seq2attn.tensors import take
from seq2attn.tokens import BOS, EOS


@dataclass(frozen=True)
class Sampling:
    """y_t ~ softmax(logits / temperature), among the `top_k` likeliest tokens if that is set. The score is log p(y | x).

    Each line draws from a generator of its own, seeded by (seed, line), so a line's sample does not depend on its batch.
    """

    temperature: float = 1.0
    top_k: int | None = None
    seed: int = 1

    @torch.inference_mode()
    def __call__(
        self,
        model: Seq2Seq,
        source: Int[Tensor, "B S"],
        limits: Int[Tensor, " B"],
        never: Int[Tensor, " N"],
        lines: Sequence[int],
    ) -> list[list[Hypothesis]]:
        """One hypothesis for each sentence."""
        encoded = model.encoder(source)
        memory, state = model.decoder.remember(encoded), model.decoder.start(encoded, 1)
        generators = [torch.Generator().manual_seed(self.seed * 1_000_003 + line) for line in lines]
        results = [Hypothesis([], 0.0) for _ in lines]
        alive = list(range(len(lines)))
        token = torch.full((len(source), 1), BOS, device=source.device)
        for length in range(1, int(limits.max()) + 1):
            features, state = model.decoder.step(token, state, memory)
            log_p = next_logits(model, features, never)[:, 0].log_softmax(-1)
            token = self._draw(log_p, [generators[sentence] for sentence in alive])[:, None]
            chosen = log_p.gather(1, token)[:, 0].tolist()
            keep = []
            for row, sentence in enumerate(alive):
                tokens, score = results[sentence]
                drawn = int(token[row, 0])
                results[sentence] = Hypothesis(tokens + [drawn] * (drawn != EOS), score + chosen[row])
                if drawn != EOS and length < int(limits[sentence]):
                    keep.append(row)
            if not keep:
                break
            if len(keep) < len(alive):
                rows = torch.tensor(keep, device=source.device)
                alive, token = [alive[row] for row in keep], token[rows]
                state, memory = take(state, rows), take(memory, rows)
        return [[hypothesis] for hypothesis in results]

    def _draw(self, log_p: Float[Tensor, "B V"], generators: list[torch.Generator]) -> Int[Tensor, " B"]:
        """The Gumbel-max trick: argmax(log p / temperature + Gumbel noise) is a draw from the softmax."""
        log_p = log_p / self.temperature
        if self.top_k is not None and self.top_k < log_p.shape[1]:
            lowest = log_p.topk(self.top_k).values[:, -1:]
            log_p = log_p.masked_fill(log_p < lowest, -torch.inf)
        noise = torch.stack([torch.empty(log_p.shape[1]).exponential_(generator=g) for g in generators])
        return (log_p - noise.log().to(log_p)).argmax(-1)
