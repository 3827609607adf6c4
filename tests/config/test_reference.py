"""configs/reference.yaml: every key of every section, with its default and a comment, in a config that loads."""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from seq2attn.config.attention import AttentionConfig
from seq2attn.config.config import Config
from seq2attn.config.load import load_config
from seq2attn.config.schema import list_sections, list_types

FILE = Path(__file__).parents[2] / "configs" / "reference.yaml"
LINE = re.compile(r"( *)#?(\w+):(?: ([^#]+?))? *(?:# (.*))?")  # with # directly before the key: another choice
Section = type[BaseModel]


@dataclass(frozen=True)
class Entry:
    """A key of the file, whether commented out or not, with the keys under it."""

    key: str
    value: Any
    comment: str
    inner: list["Entry"] = field(default_factory=list)


def read_entries() -> list[Entry]:
    """The file as a tree, in which the other choices of a key are further entries of that key."""
    root: list[Entry] = []
    open_lists = [(-1, root)]
    for line in FILE.read_text(encoding="utf-8").splitlines():
        if not line or line.lstrip().startswith("# ") or line == "#":
            continue
        parts = LINE.fullmatch(line)
        assert parts is not None, line
        entry = Entry(parts[2], yaml.safe_load(parts[3] or ""), parts[4] or "")
        while open_lists[-1][0] >= len(parts[1]):
            open_lists.pop()
        open_lists[-1][1].append(entry)
        open_lists.append((len(parts[1]), entry.inner))
    return root


def all_sections(section: Section) -> Iterator[Section]:
    yield section
    for key in section.model_fields.values():
        for inner in list_sections(key.annotation):
            yield from all_sections(inner)


def check(section: Section, entries: list[Entry], shown: dict[Section, set[str]]) -> None:
    """The entries are keys of the section, have comments, and begin with the default; adds them to `shown`."""
    known: set[str] = set()
    for entry in entries:
        is_first = entry.key not in known
        known.add(entry.key)
        assert not is_first or entry.comment, entry
        described = section.model_fields[entry.key]
        default = None if described.is_required() else described.get_default()
        if entry.inner:
            types = [inner.value for inner in entry.inner if inner.key == "type"]
            [chosen, *_] = [
                inner for inner in list_sections(described.annotation) if not types or types[0] in list_types(inner)
            ]
            assert not is_first or default is None or isinstance(default, chosen), entry
            check(chosen, entry.inner, shown)
        elif not described.is_required() and is_first and not isinstance(entry.value, dict):
            plain = getattr(default, "type", list(default) if isinstance(default, tuple) else default)
            examples = (described.examples or []) if plain is None else []  # one of several ways to say the same
            assert entry.value == plain or entry.value in examples, (entry, plain)
    shown[section] |= known


SHOWN: dict[Section, set[str]] = defaultdict(set)
check(Config, read_entries(), SHOWN)


@pytest.mark.parametrize("section", sorted(set(all_sections(Config)), key=str), ids=lambda section: section.__name__)
def test_every_key_of_every_section_is_shown(section: Section) -> None:
    """An attention that stands at several places is shown in full once, elsewhere with the defaults that differ."""
    keys = set(section.model_fields)
    if issubclass(section, AttentionConfig):
        same = {key for key in keys if section.model_fields[key].default == AttentionConfig.model_fields[key].default}
        assert same <= set.union(*(shown for other, shown in SHOWN.items() if issubclass(other, AttentionConfig)))
        keys -= same
    assert keys <= SHOWN[section]


def test_it_is_the_config_that_leaves_all_to_defaults() -> None:
    grammar = {"type": "grammar"}
    data = {"source": "en", "target": "de", "train": grammar, "validation": grammar, "test": grammar}
    model, training = {"encoder": "lstm", "decoder": "luong"}, {"max_updates": 10_000}
    assert load_config(FILE) == Config.model_validate({"data": data, "model": model, "training": training})
