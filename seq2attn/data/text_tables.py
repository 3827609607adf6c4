"""Tables read by `datasets`, their text as it stands in the file: "None", "NA" and "00050" are sentences."""

import contextlib
import glob
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from seq2attn.data.cache import cache_folder
from seq2attn.data.files import find_file
from seq2attn.errors import DataError

_CSV: dict[str, Any] = {"keep_default_na": False, "na_filter": False}
_QUOTING_NONE = 3  # csv.QUOTE_NONE
_SAVED, _SAVED_SPLITS = "state.json", "dataset_dict.json"  # what datasets' save_to_disk writes into its folders


def load_table(path: str, config: str | None, split: str, revision: str | None, fields: Sequence[str]) -> Any:
    """The `datasets.Dataset` of a split, prepared in a cache; every one of `fields` that it has is text or empty.

    `path` is a local folder or file if there is one, also a folder that `save_to_disk` wrote, else a dataset of the hub.
    `fields` may be nested, with dots. Raises DataError, among others for a field with numbers or dates: what they
    looked like in the file, `00050` or `5.00`, cannot be told any more.
    """
    name = " ".join(part for part in (path, config, split, revision and f"@{revision}") if part)
    with _quiet():
        try:
            builder = _choose_builder(_locate(path, split, revision), config, fields)
            if cast := getattr(builder, "_cast_table", None):
                builder._cast_table = _refuse_other_types(cast, name, fields)
            builder.download_and_prepare()
            return builder.as_dataset(split=split)
        except Exception as error:  # the library raises nearly every kind
            raise _explain(error, name) from error


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
            f"{place}: field {field!r} is of type {kind}, not text",
            "write the column as text, in JSON within quotes (JSON lines with dates: {type: jsonl} reads them as text)",
        )


def list_fields(schema: Any, prefix: str = "") -> list[str]:
    """The dotted names of all fields of a pyarrow schema or struct."""
    import pyarrow

    names: list[str] = []
    for field in schema:
        nested = pyarrow.types.is_struct(field.type)
        names += list_fields(field.type, f"{prefix}{field.name}.") if nested else [prefix + field.name]
    return names


def _locate(path: str, split: str, revision: str | None) -> dict[str, Any]:
    """The arguments for `load_dataset_builder`; a file, and a folder saved with one split, is the split asked for."""
    local = Path(path).expanduser()
    if not local.exists():
        if local.is_absolute() or path.startswith((".", "~")) or path.count("/") > 1:
            find_file(path)  # raises
        return {"path": path, "revision": revision}
    local = local.resolve()
    cache = {"cache_dir": str(cache_folder() / "tables")}
    asked = split.split("[")[0]
    if local.is_file():
        return {"path": str(local.parent), "data_files": {asked: glob.escape(str(local))}, **cache}
    if (local / _SAVED).is_file():
        return {"path": "arrow", "data_files": {asked: _saved_files(local)}, **cache}
    if (local / _SAVED_SPLITS).is_file():
        splits = json.loads((local / _SAVED_SPLITS).read_text(encoding="utf-8"))["splits"]
        return {"path": "arrow", "data_files": {name: _saved_files(local / name) for name in splits}, **cache}
    return {"path": str(local), **cache}


def _saved_files(folder: Path) -> list[str]:
    state = json.loads((folder / _SAVED).read_text(encoding="utf-8"))
    return [glob.escape(str(folder / file["filename"])) for file in state["_data_files"]]


def _choose_builder(arguments: dict[str, Any], config: str | None, fields: Sequence[str]) -> Any:
    """The builder for these files, told to guess no types."""
    import datasets

    builder = datasets.load_dataset_builder(**arguments, name=config)
    kind = builder.info.builder_name
    if kind == "csv":
        text = datasets.Features({field: datasets.Value("string") for field in fields})
        quoting = {"quoting": _QUOTING_NONE} if getattr(builder.config, "sep", ",") == "\t" else {}
        return datasets.load_dataset_builder(**arguments, name=config, features=text, **_CSV, **quoting)
    if kind == "json" and hasattr(builder.config, "on_mixed_types"):  # else text beside numbers comes as JSON, quoted
        return datasets.load_dataset_builder(**arguments, name=config, on_mixed_types=None)
    return builder


def _refuse_other_types(cast: Callable[..., Any], name: str, fields: Sequence[str]) -> Callable[..., Any]:
    """`cast`, which makes text of the numbers of a later file without a word, after a look at what there is."""

    def check_and_cast(table: Any, *arguments: Any, **named: Any) -> Any:
        for field in fields:
            if (column := select_field(table, field)) is not None:
                check_text(column, field, name)
        try:
            return cast(table, *arguments, **named)
        except KeyError:
            missing = [field for field in fields if field not in table.column_names]
            if not missing:
                raise
            hint = f"the fields are {', '.join(list_fields(table.schema))}"
            raise DataError(f"{name}: no field {missing[0]!r}", hint) from None

    return check_and_cast


def _explain(error: BaseException, name: str) -> DataError:
    """What `datasets` says, with what to do about it."""
    root = error
    while not isinstance(root, DataError) and (cause := root.__cause__) is not None:
        root = cause
    if isinstance(root, DataError):
        return root
    reason = str(root).split("\n")[0] or type(root).__name__
    everything = f"{type(error).__name__} {error} {type(root).__name__} {root}".lower()
    if "scripts are no longer supported" in everything or "trust_remote_code" in everything:
        return DataError(
            f"{name}: this dataset needs a loading script, which `datasets` refuses to run",
            "use a copy of it in parquet, JSON lines or CSV, or the branch revision: refs/convert/parquet of the hub",
        )
    if any(word in everything for word in ("couldn't reach", "offline", "connect", "timeout", "resolve")):
        return DataError(
            f"{name}: there is no such local folder or file, and the Hugging Face hub cannot be reached: {reason}",
            "connect to the network, or download the dataset and give its folder as the path",
        )
    if "notfound" in everything or "doesn't exist" in everything:
        return DataError(f"{name}: {reason}", "check the path, the split and the config; private datasets need a token")
    if "changed from" in everything and "json" in everything:
        return DataError(f"{name}: a field is text in some rows and not in others: {reason}", "write all of it as text")
    return DataError(f"{name}: {reason}", "check the path, the config and the split")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Neither progress bars nor warnings of `datasets` and the hub's client, for a while."""
    import datasets
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    loggers = [logging.getLogger("datasets"), logging.getLogger("huggingface_hub")]
    levels = [logger.level for logger in loggers]
    shown = datasets.is_progress_bar_enabled(), not are_progress_bars_disabled()
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    datasets.disable_progress_bars()
    disable_progress_bars()
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        if shown[0]:
            datasets.enable_progress_bars()
        if shown[1]:
            enable_progress_bars()
