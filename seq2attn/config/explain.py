"""Validation errors in the user's terms: each one a line with file, line, key, value and what is expected, and a hint."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from seq2attn.config.data import TextConfig
from seq2attn.config.hints import make_example, show_yaml, suggest_choice, suggest_key, suggest_value
from seq2attn.config.schema import Path, find_key, list_choices, list_sections, list_types
from seq2attn.config.yaml_lines import Located, is_plain
from seq2attn.errors import ConfigError


class _Finding(NamedTuple):
    """What is wrong with the key at `path`; `suggested` is the key that was probably meant."""

    path: Path
    what: str
    hint: str
    expected: str = ""
    is_missing: bool = False
    suggested: Path = ()


def explain(error: ValidationError, tree: Located, main: str) -> ConfigError:
    """All errors of a config as one ConfigError: the first one, with the rest as its `others`.

    Those of the file `main` come before those of the files that it extends, each file's by line. Missing keys come last, and
    one that an unknown key was probably meant to be is left out.
    """
    findings = [finding for details in error.errors() for finding in _find(details, tree)]
    suggested = {finding.suggested for finding in findings if finding.suggested}
    findings = [finding for finding in findings if not (finding.is_missing and finding.path in suggested)]

    def order(finding: _Finding) -> tuple[bool, bool, str, int]:
        origin = tree.at(finding.path).origin
        return finding.is_missing, bool(origin.line) and origin.place != main, origin.place, origin.line

    lines: dict[str, tuple[str, list[str]]] = {}  # what is wrong and where: hint, and what is expected
    for finding in sorted(findings, key=order):
        subject = f"{tree.at(finding.path).origin}: {finding.what}"
        _, expected = lines.setdefault(subject, (finding.hint, []))
        expected += [finding.expected] if finding.expected else []  # two, of a key that takes a word or a number
    errors = [
        ConfigError(subject + (f", but must be {' or '.join(expected)}" if expected else ""), hint)
        for subject, (hint, expected) in lines.items()
    ]
    return ConfigError(errors[0].message, errors[0].hint, errors[1:])


def _find(details: ErrorDetails, tree: Located) -> Iterator[_Finding]:
    kind, context = details["type"], details.get("ctx", {})
    if kind == "combination":
        for key, value, reason, hint in context["problems"]:
            yield _Finding(tuple(key.split(".")), f"key `{key}` is {value}, which {reason}", hint)
        return
    key = find_key(details["loc"])
    path, field = key.path, key.field
    if path and isinstance(tree.at(path[:-1]).value, str):  # a bare string that stands for a section
        path = path[:-1]
        field = field and FieldInfo(annotation=field.annotation, examples=field.examples)  # here it has no default
    written = _get(tree, path)
    if kind == "extra_forbidden":
        hint, suggested = suggest_key(key, tree.at(path[:-1]))
        yield _Finding(path, f"key `{'.'.join(path)}` is not known", hint, suggested=suggested)
    elif kind == "missing" and written is None:
        yield _missing(path, f"{path[-1]}: {show_yaml(make_example(field))}")
    elif kind == "union_tag_invalid" and not context["tag"]:
        first, *others = list_choices(field)
        yield _missing((*path, "type"), f"type: {first}", f" (or {', '.join(others)})" if others else "")
    elif kind in ("literal_error", "union_tag_invalid"):
        if kind == "union_tag_invalid" and written is not None and isinstance(written.value, dict):
            path, written = (*path, "type"), written.value["type"]
        choices = list_choices(field)
        expected = f"one of {', '.join(choices)}" if len(choices) > 1 else choices[0]
        yield _Finding(path, _describe(path, written), suggest_choice(written, choices, field), expected)
    else:
        sections = list(list_sections(field.annotation)) if field else []
        is_item = isinstance(details["loc"][-1], int) and kind != "missing"
        expected = ("a list of values, each " if is_item else "") + _expected(kind, context, sections)
        yield _Finding(path, _describe(path, written), suggest_value(kind, path, written, field), expected)


def _get(tree: Located, path: Path) -> Located | None:
    """What was written at `path`, None if nothing was."""
    parent = tree.at(path[:-1]).value
    if not path:
        return tree
    return parent.get(path[-1]) if isinstance(parent, dict) else None


def _missing(path: Path, example: str, others: str = "") -> _Finding:
    under = f" under `{'.'.join(path[:-1])}`" if path[:-1] else ""
    hint = f"add `{example}`{under}{others or ', for example'}"
    return _Finding(path, f"key `{'.'.join(path)}` is missing", hint, is_missing=True)


def _describe(path: Path, written: Located | None) -> str:
    subject = f"key `{'.'.join(path)}`" if path else "the config"
    return f"{subject} is {_show_written(written)}"


def _show_written(written: Located | None) -> str:
    """A value as the user wrote it; a mapping by its kind."""
    if written is None:
        return "missing"
    if isinstance(written.value, dict):
        return "a mapping"
    if isinstance(written.value, list):
        return f"the list [{', '.join(_show_written(item) for item in written.value)}]"
    if written.text == "":
        return "empty" if written.value is None else "empty text"
    return (
        f"the text {written.text!r}" if isinstance(written.value, str) and not is_plain(written.text) else written.text
    )


def _expected(kind: str, context: dict[str, Any], sections: list[type[BaseModel]]) -> str:
    match kind:
        case "int_type" | "int_parsing" | "int_from_float":
            return "a whole number"
        case "float_type" | "float_parsing":
            return "a number"
        case "finite_number":
            return "a finite number"
        case "bool_type" | "bool_parsing":
            return "true or false"
        case "string_type":
            return "text"
        case "string_too_short":
            return "text that is not empty"
        case "string_pattern_mismatch":
            return "a language code such as en or pt-BR"
        case "greater_than_equal":
            return f"at least {_show_bound(context['ge'])}"
        case "greater_than":
            return f"greater than {_show_bound(context['gt'])}"
        case "less_than_equal":
            return f"at most {_show_bound(context['le'])}"
        case "less_than":
            return f"less than {_show_bound(context['lt'])}"
        case "too_long" | "too_short" | "missing":
            return "a list of two numbers"
        case "tuple_type":
            return "a list of numbers"
        case "expected":
            return str(context["what"])
    types = ", ".join(tag for model in sections for tag in list_types(model))
    if TextConfig in sections:
        return f"the prefix of text files, or a mapping with one of the types {types}"
    return f"one of {types}, or a mapping with such a type" if types else "a mapping of keys"


def _show_bound(value: int | float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"
