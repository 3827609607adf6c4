"""Which grammar this is: a digest that changes with its rules and its lexicon."""

import hashlib
from pathlib import Path

from seq2attn.resources import resource


def grammar_version() -> str:
    """SHA-256 over the grammar's rules and lexicon: a changed rule or word makes another corpus."""
    digest = hashlib.sha256()
    rules = sorted(path for path in Path(__file__).parent.glob("*.py") if path.name != Path(__file__).name)
    lexicon = sorted(path for path in resource("data/grammar").rglob("*") if path.is_file())
    for path in (*rules, *lexicon):
        digest.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
