"""The benchmarks of scripts/, on systems that are tiny."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from seq2attn.inference.model import load
from tests.tiny import config_file

ROOT = Path(__file__).parent.parent
SCRIPTS = {
    "bench_training.py": ("--updates", "1", "--precision", "fp32"),
    "bench_translation.py": ("--sentences", "2", "--length", "3", "--repeats", "1"),
    "bench_scaling.py": ("--sentences", "2", "--repeats", "1"),
}


@pytest.fixture(scope="module")
def systems(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three configs with the same decoder; two of them have the same file name."""
    folder = tmp_path_factory.mktemp("systems")
    base = config_file(folder)
    files = [folder / "narrow.yaml", folder / "wide.yaml", folder / "other" / "wide.yaml"]
    for file in files:
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"extends: {base}\n", encoding="utf-8")
    return files


@pytest.mark.parametrize("script", SCRIPTS)
def test_rows_are_named_by_their_config_files(script: str, systems: list[Path]) -> None:
    narrow, wide, other = map(str, systems)
    assert named(script, ["--config", narrow, "--config", wide, narrow]) == ["narrow", "wide"]
    folder = systems[0].parent.name
    assert named(script, ["--config", narrow, wide, other]) == [f"{folder}/narrow", f"{folder}/wide", "other/wide"]


def named(script: str, options: list[str]) -> list[str]:
    """The systems of the rows that a benchmark prints, each once."""
    command = [sys.executable, str(ROOT / "scripts" / script), *options, *SCRIPTS[script], "--threads", "1", "--json"]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=300, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == 0, done.stderr
    rows: list[dict[str, Any]] = json.loads(done.stdout)["rows"]
    return list(dict.fromkeys(row["system"] for row in rows))


def test_a_trained_model_is_timed_lines_to_lines_beside_ctranslate2(tmp_path: Path) -> None:
    pytest.importorskip("ctranslate2")
    text = tmp_path / "text"
    text.write_text("the old dog sleeps .\na cat runs .\n", encoding="utf-8")
    model = ROOT / "tests/released/0.1.0/models/transformer"
    command = [sys.executable, str(ROOT / "scripts/bench_lines.py"), str(model), str(text), "--repeats", "1", "--json"]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=300, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["rows"]
    assert {(row["system"], row["beam"], row["alone"]) for row in rows if row["system"] == "seq2attn"} == {
        ("seq2attn", beam, alone) for beam in (1, 5) for alone in (False, True)
    }
    assert all(row["lines_per_second"] > 0 for row in rows)


def test_converting_leaves_the_model_as_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("ctranslate2")
    monkeypatch.syspath_prepend(ROOT / "scripts")
    import ctranslate

    model = load(ROOT / "tests/released/0.1.0/models/transformer")
    before = {name: tensor.clone() for name, tensor in model.network.state_dict().items()}
    ctranslate.convert(model.network, ctranslate.name_pieces(model.tokenizer.source_size), tmp_path, "int8")
    assert all(torch.equal(before[name], tensor) for name, tensor in model.network.state_dict().items())
