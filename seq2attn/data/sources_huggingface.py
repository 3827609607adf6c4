"""Hugging Face `datasets` as a source: a dataset of the hub, or local parquet, JSON, JSON lines or CSV."""

import contextlib
import glob
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seq2attn.data.cache import cache_folder
from seq2attn.data.files import as_sentence, existing
from seq2attn.data.sources import Pair, content_hash
from seq2attn.errors import DataError

_ROWS = 1_000  # read at a time
_TABLES = (".csv", ".tsv")
_TEXT = {"keep_default_na": False}  # of CSV: "None" and "NA" are sentences, not gaps


@dataclass(frozen=True)
class HuggingFace:
    """A split of a dataset; `source` and `target` name columns, or nested fields with dots ("translation.en").

    `path` is a local folder or file if there is one of that name, else a dataset of the hub ("owner/name", at
    `revision`). Local data is read without the network. `split` may be a slice ("train[:1000]").
    """

    path: str
    config: str | None
    split: str
    revision: str | None
    source: str
    target: str

    @property
    def name(self) -> str:
        parts = [self.path, self.config, self.split, self.revision and f"@{self.revision}"]
        return " ".join(part for part in parts if part)

    def pairs(self) -> Iterator[Pair]:
        table = self._dataset().with_format("arrow")
        if not len(table):
            raise DataError(f"{self.name} holds no rows", "check data's path and split")
        fields = (self.source, self.target)
        whole = table[:1].to_pylist()[0]
        for field in fields:
            as_sentence(whole, field, self.where(1))  # if a field is missing, the error names all that there are
        wanted = [
            column
            for column in table.column_names
            if any(field == column or field.startswith(f"{column}.") for field in fields)
        ]
        line = 0
        for rows in table.select_columns(wanted).iter(batch_size=_ROWS):
            for row in rows.to_pylist():
                line += 1
                place = self.where(line)
                yield Pair(as_sentence(row, self.source, place), as_sentence(row, self.target, place), line)

    def fingerprint(self) -> str:
        return content_hash(self.pairs())

    def where(self, line: int) -> str:
        return f"{self.name}, row {line}"

    def _dataset(self) -> Any:
        from datasets import load_dataset

        local = Path(self.path).expanduser()
        with _quiet():
            try:
                if local.exists():
                    return load_dataset(**_local(local.resolve(), self.split), name=self.config, split=self.split)
                if local.is_absolute() or self.path.startswith((".", "~")) or self.path.count("/") > 1:
                    existing(self.path)
                return load_dataset(self.path, name=self.config, split=self.split, revision=self.revision)
            except DataError:
                raise
            except Exception as error:  # the library raises nearly every kind
                raise _explained(error, self.name) from error


def _local(path: Path, split: str) -> dict[str, Any]:
    """load_dataset's arguments for a local folder or file; a file is the split asked for."""
    cache = {"cache_dir": str(cache_folder() / "huggingface")}
    if path.is_file():
        table = _TEXT if path.suffix in _TABLES else {}
        files = {split.split("[")[0]: glob.escape(str(path))}
        return {"path": str(path.parent), "data_files": files, **table, **cache}
    tables = any(file.suffix in _TABLES for file in path.rglob("*"))
    return {"path": str(path), **(_TEXT if tables else {}), **cache}


def _explained(error: Exception, name: str) -> DataError:
    """What `datasets` says, with what to do about it."""
    root: BaseException = error
    while (cause := root.__cause__) is not None:
        root = cause
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
