import importlib.metadata
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import seq2attn
from seq2attn import resources

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "datasets", "sacrebleu", "sentencepiece", "pyarrow", "pandas", "numpy", "yaml", "jinja2")


def _project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def _imported(code: str, folder: Path) -> set[str]:
    """The heavy packages that are imported after `code` has run in a fresh interpreter in `folder`."""
    report = f"import sys; print(*[name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    program = f"import atexit; atexit.register(lambda: exec({report!r}))\n{code}"
    result = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stderr
    return set(result.stderr.split())


def _command(*arguments: str) -> str:
    return f"import sys; sys.argv = ['seq2attn', *{arguments!r}]\nfrom seq2attn.__main__ import main\nmain()"


def test_the_wheel_carries_every_config_and_all_data_but_downloads() -> None:
    included: dict[str, str] = _project()["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    for source, target in included.items():
        assert (ROOT / source).exists(), source
        assert target == f"seq2attn/shipped/{source}", source
    data = {f"data/{path.name}" for path in (ROOT / "data").iterdir() if path.name != "downloads"}
    assert data | {"configs"} == set(included)


def test_resources_are_those_of_the_checkout_or_of_the_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert resources.resource("data/grammar") == ROOT / "data" / "grammar"
    installed = tmp_path / "seq2attn" / "shipped" / "data" / "grammar"
    installed.mkdir(parents=True)
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path / "seq2attn")
    assert resources.resource("data/grammar") == installed


def test_the_installed_metadata_is_that_of_the_checkout() -> None:
    installed = importlib.metadata.distribution("seq2attn")
    assert installed.version == seq2attn.__version__
    (script,) = installed.entry_points.select(group="console_scripts")
    assert (script.name, script.value) == ("seq2attn", "seq2attn.__main__:main")


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    assert _imported(_command("--help"), tmp_path) == set()
    assert _imported(_command("train", "--help"), tmp_path) == set()


def test_showing_a_shipped_config_from_anywhere_needs_no_torch(tmp_path: Path) -> None:
    assert _imported(_command("config", "show", "configs/demo/lstm.yaml"), tmp_path) == {"yaml"}


def test_writing_the_corpus_needs_no_torch(tmp_path: Path) -> None:
    assert _imported(_command("corpus", "out", "--pairs", "20", "--max-words", "10"), tmp_path) <= {"numpy"}
    assert (tmp_path / "out" / "train.de").read_text(encoding="utf-8").count("\n") == 20


def test_translating_and_evaluating_never_import_datasets(tmp_path: Path) -> None:
    modules = "seq2attn.inference.model, seq2attn.inference.evaluate, seq2attn.data.sources"
    assert "datasets" not in _imported(f"import {modules}", tmp_path)
