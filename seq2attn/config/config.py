"""The config of one system: data, model, training and evaluation, frozen and checked."""

import json
from collections.abc import Iterator
from typing import Any, Literal

import yaml
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from seq2attn.config.attention import GumbelConfig, ReinforceConfig
from seq2attn.config.data import DEFAULT_MAX_LENGTH, DataConfig
from seq2attn.config.model import ModelConfig
from seq2attn.config.rules import find_problems
from seq2attn.config.section import Section
from seq2attn.config.training import TrainingConfig
from seq2attn.config.yaml_lines import FLOAT

BleuTokenizer = Literal[
    "auto",
    "none",
    "13a",
    "intl",
    "char",
    "moses",
    "zh",
    "ja-mecab",
    "ko-mecab",
    "spm",
    "flores101",
    "flores200",
    "spBLEU-1K",
]


class EvaluationConfig(Section):
    """How translations are made and scored."""

    lowercase: bool = Field(default=False, description="Score without regard to case")
    tokenize: BleuTokenizer = Field(default="auto", description="BLEU's tokenizer; auto follows the target language")
    beam: int = Field(default=5, ge=1, le=1_000, description="Hypotheses that beam search keeps; 1: greedy search")
    length_penalty: float = Field(
        default=1.0, ge=0, le=100, description="Exponent of the length that scores are divided by"
    )
    max_output: int | None = Field(
        default=None,
        ge=1,
        le=1_000_000,
        description="Most subwords of a translation; null: learned from the lengths of the training pairs",
    )
    precision: Literal["auto", "fp32", "bf16"] = Field(
        default="auto", description="Of the products when translating; auto: bf16 where the hardware has it, else fp32"
    )


class Config(Section):
    """Everything that decides what a run computes."""

    seed: int = Field(default=1, ge=0, lt=2**32, description="The same seed, config and machine give the same run")
    data: DataConfig = Field(description="Languages, sources of pairs, and vocabulary")
    model: ModelConfig = Field(description="What is compared: encoder, decoder and attention")
    training: TrainingConfig = Field(description="How long to train, in what batches, by which optimizer")
    evaluation: EvaluationConfig = Field(default=EvaluationConfig(), description="How translations are made and scored")

    @model_validator(mode="before")
    @classmethod
    def fit_default_length_in_batch(cls, value: Any) -> Any:
        """Set max_length to batch_tokens where it is not set and batch_tokens is less than its default."""
        match value:
            case {"data": {"max_length": _}}:
                return value
            case {"data": dict(data), "training": {"batch_tokens": int(tokens)}} if 1 < tokens < DEFAULT_MAX_LENGTH:
                return value | {"data": data | {"max_length": tokens}}
        return value

    @model_validator(mode="after")
    def check_combinations(self) -> "Config":
        """Refuse values that do not go together; the error carries all problems as `problems`."""
        problems = list(find_problems(self.data, self.model, self.training))
        if problems:
            summary = "; ".join(f"{key} = {value} {reason}: {hint}" for key, value, reason, hint in problems)
            raise PydanticCustomError("combination", "{summary}", {"summary": summary, "problems": problems})
        return self

    def resolve_normalization(self, form: str) -> "Config":
        """The config with `form` in place of `data.normalization: auto`."""
        if self.data.normalization != "auto":
            return self
        return self.model_copy(update={"data": self.data.model_copy(update={"normalization": form})})

    @property
    def longest_source(self) -> int | None:
        """The most subwords, end of sentence included, that the model can read; None: any number."""
        learned = [self.data.max_length] if getattr(self.model.encoder, "positions", None) == "learned" else []
        scores = [attention.score.longest_source for _, attention in self.model.attentions()]
        return min((bound for bound in (*learned, *scores) if bound is not None), default=None)

    @property
    def longest_tested(self) -> int:
        """The most subwords of a validation or test line that is taken whole: its time grows with the square of its length."""
        return max(self.training.batch_tokens, 10 * self.data.max_length)

    @property
    def end_matters(self) -> bool:
        """Whether a longer training would have computed something else up to the end of this one.

        It would where the cosine's rates or an annealed aggregation depend on max_updates, and where a plateau or early
        stopping watches validations and the last one is there only because training ends.
        """
        training = self.training
        annealed = any(
            isinstance(attention.aggregation, ReinforceConfig | GumbelConfig)
            for _, attention in self.model.attentions()
        )
        watched = training.schedule.type == "plateau" or training.early_stopping is not None
        odd = watched and training.max_updates % training.validate_every != 0
        return training.schedule.type == "cosine" or annealed or odd


class _Dumper(yaml.SafeDumper):
    """Quotes what YAML 1.1 and 1.2 read differently."""


_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", FLOAT, list("-+.0123456789"))


def to_yaml(config: Config) -> str:
    """The config as YAML, with all keys and their values; reading it back gives an equal config."""
    values = config.model_dump(mode="json")
    return yaml.dump(values, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=None, width=120)


def schema_json() -> str:
    """The JSON schema of config files, for editors; a file that extends another may leave out required keys."""
    schema = Config.model_json_schema()
    for section in (schema, *(schema["$defs"][name] for name in ("DataConfig", "ModelConfig", "TrainingConfig"))):
        section["description"] += " Required, here or in a file that is extended: " + ", ".join(section.pop("required"))
    schema["properties"]["extends"] = {
        "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
        "description": "Config files, relative to this one, that this one is laid over",
    }
    schema["patternProperties"] = {"^x-": {"description": "Not read: a place for what aliases repeat"}}
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "seq2attn config"
    return json.dumps(schema, indent=2)


def differences(a: Config, b: Config) -> list[str]:
    """The dotted keys whose values differ: "data.vocab_size: 2000 → 8000"; of another `type`, just the type."""
    return list(_differences((), a.model_dump(mode="json"), b.model_dump(mode="json")))


_MISSING = object()


def _differences(path: tuple[str, ...], a: Any, b: Any) -> Iterator[str]:
    if isinstance(a, dict) and isinstance(b, dict):
        keys = ["type"] if a.get("type") != b.get("type") else [*a, *(key for key in b if key not in a)]
        for key in keys:
            yield from _differences((*path, key), a.get(key, _MISSING), b.get(key, _MISSING))
    elif a != b:
        yield f"{'.'.join(path)}: {_show(a)} → {_show(b)}"


def _show(value: Any) -> str:
    if isinstance(value, dict) and "type" in value:
        return str(value["type"])
    return "not set" if value is _MISSING else json.dumps(value, ensure_ascii=False)
