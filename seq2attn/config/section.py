"""What all sections of the config share: frozen, strict, no unknown keys; a bare string is a section with all its defaults."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

Count = Annotated[int, Field(ge=1, le=1_000_000_000)]
Reach = Annotated[int, Field(ge=1, le=10_000)]  # in positions: memory of that size is taken
Depth = Annotated[int, Field(ge=1, le=1_000)]
Positive = Annotated[float, Field(gt=0)]
Probability = Annotated[float, Field(ge=0, lt=1)]


class Section(BaseModel):
    """A mapping of the config."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Variant:
    """Marks a key whose sections have a `type`: a bare string stands for the section of that type with all its defaults.

    `default` is the type of a mapping that names none; `other_names` are accepted in place of the types they stand for;
    `string_key` is set where a bare string is the value of that key of the default variant.
    """

    def __init__(self, default: str = "", other_names: dict[str, str] | None = None, string_key: str = "type") -> None:
        self.default = default
        self.other_names = other_names or {}
        self.string_key = string_key

    def expand_string(self, value: str) -> dict[str, Any]:
        """The mapping that the bare string `value` stands for."""
        return {"type": self.default} | {self.string_key: value}

    def expand(self, value: Any) -> Any:
        """The mapping, with a `type`, that `value` stands for; what is neither text nor a mapping stays as it is."""
        if isinstance(value, str):
            value = self.expand_string(value)
        if not isinstance(value, dict):
            return value
        name = self.default if value.get("type") is None else value["type"]
        return value | {"type": self.other_names.get(name, name) if isinstance(name, str) else name}

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self.expand, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        section = handler(schema)
        variants = section.get("oneOf", [section])  # any of them: a mapping may leave out the default type
        if self.string_key != "type":
            return {"anyOf": [{"type": "string"}, *variants]}
        names = [name for variant in variants for name in _names(handler.resolve_ref_schema(variant))]
        return {"anyOf": [{"enum": [*names, *self.other_names]}, *variants]}


def _names(schema: JsonSchemaValue) -> list[str]:
    names = schema["properties"]["type"]
    return list(names["enum"]) if "enum" in names else [names["const"]]
