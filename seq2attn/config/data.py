"""The config's data section: languages, where the pairs come from, and the tokenizer."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import (
    Discriminator,
    Field,
    Tag,
    ValidationError,
    WrapValidator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from seq2attn.config.section import Section, Variant

Language = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
DEFAULT_MAX_LENGTH = 250
LEAST_COVERAGE = 0.98  # SentencePiece's own bound
VocabularySize = Annotated[int, Field(ge=8, le=1_000_000)]
VocabularySizes = Annotated[tuple[VocabularySize, VocabularySize], Field(strict=False)]  # YAML has lists


def _describe_column(value: Any, handler: Callable[[Any], Any]) -> Any:
    try:
        return handler(value)
    except ValidationError as error:
        what = {"what": "a column's number from 0, or its name"}
        raise PydanticCustomError("expected", "must be {what}", what) from error


Column = Annotated[
    Annotated[int, Field(ge=0, strict=True)] | Annotated[str, Field(min_length=1)], WrapValidator(_describe_column)
]


class TextConfig(Section):
    """Text in two files, line by line, plain or .gz: a prefix for both, or the names of both."""

    type: Literal["text"] = "text"
    prefix: str | None = Field(
        default=None,
        min_length=1,
        description="data/train for data/train.en and data/train.de; null: source and target name the files",
        examples=["data/train"],
    )
    source: str | None = Field(
        default=None, min_length=1, description="The file translated from; null: by prefix", examples=["en/train.txt"]
    )
    target: str | None = Field(
        default=None, min_length=1, description="The file translated into; null: by prefix", examples=["de/train.txt"]
    )


class TsvConfig(Section):
    """Tab-separated text, one pair a line."""

    type: Literal["tsv"] = "tsv"
    path: str = Field(min_length=1, description="The file, plain or .gz", examples=["data/train.tsv"])
    source_column: Column = Field(default=0, description="Number from 0, or the name in the header line")
    target_column: Column = Field(default=1, description="Number from 0, or the name in the header line")


class JsonLinesConfig(Section):
    """One JSON object a line."""

    type: Literal["jsonl"] = "jsonl"
    path: str = Field(min_length=1, description="The file, plain or .gz", examples=["data/train.jsonl"])
    source_field: str = Field(default="", description="Field, dotted if nested (translation.en); empty: data.source")
    target_field: str = Field(default="", description="Field, dotted if nested (translation.de); empty: data.target")


class HuggingFaceConfig(Section):
    """A data set of the Hugging Face hub, or a local folder of parquet, JSON or CSV files."""

    type: Literal["huggingface"] = "huggingface"
    path: str = Field(
        min_length=1,
        description="Name on the hub (bentrevett/multi30k) or a local folder",
        examples=["bentrevett/multi30k"],
    )
    config: str | None = Field(default=None, description="Configuration of the data set, where it has several")
    split: str = Field(default="", description="Split to read; empty: train, validation or test, as the section's name")
    revision: str | None = Field(default=None, description="Commit, tag or branch on the hub; null: the newest")
    source_field: str = Field(default="", description="Column, dotted if nested (translation.en); empty: data.source")
    target_field: str = Field(default="", description="Column, dotted if nested (translation.de); empty: data.target")


Shares = Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(strict=False)]  # YAML has lists


class GrammarConfig(Section):
    """The embedded English-German corpus, built and cached on first use; the section's name is the split."""

    type: Literal["grammar"] = "grammar"
    pairs: int = Field(
        default=30000, ge=1, le=2_000_000, description="Training pairs; validation and test have their own"
    )
    max_words: int = Field(default=50, ge=10, le=80, description="Longest sentence, in words")
    seed: int = Field(default=1, ge=0, description="The same seed gives the same corpus")
    shares: Shares | None = Field(
        default=None,
        description="Training pairs for each length bucket (3-10, 11-20, … words), in proportion; null: half of them in "
        "the shortest, a tenth in the longest",
        examples=[[3, 2, 1]],
    )


SourceConfig = TextConfig | TsvConfig | JsonLinesConfig | HuggingFaceConfig | GrammarConfig
SourceSection = Annotated[SourceConfig, Field(discriminator="type"), Variant(default="text", string_key="prefix")]


class TokenizerConfig(Section):
    """How text becomes subwords; SentencePiece is trained on the training pairs."""

    type: Literal["unigram", "bpe"] = Field(default="unigram", description="How SentencePiece makes subwords")
    joint: bool = Field(default=True, description="One vocabulary for both languages")
    byte_fallback: bool = Field(default=True, description="Spell unknown characters in bytes: nothing is ever unknown")
    character_coverage: float = Field(
        default=1.0,
        ge=LEAST_COVERAGE,
        le=1,
        description=f"Share of the text's characters that become subwords, from {LEAST_COVERAGE}",
    )
    sampling: float | None = Field(
        default=None, gt=0, le=1, description="New segmentations each epoch: unigram's alpha, BPE's dropout; null: off"
    )


def _count_sizes(value: object) -> Literal["one", "two"]:
    return "two" if isinstance(value, list | tuple) else "one"


class DataConfig(Section):
    """Languages, sources of pairs, and vocabulary."""

    source: Language = Field(
        description="Language code translated from: a file's suffix, a field's name", examples=["en"]
    )
    target: Language = Field(description="Language code translated into", examples=["de"])
    train: SourceSection = Field(
        description="Training pairs; a bare string is the prefix of line-aligned text", examples=["data/train"]
    )
    validation: SourceSection = Field(description="Pairs that choose the best checkpoint", examples=["data/validation"])
    test: SourceSection | None = Field(
        default=None, description="Pairs that `compare` and `evaluate` score; null: none"
    )
    keep_equal: bool = Field(
        default=False,
        description="Train also on pairs with equal sides, as correction data has them; else they are dropped and counted",
    )
    vocab_size: Annotated[
        Annotated[VocabularySize, Tag("one")] | Annotated[VocabularySizes, Tag("two")],
        Discriminator(_count_sizes),
    ] = Field(
        default=8000, description="Subwords of the vocabulary; of each one, or [source, target], if there are two"
    )
    tokenizer: Annotated[TokenizerConfig, Variant(default="unigram")] = Field(
        default=TokenizerConfig(), description="How text becomes subwords"
    )
    normalization: Literal["auto", "none", "nfc", "nfkc"] = Field(
        default="auto",
        description="Unicode normalization form of all text that the model reads or learns to write, references aside; "
        "auto: nfc if the training sources are in it, else none; resolved once and saved in the run",
    )
    max_length: int = Field(
        default=DEFAULT_MAX_LENGTH,
        ge=2,
        description="Most subwords of a sentence, its end included; longer training pairs are dropped and counted. "
        "Not set: batch_tokens, where that is less",
    )

    @model_validator(mode="before")
    @classmethod
    def fill_in_role_and_languages(cls, value: Any) -> Any:
        """Splits and fields that were left empty: the section's name, and the two language codes."""
        if not isinstance(value, dict):
            return value
        return value | {
            role: _fill_in(value[role], role, value)
            for role in ("train", "validation", "test")
            if isinstance(value.get(role), dict)
        }

    @property
    def form(self) -> Literal["none", "nfc", "nfkc"]:
        """The normalization of a run or a model, where it is resolved."""
        if self.normalization == "auto":
            raise ValueError("data.normalization is not resolved")
        return self.normalization

    @property
    def vocab_sizes(self) -> tuple[int, int]:
        """Those of source and target."""
        return self.vocab_size if isinstance(self.vocab_size, tuple) else (self.vocab_size, self.vocab_size)


def _fill_in(section: dict[str, Any], role: str, data: dict[str, Any]) -> dict[str, Any]:
    filled: dict[str, Any] = {}
    if section.get("type") in ("huggingface", "jsonl"):
        filled = {"source_field": data.get("source"), "target_field": data.get("target")}
    if section.get("type") == "huggingface":
        filled["split"] = role
    return section | {key: value for key, value in filled.items() if section.get(key, "") == "" and value is not None}
