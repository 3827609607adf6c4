"""Tables that `datasets` finds, downloads and keeps, their text as it stands in the file: "NA" and "00050" are sentences.

CSV, TSV and JSON are read by `table_files.py`, since `datasets` guesses types there and moves cells; what has types of its
own, such as parquet, by `datasets`.
"""

import contextlib
import glob
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from seq2attn.data.arrow_fields import check_text, list_fields, select_field
from seq2attn.data.cache import cache_folder
from seq2attn.data.files import find_file
from seq2attn.data.table_files import open_files, read_csv, read_json
from seq2attn.errors import DataError

_READERS = {"csv": read_csv, "json": read_json}
_FORMATS = {"csv": "CSV", "tsv": "TSV", "parquet": "parquet", "arrow": "Arrow"}
_FORMATS |= dict.fromkeys(("json", "jsonl", "ndjson"), "JSON")
_ROWS = 10_000  # of a table that is handed on
_SAVED, _SAVED_SPLITS = "state.json", "dataset_dict.json"  # what datasets' save_to_disk writes into its folders


def load_table(path: str, config: str | None, split: str, revision: str | None, fields: Sequence[str]) -> Any:
    """The `datasets.Dataset` of a split, prepared in a cache; every one of `fields` that it has is text or empty.

    `path` is a local folder or file if there is one, also a folder that `save_to_disk` wrote, else a dataset of the hub.
    `fields` may be nested, with dots. Raises DataError, among others for a field with numbers or dates: what they
    looked like in the file, `00050` or `5.00`, cannot be told any more.
    """
    name = " ".join(part for part in (path, config, split, revision and f"@{revision}") if part)
    fields = tuple(dict.fromkeys(fields))
    with _quiet():
        try:
            builder = _choose_builder(_locate(path, split, revision), config, split, fields, name)
            builder.download_and_prepare()
            return builder.as_dataset(split=split)
        except Exception as error:  # the library raises nearly every kind
            raise _explain(error, name) from error


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


def _choose_builder(arguments: dict[str, Any], config: str | None, split: str, fields: Sequence[str], name: str) -> Any:
    """The builder of a dataset, told to read text as text and to refuse what is none."""
    import datasets

    builder = datasets.load_dataset_builder(**arguments, name=config)
    if Path(arguments["path"]).is_dir() and "data_files" not in arguments and not _has_card(Path(arguments["path"])):
        _refuse_mixture(arguments["path"], _find_asked(split), name)
    if read := _READERS.get(builder.info.builder_name):
        every = builder.config.data_files
        files = {part: every[part] for part in every if part in _find_asked(split)} or every
        arguments["data_files"] = {part: [glob.escape(file) for file in files[part]] for part in files}
        text = datasets.Features({field: datasets.Value("large_string") for field in fields})
        builder = datasets.load_dataset_builder(**arguments, name=config, features=text)
        _replace_reader(builder, read, fields)
    elif cast := getattr(builder, "_cast_table", None):
        builder._cast_table = _refuse_other_types(builder, cast, name, fields)
    return builder


def _find_asked(split: str) -> set[str]:
    """The names in "train[:10]+validation"."""
    return {part.split("[")[0].strip() for part in split.split("+")}


def _has_card(folder: Path) -> bool:
    """Whether a dataset card says which files there are."""
    cards = [card for card in (folder / "README.md", folder / ".huggingface.yaml") if card.is_file()]
    return any("\nconfigs:" in f"\n{card.read_text(encoding='utf-8', errors='replace')}" for card in cards)


def _refuse_mixture(folder: str, asked: set[str], name: str) -> None:
    """Raise DataError for files of several formats in a split: `datasets` would leave all but one format out, silently."""
    from datasets.data_files import DataFilesDict, get_data_patterns

    patterns = {part: found for part, found in get_data_patterns(folder).items() if part in asked}
    files = DataFilesDict.from_patterns(patterns, base_path=folder, allowed_extensions=[f".{end}" for end in _FORMATS])
    named: dict[str, str] = {}
    for file in (Path(file) for group in files.values() for file in group):
        ending = next(end for end in file.name.split(".")[1:] if end in _FORMATS)
        named.setdefault(_FORMATS[ending], str(file.relative_to(folder)))
    if len(named) > 1:
        listed = " and ".join(f"{form} ({file})" for form, file in named.items())
        raise DataError(
            f"{name}: files of several formats: {listed}", "name one file as the path, or move the others away"
        )


def _replace_reader(builder: Any, read: Callable[..., Iterator[list[str]]], fields: Sequence[str]) -> None:
    """Let a builder of `datasets` make its tables, of `fields` alone, of the rows that `read` gives."""
    import datasets
    import pyarrow

    schema = pyarrow.schema([(field, pyarrow.large_string()) for field in fields])

    def list_splits(downloads: Any) -> list[Any]:
        files = builder.config.data_files
        paths = downloads.download(files)
        named = {part: list(zip(map(_shorten, files[part]), paths[part], strict=True)) for part in files}
        return [datasets.SplitGenerator(name=part, gen_kwargs={"files": named[part]}) for part in named]

    def make_tables(files: list[tuple[str, str]]) -> Iterator[tuple[tuple[int, int], Any]]:
        for shard, (place, path) in enumerate(files):
            with contextlib.closing(open_files(Path(path), place)) as opened:
                rows = (row for where, file in opened for row in read(file, where, fields, builder.config))
                number = 0
                while batch := list(islice(rows, _ROWS)):
                    columns = [list(column) for column in zip(*batch, strict=True)]
                    yield (shard, number), pyarrow.table(columns, schema=schema)
                    number += 1

    builder._split_generators = list_splits
    builder._generate_tables = make_tables


def _shorten(file: str) -> str:
    """The file as messages name it: below the working folder by its relative path."""
    here = Path.cwd()
    return str(Path(file).relative_to(here)) if Path(file).is_relative_to(here) else file


def _refuse_other_types(builder: Any, cast: Callable[..., Any], name: str, fields: Sequence[str]) -> Callable[..., Any]:
    """`cast`, which makes text of the numbers of a later file without a word, after a look at what there is.

    Later files may have more columns than the first, or fewer, as long as they have `fields`.
    """
    import pyarrow

    def check_and_cast(table: Any, *arguments: Any, **named: Any) -> Any:
        known = builder.info.features.arrow_schema if builder.info.features else table.schema
        for field in fields:
            column = select_field(table, field)
            if column is not None:
                check_text(column, field, name)
            elif select_field(known.empty_table(), field) is not None:
                hint = f"the fields are {', '.join(list_fields(table.schema))}"
                raise DataError(f"{name}: no field {field!r} in one of the files", hint)
        table = table.select([column for column in table.column_names if column in known.names])
        for missing in (field for field in known if field.name not in table.column_names):
            table = table.append_column(missing, pyarrow.nulls(len(table), missing.type))
        return cast(table, *arguments, **named)

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
    if "corresponds to no data" in everything:
        return DataError(f"{name} holds no rows", "check data's path and split")
    if "same data file format" in everything:
        return DataError(f"{name}: its splits are files of several formats", "name the file itself as the path")
    if "notfound" in everything or "doesn't exist" in everything:
        return DataError(f"{name}: {reason}", "check the path, the split and the config; private datasets need a token")
    named = "split" in everything or "config" in everything
    return DataError(f"{name}: {reason}", "check the path, the config and the split" if named else "check the files")


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
