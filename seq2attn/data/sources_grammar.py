"""The embedded corpus as a source: generated on first use, then read from the cache."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from seq2attn.data.cache import build_once, cache_folder
from seq2attn.data.sources import Pair, TextFiles
from seq2attn.grammar.version import grammar_version


@dataclass(frozen=True)
class GrammarSplit:
    """One split of the English–German grammar's corpus of `size` training pairs."""

    role: Literal["train", "validation", "test"]
    size: int
    max_words: int
    seed: int
    shares: tuple[int, ...] | None = None

    @property
    def name(self) -> str:
        return f"grammar ({self.role}, {self.size:,} training pairs, up to {self.max_words} words, seed {self.seed})"

    def pairs(self) -> Iterator[Pair]:
        return self._files().pairs()

    def fingerprint(self) -> str:
        return self._files().fingerprint()

    def where(self, line: int) -> str:
        return f"grammar {self.role}:{line}"

    def _files(self) -> TextFiles:
        key = hashlib.sha256(
            f"{self.size} {self.max_words} {self.seed} {self.shares} {grammar_version()}".encode()
        ).hexdigest()
        folder = build_once(cache_folder() / "grammar" / key, self._write)
        return TextFiles(str(folder / self.role), "en", "de")

    def _write(self, folder: Path) -> None:
        from seq2attn.grammar.corpus import generate

        corpus = generate(pairs=self.size, max_words=self.max_words, seed=self.seed, shares=self.shares)
        for role, pairs in corpus._asdict().items():
            for language, lines in (("en", [pair.source for pair in pairs]), ("de", [pair.target for pair in pairs])):
                text = "".join(f"{line}\n" for line in lines)
                (folder / f"{role}.{language}").write_text(text, encoding="utf-8", newline="\n")
