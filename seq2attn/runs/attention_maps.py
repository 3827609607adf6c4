"""What the attention to the source looks like in the course of training, kept for a few validation pairs."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seq2attn.data.tokenizer import Tokenizer
from seq2attn.durable import write_whole
from seq2attn.inference.words import WordPair
from seq2attn.models.maps import trace_maps
from seq2attn.training.trainer import Callback, Trainer

_DIGITS = 4  # of a weight


def choose_rows(source_lengths: np.ndarray, target_lengths: np.ndarray, *, longest: int, count: int) -> list[int]:
    """At most `count` pairs spread evenly over the lengths of their sources, the shorter first.

    Lengths are in subwords, EOS included. Pairs with a side that is empty or longer than `longest` are left out.
    """
    usable = (np.minimum(source_lengths, target_lengths) > 1) & (np.maximum(source_lengths, target_lengths) <= longest)
    rows = np.flatnonzero(usable)
    rows = rows[np.argsort(source_lengths[rows], kind="stable")]
    count = min(count, len(rows))
    return [int(rows[int((place + 0.5) * len(rows) / count)]) for place in range(count)]


class AttentionMaps(Callback):
    """Writes `folder`/update-N.json before the first update, after `first` updates, each twice as many, and at the end.

    pairs: raw lines, with the number of the validation pair. A file depends on the weights alone, so that going on from a
    checkpoint writes the same ones again.
    """

    def __init__(
        self, folder: Path, tokenizer: Tokenizer, pairs: Sequence[tuple[int, str, str]], *, first: int
    ) -> None:
        self._folder = folder
        self._tokenizer = tokenizer
        self._pairs = [(row, source.split(), target.split()) for row, source, target in pairs]
        self._first = first

    def begin(self, trainer: Trainer) -> None:
        """Write the maps of the weights that nothing has changed yet."""
        if trainer.position.update == 0:
            self._write(trainer)

    def after_update(self, trainer: Trainer) -> None:
        """Write when it is time."""
        times, rest = divmod(trainer.position.update, self._first)
        if rest == 0 and times & (times - 1) == 0:  # a power of 2
            self._write(trainer)

    def at_end(self, trainer: Trainer) -> None:
        """Write the last maps."""
        self._write(trainer)

    def _write(self, trainer: Trainer) -> None:
        trainer.model.eval()
        update = trainer.position.update
        with trainer.averaged():
            maps = {"update": update, "sentences": [self._trace(trainer, *pair) for pair in self._pairs]}
        self._folder.mkdir(exist_ok=True)
        write_whole(self._folder / f"update-{update:08d}.json", json.dumps(maps, ensure_ascii=False) + "\n")

    def _trace(self, trainer: Trainer, row: int, source: list[str], target: list[str]) -> dict[str, Any]:
        pair = WordPair.encode(self._tokenizer, source, target)
        return {
            "pair": row + 1,
            "source": source,
            "target": target,
            "source_words": pair.source_owners,
            "target_words": pair.target_owners,
            "maps": [
                {
                    "layer": each.layer,
                    "part": each.part,
                    "weights": [[round(weight, _DIGITS) for weight in weights] for weights in each.weights.tolist()],
                }
                for each in trace_maps(trainer.model, pair.source, pair.target)
            ],
        }
