"""A GPU's speed: training with batches of 25,000 target tokens, decoding 256 sentences at once, and the laws on CUDA.

Training: bf16, random sentences as long as news; of the card's matrix products, measured as one 8192³ product in the same run,
a system's share is the floating-point operations that its weights need for the real tokens (2 forward and 4 backward for each
weight and token). `computing`: the share of the time in which the GPU had something to do, in a profiled update. Hugging Face's
MarianMT, if `transformers` is installed, trains on the same batches, and decodes with weights in bf16.

Nothing is downloaded. --out FILE writes the figures as JSON, and beside it a table of the longest kernels of each system.
"""

import argparse
import gc
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import bench_training
import bench_translation
import torch
from marian import NAME
from systems import load_systems
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from seq2attn import machine
from seq2attn.compiling import allow_compiling, can_compile
from seq2attn.config.config import Config
from seq2attn.data.batches import Batch
from seq2attn.errors import Seq2attnError, UsageError
from seq2attn.tokens import EOS, PAD

GPU = torch.device("cuda")
CONFIGS = [f"configs/bench/gpu/{system}.yaml" for system in ("transformer-512", "transformer-1024", "lstm")]
CONFIGS += [f"configs/bench/gpu/{system}.yaml" for system in ("luong-nofeed", "luong", "bahdanau")]
PEERS = ["transformer-512", "transformer-1024"]  # whose size MarianMT takes
DECODED = ["transformer-512", "luong"]
BATCHES, WARM_UP, TURNS = 8, 3, 3
SENTENCES, LENGTH = 256, 28
PEAKS = {"NVIDIA H100": 989e12, "NVIDIA H200": 989e12, "NVIDIA A100": 312e12}  # dense bf16, of the data sheets


@dataclass(frozen=True)
class TrainingRow:
    """What one system did. `tokens_per_second`: target tokens; `all_tokens_per_second`: source and target together."""

    system: str
    parameters: int
    tokens_per_second: float
    all_tokens_per_second: float
    of_products: float | None
    of_peak: float | None
    computing: float
    gigabytes: float
    warm_up_seconds: float
    of_peer: float | None = None


@dataclass(frozen=True)
class DecodingRow:
    """Sentences a second of one system with one beam width; 1 is greedy search."""

    system: str
    beam: int
    sentences_per_second: float
    of_peer: float | None = None


def time_on_gpu(work: Callable[[], object]) -> float:
    """Seconds until the GPU has done it."""
    torch.cuda.synchronize()
    started = time.perf_counter()
    work()
    torch.cuda.synchronize()
    return time.perf_counter() - started


def measure_products() -> float:
    """Floating-point operations a second of an 8192³ product in bf16."""
    matrix = torch.randn(8192, 8192, device=GPU, dtype=torch.bfloat16)
    times = [time_on_gpu(lambda: [matrix @ matrix for _ in range(10)]) / 10 for _ in range(4)]
    return 2 * 8192**3 / statistics.median(times[1:])


def measure_training(
    competitor: bench_training.Competitor, batches: Sequence[Batch], products: float, kernels: Path | None
) -> TrainingRow:
    """Let one system train on all batches, some times to warm up and then `TURNS` times."""
    torch.cuda.reset_peak_memory_stats()

    def train() -> None:
        for batch in batches:
            competitor.update(batch)

    warm_up = sum(time_on_gpu(train) for _ in range(WARM_UP))
    seconds = statistics.median([time_on_gpu(train) for _ in range(TURNS)])
    memory = torch.cuda.max_memory_allocated() / 1e9
    target = sum(int((batch.target != PAD).sum()) for batch in batches)
    source = sum(int((batch.source != PAD).sum()) for batch in batches)
    captured = None if competitor.trainer is None else competitor.trainer.captured
    if captured is not None:
        print(f"{competitor.name}: {captured.graphs} graphs; failure: {captured.failure}"[:600])
    rate = None if competitor.work is None else sum(map(competitor.work, batches)) / seconds
    peak = next((peak for card, peak in PEAKS.items() if torch.cuda.get_device_name().startswith(card)), None)
    return TrainingRow(
        competitor.name,
        competitor.parameters,
        target / seconds,
        (source + target) / seconds,
        None if rate is None else rate / products,
        None if rate is None or peak is None else rate / peak,
        measure_computing(competitor, batches[:3], kernels),
        memory,
        warm_up,
    )


def measure_computing(competitor: bench_training.Competitor, batches: Sequence[Batch], kernels: Path | None) -> float:
    """The share of the time in which kernels ran; their table is added to the file `kernels`."""

    def train() -> None:
        for batch in batches:
            competitor.update(batch)

    seconds = time_on_gpu(train)
    with profile(activities=[ProfilerActivity.CUDA], acc_events=True) as profiler:
        time_on_gpu(train)
    averages = profiler.key_averages()
    if kernels is not None:
        table = averages.table(sort_by="self_device_time_total", row_limit=25, max_name_column_width=90)
        with kernels.open("a", encoding="utf-8") as file:
            print(f"{competitor.name}: {seconds * 1e3:.1f} ms\n{table}", file=file)
    return sum(event.self_device_time_total for event in averages) / 1e6 / seconds


def train_all(systems: dict[str, Config], products: float, kernels: Path | None) -> list[TrainingRow]:
    """Every system and its peer, one after the other, each with the GPU's memory to itself."""
    rows: list[TrainingRow] = []
    has_peer = importlib.util.find_spec("transformers") is not None
    for name, config in systems.items():
        vocabulary = config.data.vocab_sizes[0]
        pairs = 2 * BATCHES * config.training.batch_tokens // 16
        batches = bench_training.draw_batches(config, vocabulary, bench_training.NEWS, pairs)[:BATCHES]
        makers = [partial(bench_training.make_ours, name, config, vocabulary, "bf16", GPU)]
        if has_peer and name in PEERS:
            makers.append(partial(bench_training.make_peer, config, vocabulary, "bf16", GPU))
        found = []
        for make in makers:
            found.append(measure_training(make(), batches, products, kernels))
            gc.collect()
            torch.cuda.empty_cache()
            print(format_training(found[-1]), flush=True)
        if len(found) > 1:
            ratio = found[0].tokens_per_second / found[1].tokens_per_second
            found[0] = TrainingRow(**asdict(found[0]) | {"of_peer": ratio})
            print(f"{name}: {ratio:.2f} × {NAME}", flush=True)
        rows += found
    return rows


def decode_all(systems: dict[str, Config], source: Tensor) -> list[DecodingRow]:
    """Every system and MarianMT of the first one's size."""
    competitors = [
        competitor
        for name, config in systems.items()
        for competitor in bench_translation.make_ours(name, config, source, LENGTH, "bf16", GPU)
    ]
    if importlib.util.find_spec("transformers") is not None:
        config = next(iter(systems.values()))
        competitors += bench_translation.make_peer(config, source, LENGTH, GPU, torch.bfloat16)
    seconds = {c: [time_on_gpu(c.translate) for _ in range(1 + TURNS)][1:] for c in competitors}
    speeds = {(c.name, c.beam): len(source) / statistics.median(times) for c, times in seconds.items()}
    rows = []
    for (name, beam), speed in speeds.items():
        peer = speeds.get((NAME, beam))
        rows.append(DecodingRow(name, beam, speed, None if peer is None else speed / peer))
        print(
            f"{name}, beam {beam}: {speed:,.0f} sentences/s"
            + ("" if peer is None else f", {speed / peer:.2f} × {NAME}")
        )
    return rows


def format_training(row: TrainingRow) -> str:
    """One line."""
    shares = "" if row.of_products is None else f", {row.of_products:.0%} of the products"
    shares += "" if row.of_peak is None else f" ({row.of_peak:.0%} of the data sheet)"
    return (
        f"{row.system}: {row.tokens_per_second:,.0f} target tokens/s ({row.all_tokens_per_second:,.0f} with the source)"
        f"{shares}; computing {row.computing:.0%} of the time; {row.gigabytes:.1f} GB; warm-up {row.warm_up_seconds:.1f} s"
    )


def check_laws() -> str:
    """Run tests/laws on CUDA; the last line of what pytest says."""
    command = [sys.executable, "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider", "tests/laws"]
    done = subprocess.run(
        command, env=os.environ | {"SEQ2ATTN_TEST_DEVICE": "cuda"}, capture_output=True, text=True, check=False
    )
    lines = done.stdout.strip().splitlines()
    print("\n".join(line[:300] for line in lines[-60:]), done.stderr[-2000:], sep="\n", flush=True)
    return lines[-1] if lines else done.stderr


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description="The speed of a GPU, and the laws on CUDA.")
    parser.add_argument("--config", nargs="+", action="extend", metavar="FILE", help="systems to train")
    parser.add_argument("--eager", action="store_true", help="without PyTorch's compiler")
    parser.add_argument("--only", nargs="+", choices=["train", "decode", "laws"], help="parts to run (default: all)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the figures as JSON, and FILE.kernels.txt")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        raise UsageError("no CUDA device: this machine or this build of PyTorch has none", "run it where there is one")
    parts = arguments.only or ["train", "decode", "laws"]
    machine.set_up_torch(None)
    allow_compiling(can_compile(GPU) and not arguments.eager)
    systems = load_systems(arguments.config or CONFIGS)
    products = measure_products()
    print(
        f"{torch.cuda.get_device_name()}, torch {torch.__version__}: {products / 1e12:.0f} TFLOP/s in bf16", flush=True
    )
    kernels = None if arguments.out is None else arguments.out.with_suffix(".kernels.txt")
    training = train_all(systems, products, kernels) if "train" in parts else []
    torch.manual_seed(1)
    source = torch.randint(EOS + 1, 32000, (SENTENCES, LENGTH))
    decoding = (
        decode_all({name: systems[name] for name in DECODED if name in systems}, source) if "decode" in parts else []
    )
    laws = check_laws() if "laws" in parts else None
    if arguments.out is not None:
        figures = {
            "machine": machine.describe_hardware(GPU) | {"torch": torch.__version__},
            "products_per_second": products,
            "training": [asdict(row) for row in training],
            "decoding": [asdict(row) for row in decoding],
            "laws": laws,
        }
        arguments.out.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except Seq2attnError as error:
        raise SystemExit(f"error: {error.message}\nhint: {error.hint}") from None
