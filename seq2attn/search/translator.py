"""From lines of text to lines of text: order kept, one result for each line."""

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Literal

from seq2attn.data.files import is_blank
from seq2attn.data.long_lines import split
from seq2attn.errors import DataError
from seq2attn.search.beam import Beam
from seq2attn.search.engine import Batch, Engine, Translation
from seq2attn.search.hypothesis import Search
from seq2attn.search.limits import OutputLimit
from seq2attn.tokens import EOS

OnLong = Literal["split", "truncate", "error"]

CPU_BATCH, GPU_BATCH = 1000, 8000  # source subwords
CPU_BEAM_BATCH = 600  # which has several hypotheses of each
_BATCHES = 8  # of a window at least, where greedy search takes larger ones: so many workers still have one each
_PARTS = 2**40  # part p of line n has the sentence id n + p · 2⁴⁰, which no other part has


class Translator:
    """Sorts a window of lines by length, searches in batches of similar lengths, and gives the results back in order.

    batch_tokens: the most padded source subwords of a batch; None: `CPU_BATCH` on a CPU, whose workers share the batches (up to
        twice that for many lines, and `CPU_BEAM_BATCH` in beam search), else `GPU_BATCH`.
    window: how many lines are read before they are translated.
    longest: the most subwords of a line, end of sentence included; None: any number. `overlong` counts the lines above it.
    on_long: what happens to such a line. "split": its parts are translated and joined by `space`; the k-th best translation of
        the line is made of the k-th best ones of its parts, and its score is their sum. "truncate": its first `longest`
        subwords are translated. "error": it raises DataError.
    longest_part: the most subwords of a part, end of sentence included; None: `longest`.
    limit: the most tokens of a translation; the model may allow fewer. `cut` counts the lines whose best translation ended there.
    progress: called after each batch with how many lines it held; a part of a line counts as its share of it.
    """

    def __init__(
        self,
        engine: Engine,
        search: Search,
        *,
        batch_tokens: int | None = None,
        window: int = 2000,
        longest: int | None = None,
        on_long: OnLong = "split",
        longest_part: int | None = None,
        limit: OutputLimit = OutputLimit(),
        space: str = " ",
        progress: Callable[[float], None] | None = None,
    ) -> None:
        self.longest = sys.maxsize if longest is None else longest
        self.overlong = 0
        self.limit = limit
        self.cut = 0
        self.engine = engine
        self._search = search
        self._batch_tokens = batch_tokens
        self._window = window
        self._on_long = on_long
        self._longest_part = self.longest if longest_part is None else longest_part
        self._space = space
        self._progress = progress

    @property
    def longest_output(self) -> int | None:
        """The most tokens that the model can write; None: any number."""
        return self.engine.network.longest_target

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

    def encode(self, lines: Iterable[str]) -> Iterator[list[list[int]]]:
        """The source ids of each line, in one or more parts, EOS last in each; those of a blank line are EOS alone."""
        return (self._parts(line, number) for number, line in enumerate(lines))

    def translate_encoded(self, lines: Iterable[list[list[int]]]) -> Iterator[list[Translation]]:
        """The hypotheses of each line, best first; parts as `encode` gives them, and EOS alone gives an empty translation."""
        remaining, read = iter(lines), 0
        while window := list(islice(remaining, self._window)):
            yield from self._translate_lines(window, read)
            read += len(window)

    def _encode(self, line: str) -> list[int]:
        return self.engine.tokenizer.encode_source([line])[0] if not is_blank(line) else [EOS]

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
            return [_truncate(ids, self.longest)]
        parts = split(line, lambda text: len(self._encode(text)) <= self._longest_part)
        return [_truncate(self._encode(part), self._longest_part) for part in parts]

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

    def _choose_batch_tokens(self, subwords: int) -> int:
        """For a window of so many subwords."""
        if self._batch_tokens is not None:
            return self._batch_tokens
        if self.engine.device.type != "cpu":
            return GPU_BATCH
        if isinstance(self._search, Beam):
            return CPU_BEAM_BATCH
        return min(max(CPU_BATCH, subwords // _BATCHES), 2 * CPU_BATCH)

    def _translate_window(self, window: list[tuple[int, list[int]]]) -> list[list[Translation]]:
        results = [list(_EMPTY) for _ in window]
        lengths = [len(ids) for _, ids in window]
        waiting = sorted((i for i, length in enumerate(lengths) if length > 1), key=lambda i: (lengths[i], i))
        batches, batch_tokens = [], self._choose_batch_tokens(sum(lengths))
        while waiting:
            # the longest first, so that running out of memory happens at once or not at all
            most = max(1, batch_tokens // lengths[waiting[-1]])
            size = -(-len(waiting) // -(-len(waiting) // most))  # the last batches are as large as each other
            batches.append(waiting[-size:])
            del waiting[-size:]
        cut: set[int] = set()
        lines = [number % _PARTS for number, _ in window]
        parts = Counter(lines)
        searched = self.engine.search(
            self._search,
            self.limit,
            [Batch([window[i][0] for i in batch], [window[i][1] for i in batch]) for batch in batches],
        )
        for batch, found in zip(batches, searched, strict=True):
            for i, (hypotheses, was_cut) in zip(batch, found, strict=True):
                results[i] = hypotheses
                if was_cut:
                    cut.add(lines[i])
            if self._progress is not None:
                self._progress(sum(1 / parts[lines[i]] for i in batch))
        blank = sum(1 / parts[line] for line, length in zip(lines, lengths, strict=True) if length <= 1)
        if self._progress is not None and blank:
            self._progress(blank)
        self.cut += len(cut)
        return results


_EMPTY = [Translation("", 0.0)]


def _truncate(ids: list[int], longest: int) -> list[int]:
    return ids if len(ids) <= longest else [*ids[: longest - 1], EOS]
