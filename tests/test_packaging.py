import importlib.metadata
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer

import seq2attn
from seq2attn import resources
from seq2attn.cli.main import app
from seq2attn.config.load import load_config

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
    return f"import sys; sys.argv = ['seq2attn', *{arguments!r}]\nfrom seq2attn.cli.main import main\nmain()"


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
    assert (script.name, script.value) == ("seq2attn", "seq2attn.cli.main:main")


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


def _readme_blocks(language: str) -> list[str]:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", readme, flags=re.DOTALL)


def test_every_command_and_option_in_the_readme_exists() -> None:
    lines = [line for block in _readme_blocks("sh") for line in block.replace("\\\n", " ").splitlines()]
    commands = [shlex.split(line.split("|")[-1], comments=True) for line in lines]
    calls = [words for words in commands if words and Path(words[0]).name == "seq2attn"]
    assert len(calls) > 5
    group: Any = typer.main.get_command(app)
    for _, name, *words in calls:
        command = group.commands[name]
        command = command.commands[words[0]] if hasattr(command, "commands") else command
        options = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("-")} <= options, (name, words)


def test_every_command_is_in_the_readme() -> None:
    group: Any = typer.main.get_command(app)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name, command in group.commands.items():
        assert f"seq2attn {name}" in readme
        shown = [parameter for parameter in command.params if not getattr(parameter, "hidden", False)]
        for option in (option for parameter in shown for option in parameter.opts):
            assert not option.startswith("--") or f"`{option}" in readme, (name, option)


def test_every_config_in_the_readme_is_valid(tmp_path: Path) -> None:
    configs = [block for block in _readme_blocks("yaml") if block.startswith(("seed:", "data:"))]
    assert configs
    for number, text in enumerate(configs):
        file = tmp_path / f"{number}.yaml"
        file.write_text(text, encoding="utf-8")
        load_config(file)
