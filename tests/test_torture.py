"""The short form of scripts/torture.py."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parent.parent / "scripts/torture.py"


def test_a_run_killed_at_random_moments_ends_as_if_it_had_been_left_alone() -> None:
    command = [sys.executable, str(SCRIPT), "--kills", "3", "--systems", "1", "--updates", "24"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith("3 kills, ")
