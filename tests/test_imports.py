"""What a command imports: `datasets` only where a corpus is loaded for training. See test_packaging.py for --help and config."""

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys
from seq2attn.cli.main import _run
for arguments in {commands}:
    assert _run(arguments, False) == 0
print(*sorted({{"datasets", "pandas", "pyarrow", "torch", "sacrebleu"}} & set(sys.modules)))
"""


def imported(*commands: list[str]) -> list[str]:
    program = PROGRAM.format(commands=list(commands))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1].split()


def test_translating_and_evaluating_text_files_never_import_datasets(
    trained: Path, corpus: Path, tmp_path: Path
) -> None:
    translate = ["translate", str(trained), str(corpus / "test.en"), "-o", str(tmp_path / "out"), "--beam", "1"]
    evaluate = ["evaluate", str(trained), "--test", str(corpus / "test"), "--beam", "1"]
    assert imported(translate, evaluate) == ["sacrebleu", "torch"]
