"""scripts/measure_memory.py: the memory of a command and of what it starts."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "scripts/measure_memory.py"
HOLD = "import time; held = bytearray(b'x') * (60 << 20); time.sleep(1)"
START_AND_HOLD = f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', {HOLD!r}]); {HOLD}; p.wait(60)"


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize(("program", "processes"), [(HOLD, 1), (START_AND_HOLD, 2), ("raise SystemExit(3)", 0)])
def test_the_peak_is_summed_over_processes(program: str, processes: int) -> None:
    command = [sys.executable, str(SCRIPT), "--json", "--", sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    peak = json.loads(done.stdout)
    assert done.returncode == peak["exit"] == (0 if processes else 3)
    if processes:
        assert peak["processes"] == processes
        assert 60 * processes < peak["anonymous"] < 60 * processes + 60
