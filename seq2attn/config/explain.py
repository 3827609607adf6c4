"""Validation errors in the user's terms: each one a line with file, line, key, value and what is expected, and a hint."""

import difflib
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from seq2attn.config.config import Config
from seq2attn.config.near_misses import find_near_miss
from seq2attn.config.yaml_lines import Located
from seq2attn.errors import ConfigError

Path = tuple[str, ...]


class _Finding(NamedTuple):
    """What is wrong with the key at `path`; `suggested` is the key that was probably meant."""

    path: Path
    what: str
    hint: str
    expected: str = ""
    is_missing: bool = False
    suggested: Path = ()


class _Field(NamedTuple):
    """What the schema says of a key: its field, if there is one, and the sections that could hold it, the actual one first."""

    path: Path
    field: FieldInfo | None
    owners: list[type[BaseModel]]


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
    path, field, owners = _locate(details["loc"])
    if path and isinstance(tree.at(path[:-1]).value, str):  # a bare string that stands for a section
        path = path[:-1]
        field = field and FieldInfo(annotation=field.annotation, examples=field.examples)  # here it has no default
    written = _get(tree, path)
    if kind == "extra_forbidden":
        hint, suggested = _key_hint(path, owners)
        yield _Finding(path, f"key `{'.'.join(path)}` is not known", hint, suggested=suggested)
    elif kind == "missing" and written is None:
        yield _missing(path, f"{path[-1]}: {_show_yaml(_example(field))}")
    elif kind == "union_tag_invalid" and not context["tag"]:
        first, *others = _choices(field)
        yield _missing((*path, "type"), f"type: {first}", f" (or {', '.join(others)})" if others else "")
    elif kind in ("literal_error", "union_tag_invalid"):
        if kind == "union_tag_invalid" and written is not None and isinstance(written.value, dict):
            path, written = (*path, "type"), written.value["type"]
        choices = _choices(field)
        expected = f"one of {', '.join(choices)}" if len(choices) > 1 else choices[0]
        yield _Finding(path, _describe(path, written), _choice_hint(written, choices, field), expected)
    else:
        sections = list(list_sections(field.annotation)) if field else []
        is_item = isinstance(details["loc"][-1], int) and kind != "missing"
        expected = ("a list of values, each " if is_item else "") + _expected(kind, context, sections)
        yield _Finding(path, _describe(path, written), _value_hint(kind, path, written, field, sections), expected)


# ---- from pydantic's location to the schema


def _locate(location: tuple[int | str, ...]) -> _Field:
    """The key that a location of pydantic's names, without the tags of unions and whatever is inside of a value."""
    models: list[type[BaseModel]] = [Config]
    owners, tagged = models, False
    path: Path = ()
    field: FieldInfo | None = None
    for part in location:
        chosen = [model for model in models if part in list_types(model)]
        if len(models) > 1 and chosen and not tagged:
            models, tagged = chosen + [model for model in models if model not in chosen], True
            continue
        if not models:
            break
        owners, path, tagged = models, (*path, str(part)), False
        field = owners[0].model_fields.get(str(part))
        models = list(list_sections(field.annotation)) if field else []
    return _Field(path, field, models if tagged else owners)


def list_sections(annotation: Any) -> Iterator[type[BaseModel]]:
    """The sections that an annotation allows."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from list_sections(inner)


def _literals(annotation: Any) -> Iterator[str]:
    """The words that an annotation allows."""
    if get_origin(annotation) is Literal:
        yield from map(str, get_args(annotation))
    else:
        for inner in get_args(annotation):
            yield from _literals(inner)


def list_types(model: type[BaseModel]) -> tuple[Any, ...]:
    field = model.model_fields.get("type")
    return get_args(field.annotation) if field else ()


def _choices(field: FieldInfo | None) -> list[str]:
    """The legal words of a key, or the types of its section."""
    if field is None:
        return []
    return list(_literals(field.annotation)) or [
        tag for model in list_sections(field.annotation) for tag in list_types(model)
    ]


def _get(tree: Located, path: Path) -> Located | None:
    """What was written at `path`, None if nothing was."""
    parent = tree.at(path[:-1]).value
    if not path:
        return tree
    return parent.get(path[-1]) if isinstance(parent, dict) else None


# ---- what is wrong


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
    return written.text or ("empty" if written.value is None else "empty text")


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
    types = [tag for model in sections for tag in list_types(model)]
    return f"a mapping with one of the types {', '.join(types)}" if types else "a mapping of keys"


def _show_bound(value: int | float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


# ---- what to write instead


def _show_yaml(value: Any) -> str:
    """A plain value as one would write it in YAML."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_show_yaml(inner)}' for key, inner in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_show_yaml, value))}]"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return str(value)


def _example(field: FieldInfo | None) -> Any:
    """A value for a key that has no default: the field's own example, or a section with examples of what it requires."""
    if field is None:
        return "…"
    if field.examples:
        return field.examples[0]
    section = next(list_sections(field.annotation), None)
    if section is None:
        return "…"
    return {name: _example(inner) for name, inner in section.model_fields.items() if inner.is_required()}


def _value_hint(
    kind: str, path: Path, written: Located | None, field: FieldInfo | None, sections: list[type[BaseModel]]
) -> str:
    if kind == "string_type" and written is not None and written.text:
        return f'put it in quotes: {path[-1]}: "{written.text}"'
    if not path or field is None:
        return "write one of the legal values"
    if sections:
        first, inner = next(iter(sections[0].model_fields.items()))
        types = list_types(sections[0])
        value = types[0] if types else _example(inner) if inner.is_required() else inner.get_default()
        return f"for example {path[-1]}: {{{first}: {_show_yaml(value)}}}"
    if isinstance(field.get_default(), bool):
        return f"write true or false; the default is {_show_yaml(field.get_default())}"
    example = f"for example {path[-1]}: {_show_yaml(_example(field))}" if field.examples else ""
    default = "" if field.is_required() or field.get_default() == "" else _default_hint(field)
    return "; ".join(part for part in (example, default) if part) or "write one of the legal values"


def _default_hint(field: FieldInfo) -> str:
    return f"the default is {_show_yaml(field.get_default())}"


def _choice_hint(written: Located | None, choices: list[str], field: FieldInfo | None) -> str:
    text = written.text if written is not None else ""
    close = difflib.get_close_matches(text, choices, n=1, cutoff=0.5)
    close = close or [choice for choice in choices if text and choice.startswith(text)]
    if close:
        return f"did you mean {close[0]}?"
    default = field.get_default() if field and not field.is_required() else None
    return _default_hint(field) if field and isinstance(default, str | float) else f"for example {choices[0]}"


def _key_hint(path: Path, owners: list[type[BaseModel]]) -> tuple[str, Path]:
    """What was probably meant by an unknown key, and its path: a key of this section, or of its other types, or elsewhere."""
    section, name = path[:-1], path[-1]
    legal = list(owners[0].model_fields)
    others = [list_types(other)[0] for other in owners[1:] if name in other.model_fields]
    if others:
        return f"type {' or '.join(others)} has it; type {list_types(owners[0])[0]} has {', '.join(legal)}", ()
    near_miss = find_near_miss(name)
    if near_miss is not None:
        is_here = near_miss.key in legal
        keys = ".".join((*section, near_miss.key)) if is_here else " and ".join(near_miss.paths)
        meant = (*section, near_miss.key) if is_here else tuple(near_miss.paths[0].split("."))
        return f"did you mean {keys}?{near_miss.conversion and ' ' + near_miss.conversion}", meant
    close = difflib.get_close_matches(name, legal, n=1)
    if close:
        meant = (*section, close[0])
        return f"did you mean {'.'.join(meant)}?", meant
    elsewhere = sorted((key for key in list_keys(Config) if key[-1] == name), key=len)
    if elsewhere:
        return f"did you mean {'.'.join(elsewhere[0])}?", elsewhere[0]
    return f"legal keys{' of ' + '.'.join(section) if section else ''}: {', '.join(legal)}", ()


def list_keys(model: type[BaseModel], above: Path = ()) -> Iterator[Path]:
    """The path of every key of a section, of whatever type."""
    for name, field in model.model_fields.items():
        yield (*above, name)
        for inner in list_sections(field.annotation):
            yield from list_keys(inner, (*above, name))
