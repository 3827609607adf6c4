"""Sampling: draw each token from the model's distribution."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from seq2attn.attention.aggregation import Mixture
from seq2attn.models.seq2seq import Seq2Seq
from seq2attn.search.arguments import check_number, check_whole
from seq2attn.search.hypothesis import Hypothesis, Sentences, next_logits
from seq2attn.search.stepwise import Chosen, write_stepwise

_TEMPERATURES = (1e-6, 1e6)  # beyond them, quotients are no numbers


@dataclass(frozen=True)
class Sampling:
    """y_t ~ softmax(logits / temperature), among the `top_k` likeliest tokens if that is set. The score is log p(y | x).

    Each sentence draws from a generator of its own, made from `seed` and the sentence's id, so that its sample does not depend on
    the batch it is in.
    """

    temperature: float = 1.0
    top_k: int | None = None
    seed: int = 1

    def __post_init__(self) -> None:
        """Raises UsageError for a number out of its range."""
        check_number("temperature", self.temperature, *_TEMPERATURES)
        if self.top_k is not None:
            check_whole("top_k", self.top_k, 1)
        check_whole("seed", self.seed, 0)

    def __call__(self, model: Seq2Seq, sentences: Sentences, banned: Int[Tensor, " N"]) -> list[list[Hypothesis]]:
        """One hypothesis for each sentence."""
        generators = [make_generator(self.seed, sentence) for sentence in sentences.ids]

        def choose(features: Float[Tensor, "B 1 D"] | Mixture, places: list[int]) -> Chosen:
            logits = next_logits(model, features, banned)[:, 0]
            log_p = logits.to(torch.promote_types(logits.dtype, torch.float32)).log_softmax(-1)
            token = self.draw(log_p, [generators[place] for place in places])[:, None]
            return Chosen(token, log_p.gather(1, token))

        return write_stepwise(model, sentences, choose)

    def draw(self, log_p: Float[Tensor, "B V"], generators: Sequence[np.random.Generator]) -> Int[Tensor, " B"]:
        """Draw a token for each sentence by the Gumbel-max trick: argmax(log p / temperature + Gumbel noise)."""
        log_p = log_p / self.temperature
        if self.top_k is not None and self.top_k < log_p.shape[1]:
            lowest = log_p.topk(self.top_k).values[:, -1:]
            log_p = log_p.masked_fill(log_p < lowest, -torch.inf)
        times = np.stack([generator.standard_exponential(log_p.shape[1]) for generator in generators])
        noise = torch.from_numpy(times).clamp_min(torch.finfo(torch.float64).tiny).log()
        return (log_p - noise.to(log_p.dtype).to(log_p.device)).argmax(-1)


def make_generator(seed: int, sentence: int) -> np.random.Generator:
    """A generator whose 128-bit key is a hash of both numbers, so that no two pairs draw the same.

    PyTorch's own generator takes 32 bits of its seed on a CPU, too few for a hash that must not collide.
    """
    key = blake2b(f"{seed} {sentence}".encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(key, "little")))
