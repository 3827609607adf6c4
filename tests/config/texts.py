"""A config as text, for the tests that change it, and how they load it."""

from pathlib import Path

import pytest

from seq2attn.config.config import Config
from seq2attn.config.load import load_config
from seq2attn.errors import ConfigError

BASE = """\
data:
  source: en
  target: de
  train: data/train
  validation: data/val
model:
  encoder: lstm
  decoder:
    type: bahdanau
    attention: {score: additive}
training:
  max_updates: 100
"""


def load(folder: Path, text: str, *overrides: str, **others: str) -> Config:
    """The config of that text, which may extend the `others` by name: exp.yaml in `folder`, beside NAME.yaml for each."""
    for name, content in {"exp": text, **others}.items():
        (folder / f"{name}.yaml").write_text(content, encoding="utf-8")
    return load_config(folder / "exp.yaml", overrides)


def refuse(folder: Path, text: str, *overrides: str, **others: str) -> ConfigError:
    """The error that loading such a config raises; it and those beside it are one line and one hint each."""
    with pytest.raises(ConfigError) as error:
        load(folder, text, *overrides, **others)
    errors = (error.value, *error.value.others)
    assert "\n" not in "".join(part for one in errors for part in (one.message, one.hint))
    return error.value
