"""From lines of text to lines of text: order kept, one result for each line."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Literal, NamedTuple

import torch
from torch.nn.utils.rnn import pad_sequence

from seq2attn.data.files import is_blank
from seq2attn.data.long_lines import split
from seq2attn.data.tokenizer import Tokenizer
from seq2attn.errors import DataError
from seq2attn.models.seq2seq import Seq2Seq
from seq2attn.search.hypothesis import Search, Sentences
from seq2attn.search.limits import OutputLimit
from seq2attn.tokens import EOS, PAD

OnLong = Literal["split", "truncate", "error"]

_PARTS = 2**40  # part p of line n has the sentence id n + p · 2⁴⁰, which no other part has


class Translation(NamedTuple):
    """One hypothesis as text."""

    text: str
    score: float


class Translator:
    """Sorts a window of lines by length, searches in batches of similar lengths, and gives the results back in order.

    batch_tokens: the most padded source subwords of a batch.
    window: how many lines are read before they are translated.
    longest: the most subwords of a line, end of sentence included; None: any number. `overlong` counts the lines above it.
    on_long: what happens to such a line. "split": its parts are translated and joined by `space`; the k-th best translation of
        the line is made of the k-th best ones of its parts, and its score is their sum. "truncate": its first `longest`
        subwords are translated. "error": it raises DataError.
    limit: the most tokens of a translation; the model may allow fewer. `cut` counts the lines whose best translation ended there.
    progress: called after each batch with how many sentences it held.
    """

    def __init__(
        self,
        model: Seq2Seq,
        tokenizer: Tokenizer,
        search: Search,
        *,
        batch_tokens: int = 4000,
        window: int = 2000,
        longest: int | None = None,
        on_long: OnLong = "split",
        limit: OutputLimit = OutputLimit(),
        space: str = " ",
        progress: Callable[[int], None] | None = None,
    ) -> None:
        self.longest = sys.maxsize if longest is None else longest
        self.overlong = 0
        self.limit = limit
        self.cut = 0
        self._model = model
        self._tokenizer = tokenizer
        self._banned = torch.tensor(tokenizer.banned_tokens())
        self._search = search
        self._batch_tokens = batch_tokens
        self._window = window
        self._on_long = on_long
        self._space = space
        self._progress = progress

    @property
    def longest_output(self) -> int | None:
        """The most tokens that the model can write; None: any number."""
        return self._model.longest_target

    def translate(self, lines: Iterable[str]) -> Iterator[list[Translation]]:
        """The hypotheses of each line, best first; a blank line gives one empty translation."""
        remaining = iter(lines)
        for results in self.translate_windows(iter(lambda: list(islice(remaining, self._window)), [])):
            yield from results

    def translate_windows(self, windows: Iterable[Sequence[str]]) -> Iterator[list[list[Translation]]]:
        """The hypotheses of each line, a window at a time: a window is translated before the next one is read.

        At a line that is refused, the translations of the lines before it come first, then the DataError is raised.
        """
        read = 0
        with self._evaluating():
            for window in windows:
                parts: list[list[list[int]]] = []
                error: DataError | None = None
                for number, line in enumerate(window, start=read):
                    try:
                        parts.append(self._parts(line, number))
                    except DataError as refused:
                        error = refused
                        break
                yield self._translate_lines(parts, read)
                if error is not None:
                    raise error
                read += len(window)

    def encode(self, lines: Iterable[str]) -> Iterator[list[int]]:
        """The source ids of each line, EOS last; those of a blank line are EOS alone."""
        return (self._encode(line) for line in lines)

    def translate_encoded(self, sources: Iterable[list[int]]) -> Iterator[list[Translation]]:
        """The hypotheses of each source, best first; ids as `encode` gives them, and EOS alone gives an empty translation."""
        numbered = enumerate(sources)
        with self._evaluating():
            while window := list(islice(numbered, self._window)):
                yield from self._translate_window(window)

    @contextmanager
    def _evaluating(self) -> Iterator[None]:
        was_training = self._model.training
        self._model.eval()
        try:
            yield
        finally:
            self._model.train(was_training)

    def _encode(self, line: str) -> list[int]:
        return self._tokenizer.encode_source([line])[0] if not is_blank(line) else [EOS]

    def _parts(self, line: str, number: int) -> list[list[int]]:
        """The sources that a line becomes: itself, or what a long one is split into."""
        ids = self._encode(line)
        if len(ids) <= self.longest:
            return [ids]
        self.overlong += 1
        if self._on_long == "error":
            raise DataError(
                f"line {number + 1}: {len(ids):,} subwords, more than {self.longest:,}",
                "choose --on-long split or truncate",
            )
        if self._on_long == "truncate":
            return [self._truncate(ids)]
        parts = split(line, lambda text: len(self._encode(text)) <= self.longest)
        return [self._truncate(self._encode(part)) for part in parts]

    def _truncate(self, ids: list[int]) -> list[int]:
        return ids if len(ids) <= self.longest else [*ids[: self.longest - 1], EOS]

    def _translate_lines(self, lines: list[list[list[int]]], first: int) -> list[list[Translation]]:
        """The hypotheses of lines that are numbered from `first`, each in one or more parts."""
        sources = [
            (first + line + part * _PARTS, ids) for line, parts in enumerate(lines) for part, ids in enumerate(parts)
        ]
        results = iter(self._translate_window(sources))
        return [self._join([next(results) for _ in parts]) for parts in lines]

    def _join(self, parts: list[list[Translation]]) -> list[Translation]:
        return [
            Translation(self._space.join(t.text for t in ranked if t.text), sum(t.score for t in ranked))
            for ranked in zip(*(part for part in parts if part != _EMPTY), strict=False)
        ] or list(_EMPTY)

    def _translate_window(self, window: list[tuple[int, list[int]]]) -> list[list[Translation]]:
        results = [list(_EMPTY) for _ in window]
        lengths = [len(ids) for _, ids in window]
        waiting = sorted((i for i, length in enumerate(lengths) if length > 1), key=lambda i: (lengths[i], i))
        cut: set[int] = set()
        while waiting:
            # the longest first, so that running out of memory happens at once or not at all
            size = max(1, self._batch_tokens // lengths[waiting[-1]])
            batch, waiting = waiting[-size:], waiting[:-size]
            for i, (hypotheses, was_cut) in zip(batch, self._search_batch([window[i] for i in batch]), strict=True):
                results[i] = hypotheses
                if was_cut:
                    cut.add(window[i][0] % _PARTS)
            if self._progress is not None:
                self._progress(len(batch))
        self.cut += len(cut)
        return results

    def _search_batch(self, batch: list[tuple[int, list[int]]]) -> list[tuple[list[Translation], bool]]:
        """The hypotheses of each sentence, and whether the best one ended at the limit instead of by itself."""
        device = self._model.output.device
        ids, encoded = [sentence for sentence, _ in batch], [tokens for _, tokens in batch]
        source = pad_sequence([torch.tensor(tokens) for tokens in encoded], batch_first=True, padding_value=PAD).to(
            device
        )
        longest = self.longest_output or sys.maxsize
        limits = [min(self.limit(len(tokens)), longest) for tokens in encoded]
        sentences = Sentences(source, torch.tensor(limits, device=device), ids)
        results = self._search(self._model, sentences, self._banned.to(device))
        texts = iter(self._tokenizer.decode_target([h.tokens for hypotheses in results for h in hypotheses]))
        return [
            ([Translation(next(texts), h.score) for h in hypotheses], len(hypotheses[0].tokens) >= limit)
            for hypotheses, limit in zip(results, limits, strict=True)
        ]


_EMPTY = [Translation("", 0.0)]
