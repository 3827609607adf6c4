"""From the config's data section to sources of pairs."""

from typing import Literal, assert_never

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
from seq2attn.data.sources import JsonLines, Source, TextFiles, Tsv, TwoFiles
from seq2attn.data.sources_grammar import GrammarSplit
from seq2attn.data.sources_huggingface import HuggingFace

TrainingRole = Literal["train", "validation"]
Role = Literal["train", "validation", "test"]
TRAINING_ROLES: tuple[TrainingRole, ...] = ("train", "validation")  # what a run reads


def build_source(config: Config, role: TrainingRole) -> Source:
    """Where the training or validation pairs of a config come from."""
    return _build(config.data.train if role == "train" else config.data.validation, role, config.data)


def build_test_source(config: Config) -> Source | None:
    """Where the test pairs of a config come from; None if it names no test set."""
    return None if config.data.test is None else _build(config.data.test, "test", config.data)


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
