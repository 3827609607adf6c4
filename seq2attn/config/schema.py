"""The keys, types and words that the config's sections allow, for the messages about what they do not."""

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from seq2attn.config.config import Config

Path = tuple[str, ...]


class Key(NamedTuple):
    """What the schema says of a key: its field, if there is one, and the sections that could hold it, the actual one first."""

    path: Path
    field: FieldInfo | None
    owners: list[type[BaseModel]]


def find_key(location: tuple[int | str, ...]) -> Key:
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
    return Key(path, field, models if tagged else owners)


def list_sections(annotation: Any) -> Iterator[type[BaseModel]]:
    """The sections that an annotation allows."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from list_sections(inner)


def list_types(model: type[BaseModel]) -> tuple[Any, ...]:
    """The values of a section's key `type`; none if it has no such key."""
    field = model.model_fields.get("type")
    return get_args(field.annotation) if field else ()


def list_choices(field: FieldInfo | None) -> list[str]:
    """The legal words of a key, or the types of its section."""
    if field is None:
        return []
    return list(_literals(field.annotation)) or [
        tag for model in list_sections(field.annotation) for tag in list_types(model)
    ]


def _literals(annotation: Any) -> Iterator[str]:
    """The words that an annotation allows."""
    if get_origin(annotation) is Literal:
        yield from map(str, get_args(annotation))
    else:
        for inner in get_args(annotation):
            yield from _literals(inner)


def list_keys(model: type[BaseModel], above: Path = ()) -> Iterator[Path]:
    """The path of every key of a section, of whatever type."""
    for name, field in model.model_fields.items():
        yield (*above, name)
        for inner in list_sections(field.annotation):
            yield from list_keys(inner, (*above, name))


def exists_always(path: Path) -> bool:
    """Whether there is a key at `path` whatever the types of the sections above it."""
    models: list[type[BaseModel]] = [Config]
    for part in path:
        if any(part not in model.model_fields for model in models):
            return False
        models = [inner for model in models for inner in list_sections(model.model_fields[part].annotation)]
    return True
