"""Validation errors in the user's terms: one line with file, line, key, value and what is expected, and a hint."""

import difflib
import re
from collections.abc import Iterator
from typing import Any, NamedTuple, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from seq2attn.config.config import Config
from seq2attn.config.yaml_lines import Located
from seq2attn.errors import ConfigError

Path = tuple[str, ...]


class _Finding(NamedTuple):
    path: Path
    what: str
    hint: str
    expected: str = ""
    missing: bool = False


def explain(error: ValidationError, tree: Located, main: str) -> ConfigError:
    """The first error by line, those of the file `main` before others, as a ConfigError that counts the rest.

    A missing key comes after all others: it is often the misspelt one.
    """
    findings = [finding for details in error.errors() for finding in _findings(details, tree)]
    origins = {finding.path: tree.at(finding.path).origin for finding in findings}

    def order(finding: _Finding) -> tuple[bool, bool, str, int]:
        origin = origins[finding.path]
        return finding.missing, bool(origin.line) and origin.place != main, origin.place, origin.line

    first = min(findings, key=order)
    others = {finding.path for finding in findings} - {first.path}
    more = f" (and {len(others)} more error{'s' if len(others) > 1 else ''})" if others else ""
    wanted = [finding.expected for finding in findings if finding.path == first.path and finding.expected]
    must = (
        f", but must be {' or '.join(wanted)}" if first.expected else ""
    )  # two, of a key that takes a word or a number
    return ConfigError(f"{origins[first.path]}: {first.what}{must}{more}", first.hint)


def _findings(details: ErrorDetails, tree: Located) -> Iterator[_Finding]:
    kind, context = details["type"], details.get("ctx", {})
    if kind == "combination":
        for key, value, reason, hint in context["problems"]:
            yield _Finding(tuple(key.split(".")), f"key `{key}` is {_shown(value)}, which {reason}", hint)
        return
    path, field, owners = _walk(details["loc"])
    if path and isinstance(tree.at(path[:-1]).value, str):  # a bare string that stands for a section
        path = path[:-1]
    here = _written(tree, path)
    if kind == "extra_forbidden":
        yield _Finding(path, f"key `{'.'.join(path)}` is not known", _key_hint(path, owners))
    elif kind == "missing" and here is None:
        yield _missing(path, f"{field.description}" if field and field.description else "a required key")
    elif kind == "union_tag_invalid" and not context["tag"]:
        yield _missing((*path, "type"), f"one of {', '.join(_legal(context))}")
    elif kind in ("literal_error", "union_tag_invalid"):
        if kind == "union_tag_invalid" and here is not None and isinstance(here.value, dict):
            path, here = (*path, "type"), here.value["type"]
        legal = _legal(context)
        expected = f"one of {', '.join(legal)}" if len(legal) > 1 else legal[0]
        yield _Finding(path, _wrong(path, here), _choice_hint(here, legal, field), expected)
    else:
        sections = list(_models(field.annotation)) if field else []
        each = "a list of values, each " if isinstance(details["loc"][-1], int) and kind != "missing" else ""
        expected = each + _expected(kind, context, sections)
        yield _Finding(path, _wrong(path, here), _value_hint(kind, path, here, field, sections), expected)


def _walk(location: tuple[int | str, ...]) -> tuple[Path, FieldInfo | None, list[type[BaseModel]]]:
    """A pydantic location as a key path (no tags of unions, nothing inside of a value), the last key's field, and the
    models that its section could be, the actual one first."""
    models: list[type[BaseModel]] = [Config]
    owners, tagged = models, False
    path: Path = ()
    field: FieldInfo | None = None
    for part in location:
        chosen = [model for model in models if part in _tags(model)]
        if len(models) > 1 and chosen and not tagged:
            models, tagged = chosen + [model for model in models if model not in chosen], True
            continue
        if not models:
            break
        owners, path, tagged = models, (*path, str(part)), False
        field = owners[0].model_fields.get(str(part))
        models = list(_models(field.annotation)) if field else []
    return path, field, models if tagged else owners


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The sections that an annotation allows."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


def _tags(model: type[BaseModel]) -> tuple[Any, ...]:
    field = model.model_fields.get("type")
    return get_args(field.annotation) if field else ()


def _written(tree: Located, path: Path) -> Located | None:
    """What was written at `path`, None if nothing was."""
    parent = tree.at(path[:-1]).value
    if not path:
        return tree
    return parent.get(path[-1]) if isinstance(parent, dict) else None


def _missing(path: Path, description: str) -> _Finding:
    return _Finding(path, f"key `{'.'.join(path)}` is missing", f"add it: {description}", missing=True)


def _legal(context: dict[str, Any]) -> list[str]:
    return re.findall(r"'([^']+)'", context.get("expected_tags", context.get("expected", "")))


def _wrong(path: Path, here: Located | None) -> str:
    subject = f"key `{'.'.join(path)}`" if path else "the config"
    return f"{subject} is {_shown(here)}"


def _shown(value: object) -> str:
    """A value as the user wrote it; mappings and lists by their kind."""
    if not isinstance(value, Located):
        return str(value)
    if isinstance(value.value, dict):
        return "a mapping"
    if isinstance(value.value, list):
        return f"the list [{', '.join(_shown(item) for item in value.value)}]"
    return value.text or ("empty" if value.value is None else "empty text")


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
            return f"at least {_number(context['ge'])}"
        case "greater_than":
            return f"greater than {_number(context['gt'])}"
        case "less_than_equal":
            return f"at most {_number(context['le'])}"
        case "less_than":
            return f"less than {_number(context['lt'])}"
        case "too_long" | "too_short" | "missing":
            return "a list of two numbers"
        case "tuple_type":
            return "a list of numbers"
    types = [tag for model in sections for tag in _tags(model)]
    return f"a mapping with one of the types {', '.join(types)}" if types else "a mapping of keys"


def _number(value: int | float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def _value_hint(
    kind: str, path: Path, here: Located | None, field: FieldInfo | None, sections: list[type[BaseModel]]
) -> str:
    if kind == "string_type" and here is not None and here.text:
        return f'put it in quotes: {path[-1]}: "{here.text}"'
    if sections:
        types = _tags(sections[0])
        inside = f"type: {types[0]}" if types else f"{next(iter(sections[0].model_fields))}: …"
        return f"for example {path[-1]}: {{{inside}}}"
    default = field.get_default() if field and not field.is_required() else None
    if isinstance(default, bool):
        return f"write true or false; the default is {str(default).lower()}"
    if isinstance(default, int | float | str) and default != "":
        return f"the default is {default}"
    return f"{field.description}" if field and field.description else ""


def _choice_hint(here: Located | None, legal: list[str], field: FieldInfo | None) -> str:
    text = here.text if here is not None else ""
    close = difflib.get_close_matches(text, legal, n=1, cutoff=0.5)
    close = close or [choice for choice in legal if text and choice.startswith(text)]
    if close:
        return f"did you mean {close[0]}?"
    default = field.get_default() if field and not field.is_required() else None
    return f"the default is {default}" if isinstance(default, str | float) and default else f"for example {legal[0]}"


def _key_hint(path: Path, owners: list[type[BaseModel]]) -> str:
    """The nearest legal key: of this section, of its other types, or of the same name elsewhere."""
    section, name = path[:-1], path[-1]
    legal = list(owners[0].model_fields)
    others = [_tags(other)[0] for other in owners[1:] if name in other.model_fields]
    if others:
        return f"type {' or '.join(others)} has it; type {_tags(owners[0])[0]} has {', '.join(legal)}"
    elsewhere = sorted((key for key in _all_keys(Config, ()) if key[-1] == name), key=len)
    close = difflib.get_close_matches(name, legal, n=1)
    if close:
        return f"did you mean {'.'.join((*section, close[0]))}?"
    if elsewhere:
        return f"did you mean {'.'.join(elsewhere[0])}?"
    return f"legal keys{' of ' + '.'.join(section) if section else ''}: {', '.join(legal)}"


def _all_keys(model: type[BaseModel], above: Path) -> Iterator[Path]:
    for name, field in model.model_fields.items():
        yield (*above, name)
        for inner in _models(field.annotation):
            yield from _all_keys(inner, (*above, name))
