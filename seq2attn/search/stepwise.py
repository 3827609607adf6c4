"""One hypothesis for each sentence, token by token: the loop of greedy search and of sampling."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seq2attn.attention.aggregation import Mixture
from seq2attn.models.seq2seq import Seq2Seq
from seq2attn.search.hypothesis import Hypothesis, Sentences, are_few, refuse_nan
from seq2attn.tensors import take
from seq2attn.tokens import BOS, EOS


class Chosen(NamedTuple):
    """The next token of each sentence, and its log p."""

    token: Int[Tensor, "B 1"]
    log_p: Float[Tensor, "B 1"]


@torch.inference_mode()
def write_stepwise(
    model: Seq2Seq, sentences: Sentences, choose: Callable[[Float[Tensor, "B 1 D"] | Mixture, list[int]], Chosen]
) -> list[list[Hypothesis]]:
    """Write the tokens that `choose` picks; the score is log p(y | x). Finished sentences leave the batch, many at a time.

    choose: from the features of the next token, and the places of the B sentences in the batch as it was given, to a token for
        each of them.
    """
    source, limits = sentences.source, sentences.limits
    encoded = model.encoder(source)
    memory, state = model.decoder.remember(encoded), model.decoder.start(encoded, 1)
    places = list(range(len(source)))
    token = torch.full((len(source), 1), BOS, device=source.device)
    score = torch.zeros(len(source), device=source.device, dtype=model.output.dtype)
    written = torch.empty(len(source), 0, dtype=torch.long, device=source.device)
    unfinished = torch.ones(len(source), dtype=torch.bool, device=source.device)
    results: list[list[Hypothesis]] = [[] for _ in places]
    for length in range(1, int(limits.max()) + 1):
        features, state = model.decoder.step(token, state, memory)
        token, log_p = choose(features, places)
        score = score + log_p[:, 0]
        written = torch.cat([written, token], 1)
        ended = token[:, 0] == EOS
        finished = unfinished & (ended | (limits <= length))
        if not finished.any():
            continue
        refuse_nan(score[unfinished].tolist())
        for row in finished.nonzero()[:, 0].tolist():
            tokens = written[row, : length - int(ended[row])].tolist()
            results[places[row]] = [Hypothesis(tokens, float(score[row]))]
        unfinished = unfinished & ~finished
        rows = unfinished.nonzero()[:, 0]
        if not len(rows):
            break
        if are_few(len(rows), len(places)):
            places = [places[row] for row in rows.tolist()]
            token, score, written, limits, unfinished, state, memory = take(
                (token, score, written, limits, unfinished, state, memory), rows
            )
    return results
