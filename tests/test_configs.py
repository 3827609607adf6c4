"""The configs that ship: all load, the compared ones are comparable, and the demo's train."""

from pathlib import Path
from typing import Any

import pytest
import torch

from seq2attn.experiment import build
from seq2attn.experiment.config import Config
from seq2attn.experiment.load import load_config
from seq2attn.experiment.model import load
from seq2attn.experiment.run import train
from seq2attn.experiment.run_directory import Run

CONFIGS = Path(__file__).parents[1] / "configs"
FILES = sorted(path.relative_to(CONFIGS) for path in CONFIGS.rglob("*.yaml") if path.parent.name != "base")
SYSTEMS = ("lstm", "bahdanau", "luong", "transformer")
compared = pytest.mark.parametrize("folder", ["demo", "multi30k"])


@pytest.mark.parametrize("file", FILES, ids=str)
def test_every_config_loads(file: Path) -> None:
    assert load_config(CONFIGS / file).training.max_updates > 0


def systems(folder: str) -> dict[str, Config]:
    return {name: load_config(CONFIGS / folder / f"{name}.yaml") for name in SYSTEMS}


@compared
def test_the_compared_systems_are_the_four_and_share_all_but_their_model(folder: str) -> None:
    assert {path.stem for path in (CONFIGS / folder).iterdir()} == set(SYSTEMS)
    found = systems(folder)
    assert {name: config.model.decoder.type for name, config in found.items()} == {name: name for name in SYSTEMS}
    shared: list[dict[str, Any]] = [config.model_dump(exclude={"model"}) for config in found.values()]
    assert shared == [shared[0]] * 4
    assert len({(config.model.embedding.width, config.model.embedding.tied) for config in found.values()}) == 1


@compared
def test_the_compared_systems_have_equally_many_parameters_within_five_percent(folder: str) -> None:
    counts = {}
    for name, config in systems(folder).items():
        size = config.data.vocab_size
        with torch.device("meta"):
            network = build.seq2seq(config.model, source_size=size, target_size=size, max_length=config.data.max_length)
        counts[name] = network.parameter_count
    middle = (max(counts.values()) + min(counts.values())) / 2
    assert all(abs(count / middle - 1) <= 0.05 for count in counts.values()), counts


RECURRENT = ("model.encoder.width=8", "model.decoder.width=16")
ATTENTIVE = (
    "model.encoder.layers=1",
    "model.encoder.feedforward=16",
    "model.decoder.layers=1",
    "model.decoder.feedforward=16",
)


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_small_version_of_each_demo_system_trains_and_translates(name: str, corpus: Path, tmp_path: Path) -> None:
    small = [
        *(f"data.{role}={corpus}/{role}" for role in ("train", "validation", "test")),
        "data.vocab_size=40",
        "data.tokenizer.byte_fallback=false",
        "model.embedding.width=16",
        *(ATTENTIVE if name == "transformer" else RECURRENT),
        "training.max_updates=30",
        "training.batch_tokens=300",
        "training.validate_every=15",
        "training.schedule.warmup=10",
        "training.optimizer.learning_rate=0.02",
    ]
    config = load_config(CONFIGS / "demo" / f"{name}.yaml", small)
    assert config.model.decoder.type == name
    train(config, tmp_path / "run", device="cpu")
    events = Run.open(tmp_path / "run").events()
    losses = {kind: [event["loss"] for event in events if event["event"] == kind] for kind in ("train", "validation")}
    assert losses["train"][-1] < losses["train"][0] - 0.5
    assert losses["validation"][-1] < losses["validation"][0]
    assert len(load(tmp_path / "run").translate(["ka mi lo", "tu"])) == 2
