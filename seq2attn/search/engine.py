"""What searches batches of sentences: a network, its tokenizer, a precision, and workers that share the batches."""

import sys
import threading
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch.nn.utils.rnn import pad_sequence

from seq2attn.data.tokenizer import Tokenizer
from seq2attn.machine import Precision, make_autocast
from seq2attn.models.packed import PackedSeq2Seq
from seq2attn.models.seq2seq import Seq2Seq
from seq2attn.search.hypothesis import Search, Sentences
from seq2attn.search.limits import OutputLimit
from seq2attn.search.workers import Workers
from seq2attn.tokens import PAD


class Translation(NamedTuple):
    """One hypothesis as text."""

    text: str
    score: float


class Batch(NamedTuple):
    """Sentences to search for: their ids, and their source subwords with the end of the sentence."""

    ids: Sequence[int]
    sources: Sequence[Sequence[int]]


class Found(NamedTuple):
    """The hypotheses of a sentence, best first, and whether the best one ended at the limit instead of by itself."""

    hypotheses: list[Translation]
    was_cut: bool


class Engine:
    """A network ready to translate: on a CPU its workers share the batches, on another device one comes after the other.

    precision: that of the products; "bf16" works with a copy of the weights, made at the first search after they changed.
    """

    def __init__(self, network: Seq2Seq, tokenizer: Tokenizer, precision: Precision = "fp32") -> None:
        self.network = network
        self.device = network.output.device
        self.precision = precision
        self.tokenizer = tokenizer
        self._banned = torch.tensor(tokenizer.banned_tokens(), device=self.device)
        self._ready: Seq2Seq | None = None
        self._weights: list[int] = []
        self._asked: tuple[Search, OutputLimit] | None = None
        self._lock = threading.RLock()  # one search at a time
        self._workers: Workers[Batch, list[Found]] = Workers(self._search)

    def search(self, search: Search, limit: OutputLimit, batches: Sequence[Batch]) -> Iterator[list[Found]]:
        """What is found for every batch, in order.

        The network is in evaluation mode afterwards. Raises NotFiniteError if its scores are not numbers, Seq2attnError if the
        system has killed a worker.
        """
        with self._lock:
            weights = [parameter._version for parameter in self.network.parameters()]
            if weights != self._weights:  # they were changed, as training does
                self.rest()
                self._weights = weights
            if self._ready is None:
                self.network.eval()
                self._ready = self.network if self.precision == "fp32" else PackedSeq2Seq(self.network)
            if self._asked != (search, limit):
                self._workers.end()  # they know what they were forked with
                self._asked = search, limit
            yield from self._workers.map(batches) if self.device.type == "cpu" else map(self._search, batches)

    def rest(self) -> None:
        """End the workers and drop the copy of the weights, to free their memory; the next search begins anew."""
        self._workers.end()
        self._ready = None

    def _search(self, batch: Batch) -> list[Found]:
        assert self._ready is not None
        assert self._asked is not None
        search, limit = self._asked
        source = pad_sequence([torch.tensor(ids) for ids in batch.sources], batch_first=True, padding_value=PAD)
        longest = self.network.longest_target or sys.maxsize
        limits = [min(limit(len(ids)), longest) for ids in batch.sources]
        sentences = Sentences(source.to(self.device), torch.tensor(limits, device=self.device), batch.ids)
        with make_autocast(self.precision, self.device)():
            results = search(self._ready, sentences, self._banned)
        texts = iter(self.tokenizer.decode_target([h.tokens for hypotheses in results for h in hypotheses]))
        return [
            Found([Translation(next(texts), h.score) for h in hypotheses], len(hypotheses[0].tokens) >= most)
            for hypotheses, most in zip(results, limits, strict=True)
        ]
