"""Hours on a pipe: lines go through `seq2attn translate` for some minutes; all must come back, and memory must stay flat.

Without --model, a small one is trained first. Prints one JSON object: lines in and out, and the slope of the resident
memory over lines (least squares over the second half of the time), and exits with 1 if lines are lost.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

WORDS = [
    "the",
    "a",
    "old",
    "small",
    "dog",
    "cat",
    "bed",
    "house",
    "sleeps",
    "runs",
    "sees",
    "and",
    "漢字",
    "שלום",
    "🙂",
    "naïve",
]
TRAIN = """
data: {{source: en, target: de, train: {0}/train, validation: {0}/train, vocab_size: 300}}
model: {{embedding: {{width: 32}}, encoder: {{type: lstm, width: 32}}, decoder: {{type: luong, width: 32}}}}
training: {{max_updates: 200, batch_tokens: 1000, validate_every: 200}}
"""


def lines(seed: int) -> Iterator[str]:
    """Endless text: mostly short lines, some blank, one in a hundred very long."""
    draw = random.Random(seed)
    while True:
        number = draw.choice([0, 1, *[draw.randint(2, 15)] * 8]) if draw.random() < 0.99 else 500
        yield " ".join(draw.choices(WORDS, k=number))


def train(folder: Path) -> Path:
    """A run on a made-up corpus: the target is the source in reverse."""
    text = [line for line, _ in zip(lines(0), range(2000), strict=False) if 0 < len(line) < 100]
    (folder / "train.en").write_text("\n".join(text) + "\n", encoding="utf-8")
    (folder / "train.de").write_text("\n".join(" ".join(line.split()[::-1]) for line in text) + "\n", encoding="utf-8")
    (folder / "config.yaml").write_text(TRAIN.format(folder), encoding="utf-8")
    command = [sys.executable, "-m", "seq2attn", "train", str(folder / "config.yaml"), "--out", str(folder / "run")]
    subprocess.run([*command, "--threads", "1"], check=True)
    return folder / "run"


def resident(process: int) -> float:
    """Memory of a process in MiB."""
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS"))


def slope(points: list[tuple[int, float]]) -> float:
    """Of the line nearest to the points."""
    mean_x, mean_y = (sum(axis) / len(points) for axis in zip(*points, strict=True))
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread


def feed(pipe: IO[bytes], until: float, sent: list[int]) -> None:
    """Write lines until the time is over."""
    for line in lines(1):
        if time.monotonic() > until:
            break
        pipe.write(line.encode() + b"\n")
        sent[0] += 1
    pipe.close()


def soak(model: Path, minutes: float) -> dict[str, Any]:
    """Translate for so long."""
    command = [sys.executable, "-m", "seq2attn", "translate", str(model), "--beam", "1", "--threads", "1"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        sent, received, points = [0], 0, list[tuple[int, float]]()
        until = time.monotonic() + 60 * minutes
        writer = threading.Thread(target=feed, args=(process.stdin, until, sent))
        writer.start()
        for received, _ in enumerate(process.stdout, start=1):
            if received % 100 == 0:
                points.append((received, resident(process.pid)))
        writer.join()
    half = points[len(points) // 2 :]
    return {
        "minutes": minutes,
        "lines_in": sent[0],
        "lines_out": received,
        "exit": process.returncode,
        "resident_mib_at_fifths": [round(points[(len(points) - 1) * fifth // 5][1], 1) for fifth in range(6)],
        "slope_mib_per_1000_lines": round(1000 * slope(half), 4),
    }


def main() -> int:
    """Exit code 0 if every line came back."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("minutes", type=float, help="how long")
    parser.add_argument("--model", type=Path, help="run directory or model folder")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = soak(arguments.model or train(Path(folder)), arguments.minutes)
    print(json.dumps(result, indent=2))
    return int(result["lines_in"] != result["lines_out"] or result["exit"] != 0)


if __name__ == "__main__":
    sys.exit(main())
