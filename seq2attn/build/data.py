"""From the config's data section to sources of pairs."""

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
from seq2attn.errors import UsageError

T = TypeVar("T")
TrainingRole = Literal["train", "validation"]
Role = Literal["train", "validation", "test"]
TRAINING_ROLES: tuple[TrainingRole, ...] = ("train", "validation")  # what a run reads


def build_source(config: Config, role: TrainingRole) -> Source:
    """Where the training or validation pairs of a config come from."""
    return _build(config.data.train if role == "train" else config.data.validation, role, config.data)


def build_test_source(config: Config) -> Source | None:
    """Where the test pairs of a config come from; None if it names no test set."""
    return None if config.data.test is None else _build(config.data.test, "test", config.data)


def build_named_source(config: Config, text: str) -> Source:
    """Where the pairs of a test set come from that `text` names, as the option --test takes it.

    PREFIX for line-aligned files; `tsv:FILE`, `jsonl:FILE` or `huggingface:PATH[:SPLIT]` (the split "test" if none is
    given); or a section as in a config, `{type: tsv, path: FILE}`. Columns and fields that `text` does not name are those
    of the config's own test, validation or training source of that type, so that like files are read alike.
    Raises ConfigError for a section that is none, UsageError for a file where a prefix is expected.
    """
    if text.startswith("{"):
        replaced = replace_value(config, ("data", "test"), text, f"--test {text}")
        assert replaced.data.test is not None  # it is a mapping
        return _build(replaced.data.test, "test", replaced.data)
    kind, colon, place = text.partition(":")
    if colon and kind in ("tsv", "jsonl", "huggingface"):
        if not place:
            raise UsageError(f"--test {text}: names no file", f"write it after the colon: --test {kind}:FILE")
        return _build(_make_section(config.data, kind, place), "test", config.data)
    if Path(text).is_file() and not Path(f"{text}.{config.data.source}").exists():
        forms = f"tsv:{text}, jsonl:{text} or huggingface:{text}"
        raise UsageError(f"--test {text}: a file, but a prefix names two files", f"for a table write {forms}")
    return TextFiles(text, config.data.source, config.data.target)


def choose_test_source(config: Config, text: str | None) -> Source | None:
    """The test set that `text` names (see `build_named_source`), else the config's own; None if there is neither."""
    return build_test_source(config) if text is None else build_named_source(config, text)


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
            return TwoFiles(source, target)
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
