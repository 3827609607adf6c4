"""From lines of text to lines of text: order kept, one result for each line."""

import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

import torch
from torch.nn.utils.rnn import pad_sequence

from seq2attn.data.tokenizer import EOS, PAD, Tokenizer
from seq2attn.models.seq2seq import Seq2Seq
from seq2attn.search.hypothesis import Search


class Translation(NamedTuple):
    """One hypothesis as text."""

    text: str
    score: float


class Translator:
    """Sorts a window of lines by length, searches in batches of similar lengths, and gives the results back in order.

    A batch holds at most `batch_tokens` padded source subwords. A translation has at most `2·subwords + 10` tokens.
    """

    def __init__(
        self, model: Seq2Seq, tokenizer: Tokenizer, search: Search, *, batch_tokens: int = 4000, window: int = 2000
    ) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._search = search
        self._batch_tokens = batch_tokens
        self._window = window

    def translate(self, lines: Iterable[str]) -> Iterator[list[Translation]]:
        """The hypotheses of each line, best first; a blank line gives one empty translation."""
        return self.translate_encoded(self.encode(lines))

    def encode(self, lines: Iterable[str]) -> Iterator[list[int]]:
        """The source ids of each line, EOS last; those of a blank line are EOS alone."""
        return (self._tokenizer.encode_source([line])[0] if line.strip() else [EOS] for line in lines)

    def translate_encoded(self, sources: Iterable[list[int]]) -> Iterator[list[Translation]]:
        """The hypotheses of each source, best first; ids as `encode` gives them, and EOS alone gives an empty translation."""
        numbered = enumerate(sources)
        was_training = self._model.training
        self._model.eval()
        while window := list(islice(numbered, self._window)):
            yield from self._translate_window(window)
        self._model.train(was_training)

    def _translate_window(self, window: list[tuple[int, list[int]]]) -> list[list[Translation]]:
        results = [[Translation("", 0.0)] for _ in window]
        lengths = [len(ids) for _, ids in window]
        waiting = sorted((i for i, length in enumerate(lengths) if length > 1), key=lambda i: (lengths[i], i))
        while waiting:
            # the longest first, so that running out of memory happens at once or not at all
            size = max(1, self._batch_tokens // lengths[waiting[-1]])
            batch, waiting = waiting[-size:], waiting[:-size]
            for i, hypotheses in zip(batch, self._search_batch([window[i] for i in batch]), strict=True):
                results[i] = hypotheses
        return results

    def _search_batch(self, batch: list[tuple[int, list[int]]]) -> list[list[Translation]]:
        device = self._model.output.device
        numbers, encoded = [number for number, _ in batch], [ids for _, ids in batch]
        source = pad_sequence([torch.tensor(ids) for ids in encoded], batch_first=True, padding_value=PAD).to(device)
        longest = self._model.longest_target or sys.maxsize
        limits = torch.tensor([min(2 * len(ids) + 10, longest) for ids in encoded], device=device)
        found = self._search(self._model, source, limits, numbers)
        texts = iter(self._tokenizer.decode_target([h.tokens for hypotheses in found for h in hypotheses]))
        return [[Translation(next(texts), h.score) for h in hypotheses] for hypotheses in found]
