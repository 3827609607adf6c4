"""Corpora as subword ids: cached by their content, memory-mapped, read as padded batches."""

import hashlib
import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int

from seq2attn.data.batches import Batch, round_length
from seq2attn.data.cache import build_once, cache_folder
from seq2attn.data.corpus import Corpus
from seq2attn.data.tokenizer import Tokenizer
from seq2attn.data.vocabulary import count_least
from seq2attn.errors import DataError
from seq2attn.tokens import PAD, UNK

_FORMAT = "encoding 1"  # part of every key: raise it when what is written changes
_ROWS = 10_000  # encoded at a time
_LONG = "longer than max_length"


@dataclass(frozen=True)
class Sentences:
    """Id sequences end to end: sentence i is ids[offsets[i] : offsets[i + 1]]."""

    ids: np.ndarray
    offsets: np.ndarray

    def __getitem__(self, index: int) -> np.ndarray:
        return self.ids[self.offsets[index] : self.offsets[index + 1]]

    def pad(self, indices: np.ndarray) -> Int[torch.Tensor, "B longest"]:
        """The sentences of these indices (shape "B"), int64, with PAD on the right; as long as `round_length` says."""
        starts, ends = self.offsets[indices], self.offsets[indices + 1]
        length = round_length(int((ends - starts).max()), len(indices))
        rows = np.full((len(indices), length), PAD, dtype=np.int64)
        for row, start, end in zip(rows, starts.tolist(), ends.tolist(), strict=True):
            row[: end - start] = self.ids[start:end]
        return torch.from_numpy(rows)


@dataclass(frozen=True)
class EncodedCorpus:
    """A corpus as subword ids.

    `rows`: the rows of the corpus that are kept, in order. `dropped`: reason → number of pairs left out; `first`: reason
    → the place of the first of them.
    """

    fingerprint: str
    source: Sentences
    target: Sentences
    rows: np.ndarray
    dropped: Mapping[str, int] = field(default_factory=dict)
    first: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def source_lengths(self) -> np.ndarray:
        """Subwords of each sentence, EOS included."""
        return np.diff(self.source.offsets)

    @cached_property
    def target_lengths(self) -> np.ndarray:
        """Subwords of each sentence, EOS included."""
        return np.diff(self.target.offsets)

    def batch(self, indices: np.ndarray) -> Batch:
        """The pairs `indices` (of this encoding, as `plan` gives them), padded."""
        return Batch(self.source.pad(indices), self.target.pad(indices), indices)


def encode_corpus(corpus: Corpus, tokenizer: Tokenizer, *, max_length: int | None) -> EncodedCorpus:
    """Encode a corpus into the cache, or find it there.

    Pairs with more than `max_length` subwords on a side, EOS included, are left out and counted (for training); None
    keeps every pair (for validation). Raises DataError if no pair is left.
    """
    form = f" {tokenizer.normalization}" if corpus.is_changed_by(tokenizer.normalization) else ""
    key = f"{_FORMAT} {corpus.fingerprint} {tokenizer.fingerprint} {max_length}{form}"
    fingerprint = hashlib.sha256(key.encode()).hexdigest()
    folder = cache_folder() / "encodings" / fingerprint
    build_once(folder, lambda aside: _write(aside, corpus, tokenizer, max_length))
    rows = np.load(folder / "rows.npy")
    missing = len(corpus.source) - len(rows)
    first = int(np.argmax(np.append(rows, -1) != np.arange(len(rows) + 1)))
    return EncodedCorpus(
        fingerprint=fingerprint,
        source=_read(folder, "source"),
        target=_read(folder, "target"),
        rows=rows,
        dropped={_LONG: missing} if missing else {},
        first={_LONG: corpus.locate(first)} if missing else {},
    )


def draw_encoding(
    encoded: EncodedCorpus,
    corpus: Corpus,
    tokenizer: Tokenizer,
    *,
    alpha: float,
    max_length: int,
    seed: int,
    epoch: int,
) -> EncodedCorpus:
    """One epoch's random segmentations of the pairs of `encoded`, held in memory: a pure function of the arguments.

    `alpha` as in Tokenizer.sample. A pair drawn longer than `max_length` keeps its best segmentation in this epoch.
    """
    pieces: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    lengths: tuple[list[int], list[int]] = ([], [])
    for start in range(0, len(encoded), _ROWS):
        rows = encoded.rows[start : start + _ROWS].tolist()
        span = slice(rows[0], rows[-1] + 1)
        texts = [[lines[row - rows[0]] for row in rows] for lines in (corpus.source[span], corpus.target[span])]
        drawn = tokenizer.sample(texts[0], texts[1], seed=_derive_seed(seed, epoch, start), alpha=alpha)
        for index, (source, target) in enumerate(zip(*drawn, strict=True)):
            if max(len(source), len(target)) > max_length:
                drawn[0][index] = encoded.source[start + index].tolist()
                drawn[1][index] = encoded.target[start + index].tolist()
        for side in range(2):
            pieces[side].append(_flatten(drawn[side]))
            lengths[side].extend(map(len, drawn[side]))
    source_ids, target_ids = (
        Sentences(np.concatenate(pieces[side]), _compute_offsets(lengths[side])) for side in range(2)
    )
    return replace(encoded, source=source_ids, target=target_ids)


def _flatten(sentences: Iterable[list[int]]) -> np.ndarray:
    return np.fromiter(itertools.chain.from_iterable(sentences), dtype="<i4")


def _compute_offsets(lengths: list[int]) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(np.array(lengths, dtype=np.int64))])


def _derive_seed(seed: int, epoch: int, start: int) -> int:
    """32 bits, as SentencePiece takes them."""
    return int.from_bytes(hashlib.sha256(f"{seed} {epoch} {start}".encode()).digest()[:4], "big")


def _write(folder: Path, corpus: Corpus, tokenizer: Tokenizer, max_length: int | None) -> None:
    kept: list[int] = []
    lengths: tuple[list[int], list[int]] = ([], [])
    with (folder / "source.ids").open("wb") as source_file, (folder / "target.ids").open("wb") as target_file:
        for start in range(0, len(corpus.source), _ROWS):
            span = slice(start, start + _ROWS)
            texts = corpus.source[span], corpus.target[span]
            source, target = tokenizer.encode_source(texts[0]), tokenizer.encode_target(texts[1])
            sides = (source, texts[0]), (target, texts[1])
            fitting = [
                index
                for index in range(len(source))
                if max_length is None or all(_fits(ids[index], text[index], max_length) for ids, text in sides)
            ]
            kept.extend(start + index for index in fitting)
            for sentences, file, side in zip((source, target), (source_file, target_file), lengths, strict=True):
                chosen = [sentences[index] for index in fitting]
                file.write(_flatten(chosen).tobytes())
                side.extend(map(len, chosen))
    if not kept:
        message = f"{corpus.name}: every pair is longer than data.max_length: {max_length}"
        raise DataError(message, "set data.max_length higher, or data.vocab_size, for fewer subwords a sentence")
    np.save(folder / "rows.npy", np.array(kept, dtype=np.int64))
    np.save(folder / "source.offsets.npy", _compute_offsets(lengths[0]))
    np.save(folder / "target.offsets.npy", _compute_offsets(lengths[1]))


def _fits(ids: list[int], text: str, max_length: int) -> bool:
    """Whether a sentence is within `max_length`: letters that are all unknown are one subword, however many they are."""
    return len(ids) <= max_length and (UNK not in ids or count_least(text) <= max_length)


def _read(folder: Path, side: str) -> Sentences:
    ids = np.memmap(folder / f"{side}.ids", dtype="<i4", mode="r")
    return Sentences(ids, np.load(folder / f"{side}.offsets.npy"))
