"""Run a command and print the peak of its memory: the proportional set size (PSS), summed over its processes.

    python scripts/measure_memory.py [--json] -- python -m seq2attn train …

PSS counts a page that several processes share by the share of each, so the sum is what the command takes of the machine.
It is read from /proc (Linux) every few milliseconds; a peak between two readings is missed. The command's exit code is
passed on.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

FIELDS = {"Pss": "total", "Pss_Anon": "anonymous", "Pss_File": "files", "Pss_Shmem": "shared_memory"}


@dataclass(frozen=True)
class Memory:
    """MiB at one moment: in total, of the program's heap, of mapped files (libraries, Arrow), of shared memory."""

    total: float = 0.0
    anonymous: float = 0.0
    files: float = 0.0
    shared_memory: float = 0.0
    processes: int = 0


def find_descendants(process: int) -> Iterator[int]:
    """The ids of a process and of all that it has started, as far as they still run."""
    yield process
    for task in Path(f"/proc/{process}/task").glob("*"):
        try:
            children = (task / "children").read_text(encoding="ascii").split()
        except OSError:
            continue
        for child in children:
            yield from find_descendants(int(child))


def read_memory(process: int) -> Memory:
    """The memory that a process and its descendants take now."""
    sums, processes = dict.fromkeys(FIELDS.values(), 0.0), 0
    for number in find_descendants(process):
        try:
            lines = Path(f"/proc/{number}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]
        except OSError:  # it has just ended
            continue
        processes += 1
        for line in lines:
            name, _, rest = line.partition(":")
            if name in FIELDS:
                sums[FIELDS[name]] += int(rest.split()[0]) / 1024
    return Memory(**sums, processes=processes)


def measure_peak(command: list[str], every: float) -> tuple[Memory, float, int]:
    """The memory when its total was largest, when that was (seconds from the start), and the command's exit code."""
    peak, at, started = Memory(), 0.0, time.monotonic()
    with subprocess.Popen(command) as process:
        while process.poll() is None:
            now = read_memory(process.pid)
            if now.total > peak.total:
                peak, at = now, time.monotonic() - started
            time.sleep(every)
    return peak, at, process.returncode


def main() -> int:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=float, default=0.01, metavar="SECONDS", help="between readings (default: 0.01)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="the command, after --")
    options = parser.parse_args()
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    if not command:
        parser.error("name a command after --")
    peak, at, code = measure_peak(command, options.every)
    if options.json:
        print(json.dumps(asdict(peak) | {"peak_after_seconds": round(at, 2), "exit": code}))
    else:
        parts = f"{peak.anonymous:.0f} anonymous, {peak.files:.0f} files, {peak.shared_memory:.0f} shared"
        print(
            f"peak PSS {peak.total:.0f} MiB ({parts}) in {peak.processes} processes, after {at:.1f} s", file=sys.stderr
        )
    return code


if __name__ == "__main__":
    sys.exit(main())
