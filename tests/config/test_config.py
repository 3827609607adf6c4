import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from seq2attn.config.attention import (
    AdditiveConfig,
    CausalConfig,
    GeneralConfig,
    GlobalConfig,
    ScaledDotConfig,
)
from seq2attn.config.config import Config, differences, schema_json, to_yaml
from seq2attn.config.data import HuggingFaceConfig, JsonLinesConfig, TextConfig
from seq2attn.config.load import load_config
from seq2attn.config.model import (
    BahdanauDecoderConfig,
    LuongDecoderConfig,
    TransformerDecoderConfig,
    TransformerEncoderConfig,
)
from seq2attn.config.training import AdamWConfig, CosineConfig, SGDConfig

CONFIGS = Path(__file__).parents[2] / "configs"
SYSTEMS = ("lstm", "bahdanau", "luong", "transformer")


def minimal(**sections: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "data": {"source": "en", "target": "de", "train": "data/train", "validation": "data/val"},
        "model": {"encoder": "lstm", "decoder": "lstm"},
        "training": {"max_updates": 100},
    }
    for name, section in sections.items():
        values[name] = values.get(name, {}) | section if isinstance(section, dict) else section
    return values


def config(**sections: Any) -> Config:
    return Config.model_validate(minimal(**sections))


def test_defaults_are_those_of_the_documentation() -> None:
    values = config().model_dump(mode="json")
    assert values == {
        "seed": 1,
        "data": {
            "source": "en",
            "target": "de",
            "train": {"type": "text", "prefix": "data/train", "source": None, "target": None},
            "validation": {"type": "text", "prefix": "data/val", "source": None, "target": None},
            "test": None,
            "keep_equal": False,
            "vocab_size": 8000,
            "tokenizer": {
                "type": "unigram",
                "joint": True,
                "byte_fallback": True,
                "character_coverage": 1.0,
                "sampling": None,
            },
            "normalization": "auto",
            "max_length": 250,
        },
        "model": {
            "embedding": {"width": 256, "tied": "two_way"},
            "dropout": 0.1,
            "variational_dropout": False,
            "word_dropout": 0.0,
            "encoder": {
                "type": "lstm",
                "width": 256,
                "layers": 1,
                "bidirectional": True,
                "reverse_source": False,
                "residual": False,
                "layer_norm": False,
                "gates": None,
            },
            "decoder": {
                "type": "lstm",
                "width": 512,
                "layers": 1,
                "layer_norm": False,
                "bottleneck": 256,
                "vector": "initial",
            },
        },
        "training": {
            "max_updates": 100,
            "batch_tokens": 2000,
            "curriculum": None,
            "accumulation": 1,
            "precision": "auto",
            "compile": "auto",
            "optimizer": {"type": "adamw", "learning_rate": 0.001, "betas": [0.9, 0.98], "weight_decay": 0.01},
            "schedule": {"type": "inverse_sqrt", "warmup": 200},
            "r_drop": None,
            "ema": None,
            "label_smoothing": 0.1,
            "clip_norm": 1.0,
            "validate_every": 500,
            "log_every": 10,
            "attention_maps": None,
            "early_stopping": None,
            "select": "bleu",
            "checkpoint_every_minutes": 10.0,
            "keep_last": 1,
            "keep_best": 1,
            "average": {"count": 5, "of": "last"},
        },
        "evaluation": {
            "lowercase": False,
            "tokenize": "auto",
            "beam": 5,
            "length_penalty": 1.0,
            "max_output": None,
            "precision": "auto",
        },
    }


def test_a_bare_string_is_the_all_default_variant() -> None:
    made = config(
        model={"encoder": "transformer", "decoder": {"type": "luong", "attention": {"score": "additive"}}},
        training={"max_updates": 1, "optimizer": "sgd", "schedule": "cosine"},
    )
    assert made.model.encoder == TransformerEncoderConfig()
    assert isinstance(made.model.decoder, LuongDecoderConfig)
    assert made.model.decoder.attention.score == AdditiveConfig()
    assert made.training.optimizer == SGDConfig()
    assert made.training.schedule == CosineConfig()
    assert made.data.train == TextConfig(prefix="data/train")


def test_a_mapping_without_type_is_of_the_default_type() -> None:
    decoder = {"type": "bahdanau", "attention": {"score": {"width": 32}}}
    made = config(model={"decoder": decoder}, training={"optimizer": {"learning_rate": 0.5}})
    assert made.training.optimizer == AdamWConfig(learning_rate=0.5)
    assert isinstance(made.model.decoder, BahdanauDecoderConfig)
    assert made.model.decoder.attention.score == AdditiveConfig(width=32)


@pytest.mark.parametrize(("name", "score"), [("bahdanau", AdditiveConfig()), ("luong", GeneralConfig())])
def test_each_decoder_has_the_score_of_its_paper(name: str, score: BaseModel) -> None:
    decoder = config(model={"decoder": {"type": name, "attention": {"dropout": 0.1}}}).model.decoder
    assert isinstance(decoder, BahdanauDecoderConfig | LuongDecoderConfig)
    assert (decoder.attention.score, decoder.attention.heads) == (score, None)


def test_a_transformer_decoder_is_causal_over_itself_only() -> None:
    decoder = config(model={"decoder": "transformer"}).model.decoder
    assert isinstance(decoder, TransformerDecoderConfig)
    assert (decoder.attention.span, decoder.self_attention.span) == (GlobalConfig(), CausalConfig())
    assert (decoder.attention.score, decoder.attention.heads) == (ScaledDotConfig(), 4)


@pytest.mark.parametrize("score", ["concat", {"type": "concat"}])
def test_concat_is_another_name_of_additive(score: object) -> None:
    decoder = config(model={"decoder": {"type": "luong", "attention": {"score": score}}}).model.decoder
    assert isinstance(decoder, LuongDecoderConfig)
    assert decoder.attention.score == AdditiveConfig()


def test_splits_and_fields_follow_the_role_and_the_languages() -> None:
    hub = {"type": "huggingface", "path": "a/b"}
    lines = {"type": "jsonl", "path": "x.jsonl", "target_field": "translation.de"}
    made = config(data={"train": hub, "validation": hub | {"split": "dev"}, "test": lines}).data
    assert made.train == HuggingFaceConfig(path="a/b", split="train", source_field="en", target_field="de")
    assert made.validation == HuggingFaceConfig(path="a/b", split="dev", source_field="en", target_field="de")
    assert made.test == JsonLinesConfig(path="x.jsonl", source_field="en", target_field="translation.de")


ENCODERS = [("lstm", 512), ({"type": "lstm", "bidirectional": False}, 256), ("transformer", 128), ("conv", 128)]


@pytest.mark.parametrize(("encoder", "width"), ENCODERS)
def test_the_source_is_as_wide_as_the_encoder_gives_it(encoder: object, width: int) -> None:
    model = config(model={"encoder": encoder, "embedding": {"width": 128}}).model
    assert model.source_width == width


def test_the_default_max_length_never_exceeds_a_batch() -> None:
    assert config(training={"batch_tokens": 100}).data.max_length == 100
    assert config(training={"batch_tokens": 300}).data.max_length == 250


def test_illegal_combinations_are_refused_without_a_file_too() -> None:
    with pytest.raises(ValidationError, match=r"model.embedding.tied = three_way needs one vocabulary"):
        config(data={"tokenizer": {"joint": False}}, model={"embedding": {"tied": "three_way"}})


def test_a_config_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        config().seed = 2


# ---- text in and out


PRINTABLE = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1)


@given(
    prefix=PRINTABLE
    | st.sampled_from(["no", "1e-3", "12", "~", "1_0", "0x1f", "2024-01-01", ".inf", "<<", "=", "a: b"])
)
def test_yaml_round_trips_any_text(tmp_path_factory: pytest.TempPathFactory, prefix: str) -> None:
    made = config(data={"train": prefix})
    file = tmp_path_factory.getbasetemp() / "round_trip.yaml"
    file.write_text(to_yaml(made), encoding="utf-8", newline="")
    assert load_config(file) == made


@given(rate=st.floats(min_value=1e-12, max_value=1e12), clip=st.floats(min_value=1e-3))
def test_yaml_round_trips_any_number(tmp_path_factory: pytest.TempPathFactory, rate: float, clip: float) -> None:
    made = config(training={"optimizer": {"learning_rate": rate}, "clip_norm": clip})
    file = tmp_path_factory.getbasetemp() / "round_trip.yaml"
    file.write_text(to_yaml(made), encoding="utf-8")
    assert load_config(file) == made


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_dump_validates_to_an_equal_config(system: str) -> None:
    made = load_config(CONFIGS / "demo" / f"{system}.yaml")
    assert Config.model_validate(made.model_dump(mode="json")) == made
    assert Config.model_validate_json(made.model_dump_json()) == made


def test_differences_name_the_keys_and_both_values() -> None:
    a = config(training={"early_stopping": {"patience": 3}})
    b = config(seed=2, model={"decoder": "luong"}, data={"test": "data/test"}, training={"clip_norm": 0.5})
    assert differences(a, a) == []
    assert differences(a, b) == [
        "seed: 1 → 2",
        "data.test: null → text",
        'model.decoder.type: "lstm" → "luong"',
        "training.clip_norm: 1.0 → 0.5",
        'training.early_stopping: {"metric": "bleu", "patience": 3} → null',
    ]


def _properties(schema: Any) -> Iterator[tuple[str, Any]]:
    for section in (schema, *schema["$defs"].values()):
        yield from section["properties"].items()


def test_the_schema_describes_every_key() -> None:
    schema = json.loads(schema_json())
    undescribed = {name for name, value in _properties(schema) if name != "type" and not value.get("description")}
    assert undescribed == set()
    assert "extends" in schema["properties"]
    assert list(schema["patternProperties"]) == ["^x-"]


def test_the_schema_allows_bare_strings_and_no_other_key() -> None:
    schema = json.loads(schema_json())
    encoder = schema["$defs"]["ModelConfig"]["properties"]["encoder"]
    assert encoder["anyOf"][0] == {"enum": ["lstm", "transformer", "conv"]}
    assert encoder["anyOf"][1] == {"$ref": "#/$defs/LSTMEncoderConfig"}
    assert all(section["additionalProperties"] is False for section in (schema, *schema["$defs"].values()))


@pytest.mark.parametrize("folder", ["demo", "multi30k"])
def test_the_four_systems_share_everything_but_the_model(folder: str) -> None:
    baseline, *others = (load_config(CONFIGS / folder / f"{system}.yaml") for system in SYSTEMS)
    for other in others:
        assert all(line.startswith("model.") for line in differences(baseline, other))


@pytest.mark.parametrize("folder", ["demo", "multi30k"])
def test_the_four_systems_are_what_their_names_say(folder: str) -> None:
    decoders = [load_config(CONFIGS / folder / f"{system}.yaml").model.decoder.type for system in SYSTEMS]
    assert tuple(decoders) == SYSTEMS
    assert sorted(file.stem for file in (CONFIGS / folder).iterdir()) == sorted(SYSTEMS)


def test_shipped_configs_are_found_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_config("configs/demo/luong.yaml") == load_config(CONFIGS / "demo" / "luong.yaml")
