"""The short form of scripts/torture.py."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parent.parent / "scripts/torture.py"


def test_a_killed_run_ends_as_one_left_alone() -> None:
    command = [sys.executable, str(SCRIPT), "--kills", "3", "--systems", "1", "--updates", "24"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith("3 kills, ")
