"""What to write instead of what is wrong in a config."""

import difflib
import re
from itertools import takewhile
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from seq2attn.config.config import Config
from seq2attn.config.near_misses import OPTIONS, TABLES, find_near_miss
from seq2attn.config.schema import Key, Path, exists_always, list_keys, list_sections, list_types
from seq2attn.config.yaml_lines import Located, read_plain

_NUMBERS: dict[str, tuple[type, ...]] = {"int_type": (int,), "float_type": (int, float), "bool_type": (bool,)}


def show_yaml(value: Any) -> str:
    """A value as one would write it in YAML; a section with all its defaults as its type."""
    if isinstance(value, BaseModel):
        types = list_types(type(value))
        return str(types[0]) if types and value == type(value)() else show_yaml(value.model_dump(mode="json"))
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {show_yaml(inner)}' for key, inner in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(show_yaml, value))}]"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return str(value)


def make_example(field: FieldInfo | None) -> Any:
    """A value for a key: the field's own example, or a section with examples of what it requires, or its first key."""
    section = None if field is None else next(list_sections(field.annotation), None)
    if field is not None and field.examples:
        return field.examples[0]
    if section is None:
        return "…"
    first = next(iter(section.model_fields))
    required = {name: make_example(inner) for name, inner in section.model_fields.items() if inner.is_required()}
    types = list_types(section)
    return required or {first: types[0] if types else section.model_fields[first].get_default()}


def suggest_value(kind: str, path: Path, written: Located | None, field: FieldInfo | None) -> str:
    """What to write for a value that is wrong in the way that pydantic calls `kind`."""
    text = written.text if written is not None else ""
    if kind == "string_type" and text:
        return f'put it in quotes: {path[-1]}: "{text}"'
    if kind in _NUMBERS and (number := _read_number(kind, text)):
        return f"{number[0]}: {path[-1]}: {number[1]}"
    if not path or field is None:
        return "write one of the legal values"
    has_example = field.examples or next(list_sections(field.annotation), None) is not None
    example = f"for example {path[-1]}: {show_yaml(make_example(field))}" if has_example else ""
    if isinstance(field.get_default(), bool):
        return f"write true or false; {_show_default(field)}"
    plain = not (field.is_required() or field.get_default() == "" or isinstance(field.get_default(), BaseModel))
    return "; ".join(part for part in (example, _show_default(field) if plain else "") if part) or (
        "write one of the legal values"
    )


def _read_number(kind: str, text: str) -> tuple[str, str] | None:
    """What to do with a text to make it the number (or truth value) that it looks like, and what comes out of it."""
    if type(read_plain(text)) in _NUMBERS[kind]:
        return "write it without quotes", text
    if kind == "int_type" and re.fullmatch(r"[0-9]{1,3}(,[0-9]{3})+", text):
        return "write it without commas", text.replace(",", "")
    if kind == "float_type" and re.fullmatch(r"[0-9]+,[0-9]+", text):
        return "write a decimal point", text.replace(",", ".")
    return None


def _show_default(field: FieldInfo) -> str:
    return f"the default is {show_yaml(field.get_default())}"


def suggest_choice(written: Located | None, choices: list[str], field: FieldInfo | None) -> str:
    """Which of the legal words was probably meant."""
    text = written.text if written is not None else ""
    if text.lower() in TABLES and "huggingface" in choices:
        return "write {type: huggingface, path: FILE_OR_FOLDER}, which reads CSV, parquet and JSON"
    close = difflib.get_close_matches(text, choices, n=1)
    close = close or [choice for choice in choices if text and choice.startswith(text)]
    if close:
        return f"did you mean {close[0]}?"
    default = field.get_default() if field and not field.is_required() else None
    return _show_default(field) if field and isinstance(default, str | float) else f"for example {choices[0]}"


def suggest_key(key: Key, section: Located) -> tuple[str, Path]:
    """What was probably meant by an unknown key of `section`, and its path; the path is empty where it is no one key.

    A key of this section, or of its other types, or elsewhere, or an option of the command line.
    """
    above, name = key.path[:-1], key.path[-1]
    legal = list(key.owners[0].model_fields)
    others = [list_types(other)[0] for other in key.owners[1:] if name in other.model_fields]
    if others and "type" not in section.value:
        more = f" (or {', '.join(others[1:])})" if others[1:] else ""
        return f"add `type: {others[0]}`{more} beside it", ()
    if others:
        return f"type {_join_or(others)} has it; type {list_types(key.owners[0])[0]} has {', '.join(legal)}", ()
    if (before := _find_before_comma(section, name)) is not None:
        return f"the comma ends the value of {before}: write a decimal point, or no comma", ()
    near_miss = find_near_miss(name)
    if near_miss is not None:
        is_here = near_miss.key in legal
        keys = ".".join((*above, near_miss.key)) if is_here else " and ".join(near_miss.paths)
        meant = (*above, near_miss.key) if is_here else tuple(near_miss.paths[0].split("."))
        return f"did you mean {keys}?{near_miss.conversion and ' ' + near_miss.conversion}", meant
    if name in OPTIONS:
        return f"delete it, and give the command the option {OPTIONS[name]}", ()
    close = [(*above, similar) for similar in difflib.get_close_matches(name, legal, n=1)]
    if meant := _find_elsewhere(key) or next(iter(close), ()):
        return f"did you mean {'.'.join(meant)}?", meant
    return f"legal keys{' of ' + '.'.join(above) if above else ''}: {', '.join(legal)}", ()


def _join_or(words: list[str]) -> str:
    return " or ".join(part for part in (", ".join(words[:-1]), words[-1]) if part)


def _find_before_comma(section: Located, name: str) -> str | None:
    """The key with a number that stands before `name` where that is what follows a comma: {learning_rate: 0,001}."""
    keys = list(section.value)
    before = keys[keys.index(name) - 1] if name in keys[1:] else None
    if before is None or not name.isdecimal() or section.value[name].value is not None:
        return None
    return before if type(section.value[before].value) in (int, float) else None


def _find_elsewhere(key: Key) -> Path:
    """The nearest key of the same name: below this section's own type, if it is there, else at any place."""
    above, name = key.path[:-1], key.path[-1]
    own = set(list_keys(key.owners[0], above))

    def distance(other: Path) -> tuple[int, bool, bool, int]:
        shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(other, above, strict=False)))
        return -shared, other not in own, not exists_always(other), len(other)

    return min((other for other in list_keys(Config) if other[-1] == name), key=distance, default=())
