"""The configs that ship: all load, the compared ones are comparable, and the demo's train."""

from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
import torch

from seq2attn.build.model import build_seq2seq
from seq2attn.config.config import Config
from seq2attn.config.load import load_config
from seq2attn.inference.model import load
from seq2attn.runs.directory import Run
from seq2attn.runs.train import train

CONFIGS = Path(__file__).parents[1] / "configs"
FILES = sorted(path.relative_to(CONFIGS) for path in CONFIGS.rglob("*.yaml") if path.parent.name != "base")
SYSTEMS = ("lstm", "bahdanau", "luong", "transformer")
compared = pytest.mark.parametrize("folder", ["demo", "multi30k", "iwslt15"])


@pytest.mark.parametrize("file", FILES, ids=str)
def test_every_config_loads(file: Path) -> None:
    assert load_config(CONFIGS / file).training.max_updates > 0


def systems(folder: str) -> dict[str, Config]:
    return {path.stem: load_config(path) for path in (CONFIGS / folder).iterdir()}


@pytest.mark.parametrize("folder", ["demo", "multi30k"])
def test_the_four_systems_are_called_by_their_decoders(folder: str) -> None:
    found = {name: config.model.decoder.type for name, config in systems(folder).items()}
    assert found == {name: name for name in SYSTEMS}


@compared
def test_the_compared_systems_share_all_but_their_model(folder: str) -> None:
    found = systems(folder)
    shared: list[dict[str, Any]] = [config.model_dump(exclude={"model"}) for config in found.values()]
    assert shared == [shared[0]] * len(found)
    assert len({(config.model.embedding.width, config.model.embedding.tied) for config in found.values()}) == 1


def test_the_demo_gives_its_baseline_more_parameters_than_the_others_have() -> None:
    counts = count_parameters("demo")
    baseline = counts.pop("lstm")
    assert baseline > max(counts.values())
    assert max(counts.values()) <= 1.1 * min(counts.values())


@pytest.mark.parametrize("folder", ["multi30k", "iwslt15"])
def test_the_compared_systems_have_equally_many_parameters_within_five_percent(folder: str) -> None:
    counts = count_parameters(folder)
    middle = (max(counts.values()) + min(counts.values())) / 2
    assert all(abs(count / middle - 1) <= 0.05 for count in counts.values()), counts


def count_parameters(folder: str) -> dict[str, int]:
    counts = {}
    for name, config in systems(folder).items():
        size = config.data.vocab_size
        with torch.device("meta"):
            network = build_seq2seq(config.model, source_size=size, target_size=size, max_length=config.data.max_length)
        counts[name] = network.parameter_count
    return counts


MECHANISMS = sorted(path.stem for path in (CONFIGS / "attention").glob("*.yaml"))


def test_every_mechanism_of_the_introductions_has_a_short_file() -> None:
    assert set(MECHANISMS) == {
        *("soft", "hard", "self", "cross", "multihead", "latent", "memory", "adaptive", "scaled_dot", "additive"),
        *("global", "local", "sparse", "hierarchical", "temporal"),
        *("gumbel", "marginal", "elbo"),  # other ways to learn hard attention
    }
    for name in MECHANISMS:
        lines = (CONFIGS / "attention" / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
        assert lines[0].startswith("# ")
        assert lines[1].startswith("extends: ../demo/")
        assert len(lines) <= 14


def test_additive_attention_is_soft_attention_by_another_name() -> None:
    additive, soft = (load_config(CONFIGS / "attention" / f"{name}.yaml") for name in ("additive", "soft"))
    assert additive == soft


def small(file: Path, corpus: Path) -> Config:
    """The config of a file on a tiny corpus, with tiny widths."""
    model = load_config(file).model
    overrides = [
        *(f"data.{role}={corpus}/{role}" for role in ("train", "validation", "test")),
        "data.vocab_size=40",
        "data.tokenizer.byte_fallback=false",
        "model.embedding.width=16",
        "training.max_updates=30",
        "training.batch_tokens=300",
        "training.validate_every=15",
        "training.schedule.warmup=10",
        "training.optimizer.learning_rate=0.02",
    ]
    for side, part in (("encoder", model.encoder), ("decoder", model.decoder)):
        sizes = (
            {"width": 8 if side == "encoder" else 16} if hasattr(part, "width") else {"layers": 1, "feedforward": 16}
        )
        overrides += [f"model.{side}.{key}={size}" for key, size in sizes.items()]
    return load_config(file, overrides)


@pytest.mark.filterwarnings("ignore:.* cut at the limit")  # models that have hardly learned
@pytest.mark.parametrize(
    "file", [*(f"demo/{name}.yaml" for name in SYSTEMS), *(f"attention/{name}.yaml" for name in MECHANISMS)]
)
def test_a_small_version_of_each_system_trains_and_translates(file: str, corpus: Path, tmp_path: Path) -> None:
    train(small(CONFIGS / file, corpus), tmp_path / "run", device="cpu")
    events = Run.open(tmp_path / "run").events()
    losses = {kind: [event["loss"] for event in events if event["event"] == kind] for kind in ("train", "validation")}
    assert losses["train"][-1] < losses["train"][0] - (0.2 if "hard" in file else 0.5)
    assert losses["validation"][-1] < losses["validation"][0]
    assert len(load(tmp_path / "run").translate(["ka mi lo", "tu"])) == 2


def write_hub_folder(folder: Path, config: str | None) -> Path:
    """A data set as the hub keeps it: parquet files of one column `translation`, and a card that says which are whose."""
    rows = [{"translation": {"de": f"Satz {number} .", "en": f"Sentence {number} ."}} for number in range(40)]
    data = folder / (config or "data")
    data.mkdir(parents=True)
    for split in ("train", "validation", "test"):
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), data / f"{split}-00000-of-00001.parquet")
    lines = [f"  - {{split: {split}, path: {data.name}/{split}-*}}" for split in ("train", "validation", "test")]
    card = ["---", "configs:", f"- config_name: {config or 'default'}", "  data_files:", *lines, "---"]
    (folder / "README.md").write_text("\n".join(card) + "\n", encoding="utf-8")
    return folder


@pytest.mark.filterwarnings("ignore:.* cut at the limit")
@pytest.mark.parametrize(
    ("name", "config"), [("wmt14-de-en", "de-en"), ("opus100-de-en", "de-en"), ("iwslt14-de-en", None)]
)
def test_a_recipe_for_the_hub_trains_on_a_folder_of_its_shape(name: str, config: str | None, tmp_path: Path) -> None:
    folder = write_hub_folder(tmp_path / "hub", config)
    overrides = [
        *(f"data.{role}.path={folder}" for role in ("train", "validation", "test")),
        *(f"data.{role}.revision=null" for role in ("train", "validation", "test")),
        *(
            "data.vocab_size=40",
            "data.tokenizer.byte_fallback=false",
            "data.max_length=30",
            "training.batch_tokens=200",
        ),
        *("model.embedding.width=16", "training.max_updates=2", "training.validate_every=1", "training.precision=fp32"),
        *(f"model.{side}.{key}" for side in ("encoder", "decoder") for key in ("layers=1", "feedforward=8")),
    ]
    train(load_config(CONFIGS / "recipes" / f"{name}.yaml", overrides), tmp_path / "run", device="cpu")
    translated = load(tmp_path / "run").translate(["Satz 3 ."])
    assert len(translated) == 1
    assert Run.open(tmp_path / "run").manifest.data.train.pairs == 40
