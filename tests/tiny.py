"""Tiny runs: a language of twelve words, models of width 8, a second of training."""

import random
from pathlib import Path
from typing import Any

from seq2attn.config.config import Config
from seq2attn.config.load import load_config

WORDS = ["ka", "mi", "lo", "tu", "se", "po", "ra", "ni", "do", "ve", "fa", "gu"]
TRAINED = (
    "model.embedding.width=16",
    "model.encoder.width=8",
    "model.decoder.width=16",
    "training.max_updates=60",
    "training.batch_tokens=300",
    "training.optimizer.learning_rate=0.03",
    "training.validate_every=20",
    "training.log_every=25",
    "training.keep_last=3",
    "training.select=loss",
)
CONFIG = """
data:
  source: en
  target: de
  train: {folder}/train
  validation: {folder}/validation
  vocab_size: 40
  tokenizer: {{byte_fallback: false}}
model:
  embedding: {{width: 8}}
  encoder: {{type: lstm, width: 4}}
  decoder: {{type: luong, width: 8}}
training:
  max_updates: 12
  batch_tokens: 120
  precision: fp32
  optimizer: {{type: adamw, learning_rate: 0.01}}
  schedule: {{type: inverse_sqrt, warmup: 2}}
  validate_every: 4
  log_every: 5
"""


def sentences(number: int, seed: int) -> list[str]:
    """Sources of two to seven words."""
    draw = random.Random(seed)
    return [" ".join(draw.choices(WORDS, k=draw.randint(2, 7))) for _ in range(number)]


def translation(source: str) -> str:
    """Each word's consonant becomes b or w."""
    return " ".join(("b" if word[0] > "k" else "w") + word[1] for word in source.split())


def write_corpus(folder: Path) -> Path:
    """folder/{train,validation,test}.{en,de}; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed, (role, number) in enumerate({"train": 120, "validation": 10, "test": 8}.items()):
        sources = sentences(number, seed)
        (folder / f"{role}.en").write_text("".join(f"{line}\n" for line in sources))
        (folder / f"{role}.de").write_text("".join(f"{translation(line)}\n" for line in sources))
    return folder


def config_file(folder: Path) -> Path:
    """A config file of the corpus in `folder`."""
    file = folder / "tiny.yaml"
    file.write_text(CONFIG.format(folder=folder))
    return file


def tiny(folder: Path, *overrides: str) -> Config:
    """The config of the corpus in `folder`, with overrides "a.b=c"."""
    return load_config(config_file(folder), overrides)


def timeless(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Events without what differs from run to run."""
    return [{key: value for key, value in event.items() if "second" not in key} for event in events]
