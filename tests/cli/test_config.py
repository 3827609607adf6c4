import json
import subprocess
import sys
from pathlib import Path

import typer.testing

from seq2attn.cli.config import app
from seq2attn.config.config import to_yaml
from seq2attn.config.data import TextConfig
from seq2attn.config.load import load_config
from seq2attn.errors import ConfigError

LSTM = Path(__file__).parents[2] / "configs" / "demo" / "lstm.yaml"


def test_show_prints_a_config_that_reads_back_as_itself(tmp_path: Path) -> None:
    arguments = ["show", str(LSTM), "--set", "seed=7", "--set", "data.train=corpus"]
    shown = typer.testing.CliRunner().invoke(app, arguments, catch_exceptions=False)
    file = tmp_path / "shown.yaml"
    file.write_text(shown.stdout)
    made = load_config(file)
    assert (made.seed, made.data.train) == (7, TextConfig(prefix="corpus"))
    assert shown.stdout == to_yaml(made)


def test_validate_names_what_is_fine_and_raises_for_what_is_not(tmp_path: Path) -> None:
    wrong, other, fine = tmp_path / "wrong.yaml", tmp_path / "other.yaml", LSTM
    wrong.write_text("sead: 3\n")
    other.write_text("- x\n")
    done = typer.testing.CliRunner().invoke(app, ["validate", str(wrong), str(fine), str(other)])
    assert done.stdout == f"{fine}: fine\n"
    assert isinstance(done.exception, ConfigError)
    assert done.exception.message.startswith(f"{wrong}:1: key `sead` is not known")
    assert done.exception.message.endswith(f"(also wrong: {other})")


def test_schema_prints_json() -> None:
    printed = typer.testing.CliRunner().invoke(app, ["schema"], catch_exceptions=False).stdout
    assert json.loads(printed)["title"] == "seq2attn config"


def test_reading_a_config_imports_no_heavy_library() -> None:
    code = (
        "import sys, seq2attn.cli.config; assert 'pydantic' not in sys.modules; import seq2attn.config.load; "
        "print(*({'torch', 'datasets', 'sacrebleu', 'numpy'} & set(sys.modules)))"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=120
    ).stdout
    assert printed.strip() == ""
