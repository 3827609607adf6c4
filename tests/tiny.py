"""Tiny runs: a language of twelve words, models of width 8, a second of training."""

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seq2attn.config.config import Config
from seq2attn.config.load import load_config
from seq2attn.runs.manifest import Manifest

WORDS = ["ka", "mi", "lo", "tu", "se", "po", "ra", "ni", "do", "ve", "fa", "gu"]
TRAINED = (
    "model.embedding.width=16",
    "model.encoder.width=8",
    "model.decoder.width=16",
    "training.max_updates=60",
    "training.batch_tokens=300",
    "training.optimizer.learning_rate=0.04",  # with which all translations end
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


def make_manifest(fingerprints: Mapping[str, str], **changes: Any) -> Manifest:
    """The manifest of a finished run, as far as what looks at finished runs needs it; `fingerprints` by role."""
    values: dict[str, Any] = {
        "finished": True,
        "versions": {},
        "git": None,
        "seed": 1,
        "device": {"device": "cpu", "name": "a processor", "threads": 2},
        "precision": "fp32",
        "parameters": 1000,
        "data": {role: {"name": role, "fingerprint": text, "pairs": 9} for role, text in fingerprints.items()},
        "started": "now",
        "updates": 3,
        "train_seconds": 61.5,
        "target_tokens_per_second": 1234.0,
    }
    return Manifest.model_validate(values | changes)
