"""YAML whose every value remembers where it was written, so that errors can name file and line.

Plain values are read as YAML 1.2 reads them: `no` and `on` are text, `2e-3` is a number. A number without a fraction is a
whole number, however it is written: `1e5`, `1000.0`. Merge keys (`<<: *name`) are understood.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from seq2attn.config.yaml_errors import explain_yaml_error
from seq2attn.errors import ConfigError

FLOAT = re.compile(
    r"^(?:[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
)
_INTEGER = re.compile(r"^[-+]?[0-9][0-9_]*$")
_BOOLEAN = re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$")
_NULL = re.compile(r"^(?:~|null|Null|NULL|)$")
_TAG = "tag:yaml.org,2002:"
_COLLECTIONS = (_TAG + "map", _TAG + "seq")
_MERGE = "<<"
_VALUES = 10_000  # of a config, at most


class _Loader(yaml.SafeLoader):
    """The YAML 1.2 core schema."""

    yaml_implicit_resolvers = {}  # noqa: RUF012  (the base class has it so)


_Loader.add_implicit_resolver(_TAG + "null", _NULL, ["~", "n", "N", ""])
_Loader.add_implicit_resolver(_TAG + "bool", _BOOLEAN, list("tTfF"))
_Loader.add_implicit_resolver(_TAG + "int", _INTEGER, list("-+0123456789"))
_Loader.add_implicit_resolver(_TAG + "float", FLOAT, list("-+.0123456789"))


@dataclass(frozen=True)
class Origin:
    """Where a value was written: a line of a file, or an override (line 0)."""

    place: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.place}:{self.line}" if self.line else self.place


@dataclass(frozen=True)
class Located:
    """A value, where it was written, and a scalar's text as written; mappings and lists hold further located values."""

    value: Any
    origin: Origin
    text: str = ""

    def plain(self) -> Any:
        """The value as plain Python objects, without origins."""
        if isinstance(self.value, dict):
            return {key: item.plain() for key, item in self.value.items()}
        if isinstance(self.value, list):
            return [item.plain() for item in self.value]
        return self.value

    def at(self, path: tuple[str, ...]) -> "Located":
        """The value at `path`, or its nearest ancestor that was written."""
        here = self
        for key in path:
            if not isinstance(here.value, dict) or key not in here.value:
                break
            here = here.value[key]
        return here


def parse(text: str, place: str, origin: Origin | None = None) -> Located:
    """The YAML document `text` of the file `place`. With `origin`, every value has that one instead of its line.

    Raises ConfigError for text that is not YAML, a repeated key, a tag or a cyclic alias.
    """
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        flaw = explain_yaml_error(error)
        raise ConfigError(f"{origin or Origin(place, flaw.line)}: not valid YAML: {flaw.what}", flaw.hint) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError(
            f"{origin or Origin(place, line)}: a config cannot hold the character U+{ord(text[error.position]):04X}",
            "delete it, or write it as an escape in double quotes",
        ) from error
    except (RecursionError, ValueError, OverflowError) as error:  # the latter two: an escape such as \UFFFFFFFF
        what = "nested too deeply" if isinstance(error, RecursionError) else f"not valid YAML: {error}"
        raise ConfigError(
            f"{origin or Origin(place, 1)}: {what}", "write a config as in configs/reference.yaml"
        ) from error
    if node is None:
        return Located({}, origin or Origin(place, 1))
    _check_size(node, place, origin)
    return _locate(node, place, origin, node.start_mark.line + 1, ())


def _check_size(root: yaml.Node, place: str, fixed: Origin | None) -> None:
    """Raises ConfigError where aliases of aliases would become more values than a config can have."""
    sizes: dict[int, int] = {}

    def size(node: yaml.Node) -> int:
        if id(node) not in sizes:
            sizes[id(node)] = 1  # while inside: an alias of what it stands in is another error
            sizes[id(node)] += sum(size(child) for child in _children(node))
        return sizes[id(node)]

    if size(root) > _VALUES:
        raise ConfigError(
            f"{fixed or Origin(place, 1)}: more than {_VALUES:,} values", "write fewer: a config has some hundred"
        )


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [value for _, value in node.value]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _locate(node: yaml.Node, place: str, fixed: Origin | None, line: int, above: tuple[yaml.Node, ...]) -> Located:
    origin = fixed or Origin(place, line)
    if any(node is ancestor for ancestor in above):
        raise ConfigError(f"{origin}: an alias is inside of the value that it names", "write the values out instead")
    inside = (*above, node)
    if not isinstance(node, yaml.ScalarNode) and node.tag not in _COLLECTIONS:
        raise _refuse_tag(node, origin, "what follows")
    if isinstance(node, yaml.MappingNode):
        items: dict[str, Located] = {}
        for key, key_line, child in _list_entries(node):
            if key in items:
                repeated = fixed or Origin(place, key_line)
                first = "" if fixed else f"; it is in line {items[key].origin.line} too"
                raise ConfigError(f"{repeated}: key `{key}` is repeated{first}", "keep one of the two")
            items[key] = _locate(child, place, fixed, key_line, inside)
        return Located(_merge(items) if _has_merge(node) else items, origin)
    if isinstance(node, yaml.SequenceNode):
        return Located([_locate(item, place, fixed, item.start_mark.line + 1, inside) for item in node.value], origin)
    return Located(_read_scalar(node, origin), origin, node.value)


def _has_merge(node: yaml.MappingNode) -> bool:
    return any(isinstance(key, yaml.ScalarNode) and key.value == _MERGE and key.style is None for key, _ in node.value)


def _merge(items: dict[str, Located]) -> dict[str, Located]:
    """The mapping with what its key `<<` names under its other keys; of several mappings the first one wins."""
    own = dict(items)
    merged = own.pop(_MERGE)
    layers = merged.value if isinstance(merged.value, list) else [merged]
    for layer in layers:
        if not isinstance(layer.value, dict):
            raise ConfigError(
                f"{merged.origin}: `<<` merges a mapping or a list of mappings",
                "name an anchored mapping, as in <<: *name",
            )
        own = {**layer.value, **own}
    return own


def _list_entries(node: yaml.MappingNode) -> Iterator[tuple[str, int, yaml.Node]]:
    for key, value in node.value:
        yield str(key.value) if isinstance(key, yaml.ScalarNode) else "?", key.start_mark.line + 1, value


def _read_scalar(node: yaml.Node, origin: Origin) -> Any:
    text = str(node.value)
    number = text.replace("_", "").lower()
    try:
        match node.tag.removeprefix(_TAG):
            case "null":
                return None
            case "bool":
                return number == "true"
            case "int":
                return int(number)
            case "float":
                value = float(number.replace(".inf", "inf").replace(".nan", "nan"))
                return int(value) if value.is_integer() else value
            case "str":
                return text
    except ValueError:
        pass
    raise _refuse_tag(node, origin, repr(text))


def _refuse_tag(node: yaml.Node, origin: Origin, what: str) -> ConfigError:
    tag = "!!" + node.tag.removeprefix(_TAG) if node.tag.startswith(_TAG) else node.tag
    return ConfigError(f"{origin}: {what} cannot be read as {tag}", "write the value without a tag")


def is_plain(text: str) -> bool:
    """Whether YAML reads `text`, written without quotes, as that text."""
    return read_plain(text) == text


def read_plain(text: str) -> Any:
    """What YAML reads where `text` is written without quotes; None for nothing, and for what is not YAML."""
    try:
        return parse(text, "").plain()
    except ConfigError:
        return None
