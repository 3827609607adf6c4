"""The fields of pyarrow tables, also nested ones."""

from typing import Any

from seq2attn.errors import DataError


def select_field(table: Any, field: str) -> Any:
    """The column `field` of a pyarrow table, or the nested one ("translation.en"); None if there is none."""
    import pyarrow
    import pyarrow.compute

    first, *path = [field] if field in table.column_names else field.split(".")
    if first not in table.column_names:
        return None
    column = table[first]
    for key in path:
        if not pyarrow.types.is_struct(column.type) or column.type.get_field_index(key) < 0:
            return None
        column = pyarrow.compute.struct_field(column, key)
    return column


def check_text(column: Any, field: str, place: str) -> None:
    """Raise DataError unless a pyarrow column holds text, or nothing at all."""
    import pyarrow

    kind = column.type.value_type if pyarrow.types.is_dictionary(column.type) else column.type
    text = (pyarrow.types.is_string, pyarrow.types.is_large_string, pyarrow.types.is_string_view, pyarrow.types.is_null)
    if not any(is_kind(kind) for is_kind in text):
        raise DataError(
            f"{place}: field {field!r} is of type {kind}, not text", "write the column as text, or name another field"
        )


def list_fields(schema: Any, prefix: str = "") -> list[str]:
    """The dotted names of all fields of a pyarrow schema or struct."""
    import pyarrow

    names: list[str] = []
    for field in schema:
        nested = pyarrow.types.is_struct(field.type)
        names += list_fields(field.type, f"{prefix}{field.name}.") if nested else [prefix + field.name]
    return names
