"""From the config's data section to sources of pairs."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal, TypeVar, assert_never

from seq2attn.config.config import Config
from seq2attn.config.data import (
    DataConfig,
    GrammarConfig,
    HuggingFaceConfig,
    JsonLinesConfig,
    SourceConfig,
    TextConfig,
    TsvConfig,
)
from seq2attn.config.load import replace_value
from seq2attn.data.sources import JsonLines, Source, TextFiles, Tsv, TwoFiles
from seq2attn.data.sources_grammar import GrammarSplit
from seq2attn.data.sources_huggingface import HuggingFace
from seq2attn.errors import DataError, SourceError, UsageError

T = TypeVar("T")
TrainingRole = Literal["train", "validation"]
Role = Literal["train", "validation", "test"]
TRAINING_ROLES: tuple[TrainingRole, ...] = ("train", "validation")  # what a run reads

_PATHS = ("prefix", "path", "source", "target")  # the keys of a section that name places
_FORMS = "tsv:FILE, jsonl:FILE, huggingface:PATH (CSV and parquet too), or a section as in a config, {type: …}"
_MEANT = {  # what a word before the colon, or the end of a file's name, stands for
    "text": "",
    "tsv": "tsv:",
    "jsonl": "jsonl:",
    **dict.fromkeys(("csv", "json", "parquet"), "huggingface:"),
}


def build_source(config: Config, role: TrainingRole) -> Source:
    """Where the training or validation pairs of a config come from."""
    return _build(config.data.train if role == "train" else config.data.validation, role, config.data)


def build_test_source(config: Config) -> Source | None:
    """Where the test pairs of a config come from; None if it names no test set."""
    return None if config.data.test is None else _build(config.data.test, "test", config.data)


@contextmanager
def name_key(role: Role) -> Iterator[None]:
    """Raise what is wrong with the source of a role as SourceError, which names the config's key."""
    try:
        yield
    except DataError as error:
        raise SourceError(f"data.{role}", error) from error


def find_source(config: Config, role: Role, model: Path) -> Source | None:
    """Where the pairs of a role come from by the config of the run or model at `model`; None if it names none.

    A relative path means something where the run was trained: it is tried from here, then from the folders above `model`.
    Raises UsageError if it leads nowhere.
    """
    section: SourceConfig | None = getattr(config.data, role)
    if section is None:
        return None
    source = _build(section, role, config.data)
    try:
        source.fingerprint()
    except DataError as error:
        for folder in model.resolve().parents:
            moved = _build(_move(section, folder), role, config.data)
            with suppress(DataError):
                moved.fingerprint()
                return moved
        raise UsageError(
            f"{model}: data.{role} of its config: {error.message}",
            "name a test set with --test, or run this in the folder where the run was trained",
        ) from error
    return source


def _move(section: SourceConfig, folder: Path) -> SourceConfig:
    """The section with its paths taken from `folder`; absolute ones stay."""
    paths = {key: getattr(section, key, None) for key in _PATHS}
    return section.model_copy(update={key: str(folder / path) for key, path in paths.items() if isinstance(path, str)})


def build_named_source(config: Config, text: str) -> Source:
    """Where the pairs of a test set come from that `text` names, as the option --test takes it.

    PREFIX for line-aligned files; `tsv:FILE`, `jsonl:FILE` or `huggingface:PATH[:SPLIT]` (the split "test" if none is
    given); or a section as in a config, `{type: tsv, path: FILE}`. Columns and fields that `text` does not name are those
    of the config's own test, validation or training source of that type, so that like files are read alike.
    Raises ConfigError for a section that is none, UsageError for a file where a prefix is expected and for an unknown form.
    """
    source, target = config.data.source, config.data.target
    if not text.strip():
        raise UsageError("--test: names no test set", f"write a prefix, such as corpus/test, {_FORMS}")
    if text.startswith("{"):
        replaced = replace_value(config, ("data", "test"), text, f"--test {text}")
        assert replaced.data.test is not None  # it is a mapping
        return _build(replaced.data.test, "test", replaced.data)
    kind, colon, place = text.partition(":")
    if colon and kind in ("tsv", "jsonl", "huggingface"):
        if not place:
            raise UsageError(f"--test {text}: names no file", f"write it after the colon: --test {kind}:FILE")
        return _build(_make_section(config.data, kind, place), "test", config.data)
    if Path(f"{text}.{source}").exists() or Path(f"{text}.{source}.gz").exists():
        return TextFiles(text, source, target)
    if Path(text).is_file():
        raise UsageError(f"--test {text}: a file, but a prefix names two files", _suggest_form(text, source, target))
    if colon and re.fullmatch(r"[A-Za-z_-]{2,}", kind):
        hint = f"write --test {_MEANT[kind]}{place}" if place and kind in _MEANT else f"write a prefix, {_FORMS}"
        raise UsageError(f"--test {text}: {kind}: is no known form", hint)
    return TextFiles(text, source, target)


def _suggest_form(file: str, source: str, target: str) -> str:
    """How to name a test set of which `file` is a part."""
    end = ".gz" if file.endswith(".gz") else ""
    prefix = file.removesuffix(end).removesuffix(f".{source}").removesuffix(f".{target}")
    if all(Path(f"{prefix}.{language}{end}").is_file() for language in (source, target)):
        return f"did you mean the prefix {prefix}?"
    form = _MEANT.get(Path(file.removesuffix(end)).suffix.removeprefix("."))
    return (
        f"write --test {form}{file}"
        if form
        else f"for a table write --test tsv:{file}, jsonl:{file} or huggingface:{file}"
    )


def choose_test_source(config: Config, text: str | None, model: Path) -> Source | None:
    """The test set that `text` names (see `build_named_source`), else that of the config of `model` (see `find_source`)."""
    return find_source(config, "test", model) if text is None else build_named_source(config, text)


def _make_section(data: DataConfig, kind: str, place: str) -> SourceConfig:
    """A section of that type, with the columns or fields of the data's own section of that type, if it has one."""
    match kind:
        case "tsv":
            table = _find_section(data, TsvConfig) or TsvConfig(path=place)
            return table.model_copy(update={"path": place})
        case "jsonl":
            lines = _find_section(data, JsonLinesConfig)
            lines = lines or JsonLinesConfig(path=place, source_field=data.source, target_field=data.target)
            return lines.model_copy(update={"path": place})
    path, _, split = place.partition(":")
    hub = _find_section(data, HuggingFaceConfig)
    hub = hub or HuggingFaceConfig(path=path, source_field=data.source, target_field=data.target)
    of_another = {} if hub.path == path else {"config": None, "revision": None}
    return hub.model_copy(update={"path": path, "split": split or "test", **of_another})


def _find_section(data: DataConfig, kind: type[T]) -> T | None:
    sections = (data.test, data.validation, data.train)
    return next((section for section in sections if isinstance(section, kind)), None)


def _build(section: SourceConfig, role: Role, data: DataConfig) -> Source:
    match section:
        case TextConfig(prefix=str(prefix)):
            return TextFiles(prefix, data.source, data.target)
        case TextConfig(source=str(source), target=str(target)):
            return TwoFiles(source, target, data.source, data.target)
        case TextConfig():
            raise ValueError("text without files")  # config/rules.py refuses it
        case TsvConfig():
            return Tsv(section.path, section.source_column, section.target_column)
        case JsonLinesConfig():
            return JsonLines(section.path, section.source_field, section.target_field)
        case HuggingFaceConfig():
            return HuggingFace(
                section.path,
                section.config,
                section.split,
                section.revision,
                section.source_field,
                section.target_field,
            )
        case GrammarConfig():
            return GrammarSplit(role, section.pairs, section.max_words, section.seed, section.shares)
        case _:
            assert_never(section)
