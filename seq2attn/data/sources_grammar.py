"""The embedded corpus as a source: generated on first use, then read from the cache."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from seq2attn import grammar
from seq2attn.data.cache import build_once, cache_folder
from seq2attn.data.sources import Pair, TextFiles
from seq2attn.resources import resource


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

    def locate(self, line: int) -> str:
        return f"grammar {self.role}:{line}"

    def _files(self) -> TextFiles:
        key = hashlib.sha256(
            f"{self.size} {self.max_words} {self.seed} {self.shares} {_version()}".encode()
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


def _version() -> str:
    """SHA-256 of the grammar's own files: a changed rule or lexicon makes another corpus."""
    digest = hashlib.sha256()
    rules = sorted(Path(grammar.__file__).parent.glob("*.py"))
    lexicon = sorted(path for path in resource("data/grammar").rglob("*") if path.is_file())
    for path in (*rules, *lexicon):
        digest.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
