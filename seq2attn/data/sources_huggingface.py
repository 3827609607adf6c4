"""Hugging Face `datasets` as a source: a dataset of the hub, or local parquet, JSON, JSON lines, CSV or TSV."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from seq2attn.data.arrow_fields import check_text, list_fields, select_field
from seq2attn.data.files import join_lines, suggest_fields
from seq2attn.data.sources import Pair, hash_pairs
from seq2attn.data.text_tables import load_table
from seq2attn.errors import DataError

_ROWS = 10_000  # read at a time


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
        line = 0
        for columns in self._columns():
            for source, target in zip(*(column.to_pylist() for column in columns), strict=True):
                line += 1
                yield Pair(join_lines(source), join_lines(target), line)

    def fingerprint(self) -> str:
        """SHA-256 of the text of both columns, hashed column by column as Arrow holds it, whatever its chunks."""
        from pyarrow.compute import binary_length

        digests = [hashlib.sha256() for _ in range(4)]
        for columns in self._columns():
            for column, lengths, text in zip(columns, digests[::2], digests[1::2], strict=True):
                lengths.update(binary_length(column).to_numpy().astype("<i8").tobytes())
                text.update(_text_bytes(column))
        return hashlib.sha256(b"huggingface 1" + b"".join(digest.digest() for digest in digests)).hexdigest()

    def fingerprint_of_0_1_0(self) -> str:
        """The fingerprint that version 0.1.0 gave the same pairs, made row by row: its runs are known by it."""
        return hash_pairs(self.pairs())

    def locate(self, line: int) -> str:
        return f"{self.name}, row {line}"

    def _columns(self) -> Iterator[tuple[Any, Any]]:
        """Source and target as pyarrow arrays of some thousand texts, nulls made empty."""
        fields = (self.source, self.target)
        table = load_table(self.path, self.config, self.split, self.revision, fields).with_format("arrow")
        if not len(table):
            raise DataError(f"{self.name} holds no rows", "check data's path and split")
        for rows in table.iter(batch_size=_ROWS):
            yield self._texts(rows, self.source), self._texts(rows, self.target)

    def _texts(self, rows: Any, field: str) -> Any:
        import pyarrow

        column = select_field(rows, field)
        if column is None:
            hint = suggest_fields("huggingface", list_fields(rows.schema))
            raise DataError(f"{self.locate(1)}: no field {field!r}", hint)
        check_text(column, field, self.name)
        texts = column.cast(pyarrow.large_string()).fill_null("")
        return texts.combine_chunks() if isinstance(texts, pyarrow.ChunkedArray) else texts


def _text_bytes(column: Any) -> memoryview:
    """The UTF-8 of a pyarrow large_string array without nulls, end to end."""
    import numpy as np

    _, offsets, text = column.buffers()
    ends = np.frombuffer(offsets, dtype="<i8")[column.offset : column.offset + len(column) + 1]
    return memoryview(text or b"")[int(ends[0]) : int(ends[-1])]
