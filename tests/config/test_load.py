from pathlib import Path

import pytest

from seq2attn.config.attention import AdditiveConfig, DotConfig
from seq2attn.config.config import Config, to_yaml
from seq2attn.config.data import GrammarConfig, TextConfig
from seq2attn.config.load import load_config
from seq2attn.config.model import (
    BahdanauDecoderConfig,
    LSTMDecoderConfig,
    LSTMEncoderConfig,
    LuongDecoderConfig,
    ModelConfig,
    TransformerEncoderConfig,
)
from seq2attn.config.training import AdamWConfig, SGDConfig
from seq2attn.errors import ConfigError
from tests.config.texts import BASE, load


def attention(config: Config) -> object:
    assert isinstance(config.model.decoder, BahdanauDecoderConfig | LuongDecoderConfig)
    return config.model.decoder.attention


# ---- extends


def test_a_config_is_laid_over_what_it_extends(tmp_path: Path) -> None:
    config = load(tmp_path, "extends: base.yaml\nmodel: {encoder: {width: 32}}\nseed: 5\n", base=BASE)
    assert config.model.encoder == LSTMEncoderConfig(width=32)
    assert (config.seed, config.training.max_updates) == (5, 100)


def test_another_type_replaces_the_section_whole(tmp_path: Path) -> None:
    base = BASE.replace("encoder: lstm", "encoder: {type: lstm, width: 32, bidirectional: false}")
    config = load(tmp_path, "extends: base.yaml\nmodel: {encoder: {type: transformer, layers: 2}}\n", base=base)
    assert config.model.encoder == TransformerEncoderConfig(layers=2)


def test_the_same_type_keeps_the_other_keys(tmp_path: Path) -> None:
    base = BASE.replace("encoder: lstm", "encoder: {type: lstm, width: 32}")
    config = load(tmp_path, "extends: base.yaml\nmodel: {encoder: {type: lstm, layers: 2}}\n", base=base)
    assert config.model.encoder == LSTMEncoderConfig(width=32, layers=2)


def test_a_bare_string_replaces_a_mapping(tmp_path: Path) -> None:
    base = BASE.replace("encoder: lstm", "encoder: {type: lstm, width: 32}")
    config = load(tmp_path, "extends: base.yaml\nmodel: {encoder: lstm}\n", base=base)
    assert config.model.encoder == LSTMEncoderConfig()


FORMS = {
    "a": TextConfig(prefix="a"),
    "{prefix: a}": TextConfig(prefix="a"),
    "{type: text, source: b, target: c}": TextConfig(source="b", target="c"),
    "{source: b, target: c}": TextConfig(source="b", target="c"),
    "{type: text, prefix: null, source: b, target: c}": TextConfig(source="b", target="c"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("base", FORMS)
def test_text_by_a_prefix_and_by_two_files_replace_each_other(tmp_path: Path, base: str, form: str) -> None:
    below = BASE.replace("train: data/train", f"train: {base}")
    assert load(tmp_path, f"extends: base.yaml\ndata: {{train: {form}}}\n", base=below).data.train == FORMS[form]


def test_a_child_may_name_one_of_two_files(tmp_path: Path) -> None:
    below = BASE.replace("train: data/train", "train: {source: a, target: b}")
    child = "extends: base.yaml\ndata: {train: {prefix: null, target: c}}\n"
    assert load(tmp_path, child, base=below).data.train == TextConfig(source="a", target="c")


def test_later_files_of_a_list_lie_over_earlier_ones(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "one.yaml").write_text("extends: two.yaml\nseed: 3\n")
    (tmp_path / "shared" / "two.yaml").write_text(BASE + "seed: 2\n")
    more = "training: {batch_tokens: 500}\nseed: 4\n"
    config = load(tmp_path, "extends: [shared/one.yaml, more.yaml]\n", more=more)
    assert (config.seed, config.training.batch_tokens) == (4, 500)


def test_a_shipped_config_may_be_extended_from_any_folder(tmp_path: Path) -> None:
    config = load(tmp_path, "extends: configs/demo/lstm.yaml\nseed: 5\n")
    assert config == load_config("configs/demo/lstm.yaml", ["seed=5"])


def test_a_file_that_is_there_comes_before_a_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "configs" / "demo").mkdir(parents=True)
    (tmp_path / "configs" / "demo" / "lstm.yaml").write_text(BASE)
    assert load(tmp_path, "extends: configs/demo/lstm.yaml\n").training.max_updates == 100


# ---- overrides


def test_an_override_is_read_as_yaml(tmp_path: Path) -> None:
    overrides = ("training.optimizer.learning_rate=2e-3", "data.test=null", "data.tokenizer={joint: false}", "seed= 3")
    config = load(tmp_path, BASE, *overrides)
    assert config.training.optimizer == AdamWConfig(learning_rate=0.002)
    assert (config.data.test, config.data.tokenizer.joint, config.seed) == (None, False, 3)


def test_an_override_of_a_section_replaces_it_whole(tmp_path: Path) -> None:
    base = BASE.replace("train: data/train", "train: {type: grammar, pairs: 100}")
    assert load(tmp_path, base, "data.train=corpus/x").data.train == TextConfig(prefix="corpus/x")


def test_an_override_of_a_key_keeps_its_section(tmp_path: Path) -> None:
    base = BASE.replace("train: data/train", "train: {type: grammar, pairs: 100, seed: 4}")
    assert load(tmp_path, base, "data.train.pairs=500").data.train == GrammarConfig(pairs=500, seed=4)


@pytest.mark.parametrize("score", ["additive", "{type: additive, width: 3}"])
def test_an_override_replaces_a_string_as_well_as_a_mapping(tmp_path: Path, score: str) -> None:
    config = load(tmp_path, BASE.replace("score: additive", f"score: {score}"), "model.decoder.attention.score=dot")
    assert attention(config).score == DotConfig()  # type: ignore[attr-defined]


def test_an_override_reaches_into_a_bare_string(tmp_path: Path) -> None:
    config = load(
        tmp_path, BASE, "model.decoder.attention.score.width=9", "model.encoder.layers=2", "data.train.prefix=x"
    )
    assert attention(config).score == AdditiveConfig(width=9)  # type: ignore[attr-defined]
    assert config.model.encoder == LSTMEncoderConfig(layers=2)
    assert config.data.train == TextConfig(prefix="x")


def test_an_override_of_the_type_drops_the_old_keys(tmp_path: Path) -> None:
    base = BASE + "  optimizer: {type: adamw, betas: [0.9, 0.95]}\n"
    config = load(tmp_path, base, "training.optimizer.type=sgd", "training.optimizer.momentum=0.5")
    assert config.training.optimizer == SGDConfig(momentum=0.5)


def test_later_overrides_win(tmp_path: Path) -> None:
    assert load(tmp_path, BASE, "seed=3", "seed=4").seed == 4


# ---- what YAML 1.1 gets wrong


@pytest.mark.parametrize("code", ["no", "on", "NO", "y", "en", "pt-BR", "zh_Hans"])
def test_language_codes_are_text(tmp_path: Path, code: str) -> None:
    assert load(tmp_path, BASE.replace("source: en", f"source: {code}")).data.source == code
    assert load(tmp_path, BASE, f"data.source={code}").data.source == code


@pytest.mark.parametrize(
    ("text", "value"), [("1e-3", 0.001), ("2E2", 200.0), (".5", 0.5), ("1", 1.0), ("1_000.0", 1000.0)]
)
def test_numbers_are_numbers(tmp_path: Path, text: str, value: float) -> None:
    assert load(tmp_path, BASE, f"training.clip_norm={text}").training.clip_norm == value


@pytest.mark.parametrize("text", ["1e5", "100000.0", "1_00000", "1.0E+5"])
def test_whole_numbers_may_have_a_point_or_an_exponent(tmp_path: Path, text: str) -> None:
    updates = load(tmp_path, BASE, f"training.max_updates={text}").training.max_updates
    assert (updates, type(updates)) == (100_000, int)


def test_a_merged_mapping_gives_the_keys_that_are_not_there(tmp_path: Path) -> None:
    one, two = "{<<: &one {width: 3, layers: 2}, type: lstm, width: 5}", "{type: lstm, <<: [{layers: 4}, *one]}"
    assert load(tmp_path, BASE, f"model={{encoder: {one}, decoder: {two}}}").model == ModelConfig(
        encoder=LSTMEncoderConfig(width=5, layers=2), decoder=LSTMDecoderConfig(width=3, layers=4)
    )


def test_a_quoted_merge_key_is_a_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="key `<<` is not known"):
        load(tmp_path, BASE + '"<<": {seed: 2}\n')


# ---- keys of earlier versions


@pytest.mark.parametrize(
    "override", ["model.decoder.attention.groups=2", "model.decoder.attention={heads: 4, groups: 2}"]
)
def test_groups_is_read_as_key_value_heads(tmp_path: Path, override: str) -> None:
    config = load(tmp_path, BASE, "model.decoder.attention.heads=4", override)
    assert attention(config).key_value_heads == 2  # type: ignore[attr-defined]
    assert "key_value_heads: 2" in to_yaml(config)
    assert "groups" not in to_yaml(config)


def test_the_new_name_overrides_the_old_one(tmp_path: Path) -> None:
    base = BASE.replace("score: additive", "heads: 4, groups: 2")
    text = "extends: base.yaml\nmodel: {decoder: {attention: {key_value_heads: 1}}}\n"
    assert attention(load(tmp_path, text, base=base)).key_value_heads == 1  # type: ignore[attr-defined]


def test_anchors_are_understood(tmp_path: Path) -> None:
    text = BASE.replace("train: data/train", "train: &corpus {type: grammar}").replace("data/val", "*corpus")
    assert load(tmp_path, text).data.validation == GrammarConfig()


@pytest.mark.parametrize("name", ["exp", "base"])
def test_keys_that_begin_with_x_hold_what_aliases_repeat(tmp_path: Path, name: str) -> None:
    text = "x-small: &small {width: 3}\n" + BASE.replace("encoder: lstm", "encoder: {type: lstm, <<: *small}")
    config = load(tmp_path, text) if name == "exp" else load(tmp_path, "extends: base.yaml\n", base=text)
    assert config.model.encoder == LSTMEncoderConfig(width=3)
    assert "small" not in to_yaml(config)
