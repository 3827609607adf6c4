"""Greedy search: the likeliest token at every step."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from seq2attn.models.seq2seq import Seq2Seq
from seq2attn.search.hypothesis import Hypothesis, next_logits
from seq2attn.tensors import take
from seq2attn.tokens import BOS, EOS


@dataclass(frozen=True)
class Greedy:
    """y_t = argmax p(y_t | y_<t, x). The score is log p(y | x)."""

    @torch.inference_mode()
    def __call__(
        self,
        model: Seq2Seq,
        source: Int[Tensor, "B S"],
        limits: Int[Tensor, " B"],
        never: Int[Tensor, " N"],
        lines: Sequence[int],
    ) -> list[list[Hypothesis]]:
        """One hypothesis for each sentence; finished sentences leave the batch."""
        encoded = model.encoder(source)
        memory, state = model.decoder.remember(encoded), model.decoder.start(encoded, 1)
        sentences = torch.arange(len(source), device=source.device)
        token = torch.full((len(source), 1), BOS, device=source.device)
        score = torch.zeros(len(source), device=source.device, dtype=model.output.dtype)
        written = torch.empty(len(source), 0, dtype=torch.long, device=source.device)
        results: list[list[Hypothesis]] = [[] for _ in source]
        for length in range(1, int(limits.max()) + 1):
            features, state = model.decoder.step(token, state, memory)
            best, token = next_logits(model, features, never).log_softmax(-1).max(-1)
            score = score + best[:, 0]
            ended = token[:, 0] == EOS
            written = torch.cat([written, token], 1)
            finished = ended | (limits <= length)
            if not finished.any():
                continue
            for row in finished.nonzero()[:, 0].tolist():
                tokens = written[row, : length - int(ended[row])].tolist()
                results[int(sentences[row])] = [Hypothesis(tokens, float(score[row]))]
            keep = (~finished).nonzero()[:, 0]
            if not len(keep):
                break
            sentences, token, score, written, limits = (
                tensor[keep] for tensor in (sentences, token, score, written, limits)
            )
            state, memory = take(state, keep), take(memory, keep)
        return results
