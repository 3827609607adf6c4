"""Kill runs at random moments, resume them until they end, and hold every ending against that of a run left alone.

    python scripts/torture.py --kills 100

Each ending has a run directory and a cache of its own, so that vocabularies and encodings are killed too. One line for each
ending, a summary, and exit code 1 if anything differs but seconds and speeds.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent

SHARED = (
    "data.train={type: grammar, pairs: 1500, max_words: 12, seed: 1}",
    "data.validation={type: grammar, pairs: 1500, max_words: 12, seed: 1}",
    "data.vocab_size=600",
    "data.max_length=60",
    "model.embedding.width=32",
    "model.dropout=0.1",
    "training.batch_tokens=400",
    "training.precision=fp32",
    "training.validate_every=12",
    "training.log_every=5",
    "training.schedule={type: inverse_sqrt, warmup: 10}",
)
RECURRENT = ("model.encoder.width=24", "model.decoder.width=32")
PLATEAU = (
    "training.schedule={type: plateau, warmup: 5, factor: 0.5, patience: 1, metric: bleu}",
    "training.early_stopping={metric: chrf, patience: 3}",
)
AVERAGING = ("training.select=average", "training.average={count: 3, of: last}", "training.keep_last=3")


@dataclass(frozen=True)
class System:
    """A shipped config made small."""

    name: str
    config: str
    overrides: tuple[str, ...]


SYSTEMS = (
    System(
        "lstm, plateau, early stopping", "demo/lstm", ("model.encoder.width=24", "model.decoder.width=32", *PLATEAU)
    ),
    System("bahdanau, averaging", "demo/bahdanau", (*RECURRENT, *AVERAGING)),
    System(
        "luong, sampling, accumulation",
        "demo/luong",
        (*RECURRENT, "data.tokenizer.sampling=0.1", "training.accumulation=3"),
    ),
    System(
        "transformer, sgd", "demo/transformer", ("training.optimizer={type: sgd, learning_rate: 0.1, momentum: 0.9}",)
    ),
    System("temporal, sampling, plateau", "attention/temporal", (*RECURRENT, "data.tokenizer.sampling=0.2", *PLATEAU)),
    System(
        "gumbel, accumulation",
        "attention/hard",
        (*RECURRENT, "model.decoder.attention.aggregation={type: gumbel}", "training.accumulation=2"),
    ),
    System("hard, best of two, averaging", "attention/hard", (*RECURRENT, "training.keep_best=2", *AVERAGING)),
)
# What is waited for before some of the kills, by glob: under the cache or the run directory.
MOMENTS = {
    "vocabulary": "cache/tokenizers/*.*",
    "corpus": "cache/corpora/*.*",
    "encoding": "cache/encodings/*.*",
    "checkpoint": "run/checkpoints/.update-*.writing",
    "export": "run/.model.writing",
}


def start(system: System, folder: Path, updates: int) -> "subprocess.Popen[bytes]":
    """The training process of a system, in `folder`/run and with `folder`/cache."""
    sets = (*SHARED, *system.overrides, f"training.max_updates={updates}")
    command = [sys.executable, "-m", "seq2attn", "train", f"configs/{system.config}.yaml", "--out", str(folder / "run")]
    command += ["--device", "cpu", "--threads", "1", *(word for key in sets for word in ("--set", key))]
    environment = {
        **os.environ,
        "SEQ2ATTN_CACHE": str(folder / "cache"),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(ROOT),
    }
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def wait_for(process: "subprocess.Popen[bytes]", folder: Path, glob: str, limit: float) -> None:
    """Until something of that name is there, the process has ended, or the time is up."""
    end = time.monotonic() + limit
    while process.poll() is None and time.monotonic() < end and not any(folder.glob(glob)):
        time.sleep(0.0005)


def kill(
    process: "subprocess.Popen[bytes]", folder: Path, draw: random.Random, whole: float, sent: signal.Signals
) -> str | None:
    """Kill at a random moment, half of the times at an interesting one; what was hit, or None if it had ended before."""
    moment = draw.choice([*MOMENTS, *["any"] * len(MOMENTS)])
    if moment == "any":
        after = draw.uniform(0, whole)
        wait_for(process, folder, "no such file", after)
        moment = f"{after:.1f} s"
    else:
        wait_for(process, folder, MOMENTS[moment], whole)
        time.sleep(draw.uniform(0, 0.02))
    if process.poll() is not None:
        return None
    process.send_signal(sent)
    _, errors = process.communicate()
    if process.returncode not in (0, -sent, 128 + sent) or b"Traceback" in errors:  # 0: it was just leaving
        sys.exit(f"{sent.name} at {moment}: exit code {process.returncode}:\n{errors.decode()}")
    return moment


def finish(process: "subprocess.Popen[bytes]") -> None:
    """Let it end, which must be a good end."""
    _, errors = process.communicate()
    if process.returncode:
        sys.exit(f"exit code {process.returncode}:\n{errors.decode()}")


def ending(folder: Path) -> dict[str, Any]:
    """All that must be the same: the exported model, the checkpoints with their bytes, the metrics but for time."""
    run = folder / "run"
    files = [
        *(run / "model").iterdir(),
        *(run / "checkpoints").glob("update-*/*.safetensors"),
        *(run / "tokenizer").iterdir(),
    ]
    events = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    left = [path for path in run.rglob(".*") if path.name != ".lock"]
    return {
        **{str(file.relative_to(run)): file.read_bytes() for file in files},
        "metrics.jsonl": [{key: value for key, value in event.items() if "second" not in key} for event in events],
        "left over": [str(path) for path in left],
    }


def tortured(
    system: System,
    reference: dict[str, Any],
    folder: Path,
    *,
    kills: int,
    updates: int,
    whole: float,
    draw: random.Random,
) -> tuple[int, list[str]]:
    """Kill one run so often, let it end, and say how many kills hit it and what differs."""
    hit: list[str] = []
    while True:
        process = start(system, folder, updates)
        if len(hit) == kills:
            finish(process)
            break
        sent = signal.SIGKILL if draw.random() < 0.8 else signal.SIGTERM
        moment = kill(process, folder, draw, whole, sent)
        if moment is None:
            finish(process)
            break
        hit.append(f"{sent.name} {moment}")
    found = ending(folder)
    differ = [key for key in sorted(found.keys() | reference.keys()) if found.get(key) != reference.get(key)]
    print(
        f"{'different' if differ else 'identical'}  {system.name}: {'; '.join(hit) or 'no kill'} {differ or ''}",
        flush=True,
    )
    return len(hit), differ


def main() -> None:
    """Run the torture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100, help="in all (default: 100)")
    parser.add_argument("--each", type=int, default=3, help="kills of one run at most (default: 3)")
    parser.add_argument("--systems", type=int, default=len(SYSTEMS), help="how many of the systems (default: all)")
    parser.add_argument("--updates", type=int, default=300, help="of each run (default: 300)")
    parser.add_argument("--seed", type=int, default=1, help="of the moments")
    options = parser.parse_args()
    draw, began = random.Random(options.seed), time.monotonic()
    kills, endings, different = 0, 0, 0
    with tempfile.TemporaryDirectory() as name:
        references = []
        for number, system in enumerate(SYSTEMS[: options.systems]):
            folder, started = Path(name) / f"reference-{number}", time.monotonic()
            finish(start(system, folder, options.updates))
            references.append((system, ending(folder), time.monotonic() - started))
            print(f"reference  {system.name}: {references[-1][2]:.1f} s", flush=True)
        while kills < options.kills:
            system, reference, whole = references[endings % len(references)]
            wanted = min(draw.randint(1, options.each), options.kills - kills)
            folder = Path(name) / f"{endings}"
            hit, differ = tortured(
                system, reference, folder, kills=wanted, updates=options.updates, whole=whole, draw=draw
            )
            kills, endings, different = kills + hit, endings + 1, different + bool(differ)
    print(f"{kills} kills, {endings} endings, {different} different; {time.monotonic() - began:.0f} s")
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
