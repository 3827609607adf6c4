"""Which grammar this is: its rules and its lexicon."""

import hashlib
from pathlib import Path

from seq2attn.resources import resource


def grammar_version() -> str:
    """SHA-256 of the grammar's files, rules and lexicon: a change of either makes another corpus."""
    digest = hashlib.sha256()
    rules = sorted(Path(__file__).parent.glob("*.py"))
    lexicon = sorted(path for path in resource("data/grammar").rglob("*") if path.is_file())
    for path in (*rules, *lexicon):
        digest.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
