"""What version 0.1.0 wrote: its models translate as they did, and runs that it left half done are gone on with."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

import seq2attn

FOLDER = Path(__file__).parent / "0.1.0"
EXPECTED: dict[str, dict[str, list[str]]] = json.loads((FOLDER / "expected.json").read_text(encoding="utf-8"))
STOPPED: dict[str, dict[str, Any]] = json.loads((FOLDER / "stopped/expected.json").read_text(encoding="utf-8"))


@pytest.mark.filterwarnings("ignore:.* cut at the limit")
@pytest.mark.parametrize("kind", sorted(EXPECTED))
def test_a_model_of_each_kind_translates_as_it_did(kind: str) -> None:
    model = seq2attn.load(FOLDER / "models" / kind, "cpu", precision="fp32")
    sources = (FOLDER / "corpus/test.en").read_text(encoding="utf-8").splitlines()
    assert model.translate(sources) == EXPECTED[kind]["beam"]
    assert model.translate(sources, beam=1) == EXPECTED[kind]["greedy"]


@pytest.mark.parametrize("kind", sorted(STOPPED))
def test_a_stopped_run_goes_on_with_the_batches_that_it_would_have_had(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from seq2attn.build.corpora import load_corpora
    from seq2attn.config.load import load_config
    from seq2attn.runs.directory import Run
    from seq2attn.runs.opening import open_run
    from seq2attn.runs.train import train

    folder = tmp_path / "0.1.0"
    shutil.copytree(FOLDER, folder)
    monkeypatch.chdir(folder)
    config, path = load_config(f"stopped/{kind}.yaml"), Path("stopped") / kind
    opened = open_run(config, path, torch.device("cpu"))
    corpora = load_corpora(opened.config, opened.fingerprints, opened.tokenizer())
    plan = [batch.indices.tolist()[:6] for batch in list(corpora.plan_epoch(opened.config, 3))[:4]]
    assert plan == STOPPED[kind]["plan0"]
    train(config, path, device="cpu")
    events = Run.open(path).events()
    updates = [event["update"] for event in events if event["event"] == "validation"]
    assert updates == [1000, 2000, 3000, 4000]
