"""Header lines of tables that were read as pairs."""

import json
import re
from typing import Literal

from seq2attn.data.languages import MEANT, spell
from seq2attn.data.sources import Source, Tsv

_HEADERS = {
    "source", "sources", "target", "targets", "src", "tgt", "trg", "ref", "reference", "original", "translated",
    "sentence", "sentences", "segment", "translation", "translations", "text", "texts", "language", "lang",
    "input", "inputs", "output", "outputs",
}  # fmt: skip
_REGION = re.compile(r"([a-z]{2,3})[-_][a-z]{2,4}")  # en-us, zh_hans
_PLAIN = re.compile(r"[A-Za-z/.][\w./-]*")  # what YAML and a shell take as it is


def describe_header(
    source: Source,
    place: str,
    pair: tuple[str, str],
    role: Literal["training", "validation", "test"],
    languages: tuple[str, str],
) -> str:
    """What to say if the first `pair` of a table, at `place`, reads like the names of its columns; else empty."""
    if not isinstance(source, Tsv) or not all(is_header(cell, languages) for cell in pair):
        return ""
    columns = f"source_column: {_quote(pair[0])}, target_column: {_quote(pair[1])}"
    hint = f"--test '{{type: tsv, path: {_quote(source.path)}, {columns}}}'" if role == "test" else f"set {columns}"
    return f"{place}: looks like a header, but is a {role} pair; if it is one, {hint}"


def is_header(cell: str, languages: tuple[str, str]) -> bool:
    """Whether a table's cell reads like the name of a column: a language, "source", "text_en", "# Sentence 1", …"""
    name = cell.lower().strip("\ufeff\"'# \t")
    if name in {language.lower() for language in languages}:
        return True
    region = _REGION.fullmatch(name)
    words = [region[1]] if region else re.findall(r"[^\W\d_]+", name)
    known = _HEADERS.union(MEANT, *(spell(language) for language in languages))
    return bool(words) and known.issuperset(words)


def _quote(text: str) -> str:
    """The text as YAML reads it."""
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)
