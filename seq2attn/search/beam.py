"""Beam search, batched over sentences: extend every hypothesis, finish those that end, prune the others."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from seq2attn.models.seq2seq import Seq2Seq
from seq2attn.search.arguments import MOST_PENALTY, WIDEST_BEAM, check_number, check_whole
from seq2attn.search.hypothesis import (
    Hypothesis,
    Likeliest,
    Sentences,
    are_few,
    find_likeliest,
    length_penalty,
    refuse_nan,
)
from seq2attn.tensors import select, take
from seq2attn.tokens import BOS, EOS


class Extensions(NamedTuple):
    """Hypotheses of each sentence extended by one token, C of them, best first.

    score: log p of each whole extension. parent: which hypothesis it extends. token: by which token.
    """

    score: Float[Tensor, "B C"]
    parent: Int[Tensor, "B C"]
    token: Int[Tensor, "B C"]


@dataclass(frozen=True)
class Beam:
    """Keep the `width` likeliest unfinished hypotheses at every step; rank finished ones by log p(y | x) / lp(y).

    Of the 2·width best extensions, an end of sentence among the first `width` finishes its hypothesis, and the first `width`
    others live on. A sentence leaves the batch when it has `width` finished hypotheses and the best living one, were it to
    end now, would not be among the `width` best. With α = 0 that is exact; otherwise it is the usual heuristic.

    length_penalty: the exponent α of lp; 0 ranks by log p alone.
    """

    width: int = 5
    length_penalty: float = 1.0

    def __post_init__(self) -> None:
        """Raises UsageError for a number out of its range."""
        check_whole("width", self.width, 1, WIDEST_BEAM)
        check_number("length_penalty", self.length_penalty, 0.0, MOST_PENALTY)

    @torch.inference_mode()
    def __call__(self, model: Seq2Seq, sentences: Sentences, banned: Int[Tensor, " N"]) -> list[list[Hypothesis]]:
        """At most `width` hypotheses for each sentence, best first; those cut at their limit rank with the others."""
        source, limits, width = sentences.source, sentences.limits, self.width
        encoded = model.encoder(source)
        memory, state = model.decoder.remember(encoded), model.decoder.start(encoded, 1)
        score = torch.zeros(len(source), 1, device=source.device, dtype=model.output.dtype)
        token = torch.full((len(source), 1), BOS, device=source.device)
        written = torch.empty(len(source), 1, 0, dtype=torch.long, device=source.device)
        finished: list[list[Hypothesis]] = [[] for _ in source]
        pools = list(finished)  # those of the sentences that are still in the batch
        unfinished = [True for _ in source]
        for length in range(1, int(limits.max()) + 1):
            features, state = model.decoder.step(token, state, memory)
            extensions = extend(score, find_likeliest(model, features, banned, 2 * width), 2 * width)
            living = prune(extensions, width)
            norm = length_penalty(length, self.length_penalty)
            at_limit = (limits <= length) & torch.tensor(unfinished, device=source.device)
            finish(pools, written, extensions, living, at_limit, width=width, norm=norm)
            ceilings = (living.score.amax(1) / norm).tolist()
            refuse_nan(ceiling for ceiling, is_open in zip(ceilings, unfinished, strict=True) if is_open)
            unfinished = [
                is_open and not cut and not is_settled(pool, width, ceiling)
                for is_open, cut, pool, ceiling in zip(unfinished, at_limit.tolist(), pools, ceilings, strict=True)
            ]
            pools = [pool if is_open else [] for pool, is_open in zip(pools, unfinished, strict=True)]  # full ones stay
            keep = [row for row, is_open in enumerate(unfinished) if is_open]
            if not keep:
                break
            if are_few(len(keep), len(pools)):
                rows = torch.tensor(keep, device=source.device)
                pools, unfinished = [pools[row] for row in keep], [True for _ in keep]
                living, written, limits, state, memory = take((living, written, limits, state, memory), rows)
            score, parent, token = living
            written, state = select((written, state), parent)
            written = torch.cat([written, token[:, :, None]], 2)
        return finished


def extend(score: Float[Tensor, "B W"], likeliest: Likeliest, count: int) -> Extensions:
    """The `count` best extensions by one of each hypothesis' `likeliest` tokens; all of them, if they are fewer.

    score: log p of each hypothesis so far.
    """
    choices = likeliest.token.shape[2]
    scores = (score[:, :, None] + likeliest.log_p).flatten(1)
    scores, rank = scores.topk(min(count, scores.shape[1]))
    return Extensions(scores, rank // choices, likeliest.token.flatten(1).gather(1, rank))


def prune(extensions: Extensions, width: int) -> Extensions:
    """The first `width` extensions that do not end their sentence; if they are fewer, others of score −∞ behind them."""
    ends = extensions.token == EOS
    first = ends.int().argsort(dim=1, stable=True)[:, :width]
    living = Extensions(extensions.score.masked_fill(ends, -torch.inf), extensions.parent, extensions.token)
    return Extensions(*(tensor.gather(1, first) for tensor in living))


def finish(
    pools: Sequence[list[Hypothesis]],
    written: Int[Tensor, "B W T"],
    extensions: Extensions,
    living: Extensions,
    at_limit: Bool[Tensor, " B"],
    *,
    width: int,
    norm: float,
) -> None:
    """Add to each sentence's pool what ends at this step, with its score divided by `norm`.

    That is an end of sentence among the first `width` extensions and, for a sentence at its limit, everything that would live on.
    `written` holds the tokens of the hypotheses that were extended.
    """
    ends = extensions.token[:, :width] == EOS
    for row in (ends.any(1) | at_limit).nonzero()[:, 0].tolist():
        for place in ends[row].nonzero()[:, 0].tolist():
            tokens = written[row, extensions.parent[row, place]].tolist()
            add(pools[row], Hypothesis(tokens, float(extensions.score[row, place]) / norm), width)
        if at_limit[row]:
            for score, parent, token in zip(*(tensor[row].tolist() for tensor in living), strict=True):
                add(pools[row], Hypothesis([*written[row, parent].tolist(), token], score / norm), width)


def add(pool: list[Hypothesis], hypothesis: Hypothesis, width: int) -> None:
    """Put a hypothesis among the `width` best of its sentence, best first; one of score −∞ is impossible, so it is left out."""
    if hypothesis.score > -torch.inf:
        pool.append(hypothesis)
        pool.sort(key=lambda other: -other.score)
        del pool[width:]


def is_settled(pool: list[Hypothesis], width: int, ceiling: float) -> bool:
    """Whether `width` hypotheses have finished and none that would score at most `ceiling` can come among them."""
    return len(pool) >= width and ceiling <= pool[-1].score
