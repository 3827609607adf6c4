"""From the config's data section to sources of pairs."""

from typing import Literal, assert_never

from seq2attn.config import config as c
from seq2attn.config import data as cd
from seq2attn.data.sources import JsonLines, Source, TextFiles, Tsv
from seq2attn.data.sources_grammar import GrammarSplit
from seq2attn.data.sources_huggingface import HuggingFace

Role = Literal["train", "validation", "test"]


def build_source(section: cd.SourceConfig, role: Role, data: cd.DataConfig) -> Source:
    """Where the pairs of `role` (train, validation, test) come from."""
    match section:
        case cd.TextConfig():
            return TextFiles(section.prefix, data.source, data.target)
        case cd.TsvConfig():
            return Tsv(section.path, section.source_column, section.target_column)
        case cd.JsonLinesConfig():
            return JsonLines(section.path, section.source_field, section.target_field)
        case cd.HuggingFaceConfig():
            return HuggingFace(
                section.path,
                section.config,
                section.split,
                section.revision,
                section.source_field,
                section.target_field,
            )
        case cd.GrammarConfig():
            return GrammarSplit(role, section.pairs, section.max_words, section.seed, section.shares)
        case _:
            assert_never(section)


def build_test_source(config: c.Config) -> Source | None:
    """The config's test set, if it names one."""
    return None if config.data.test is None else build_source(config.data.test, "test", config.data)
