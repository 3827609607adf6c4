"""Training speed on random sentences: target tokens a second, against this machine's matrix products and against a peer.

Every figure is a median of updates that take turns (A B C A B C …), so a machine's ups and downs meet all alike: only the
ratios hold. The ceiling is the time of the floating-point operations that the weights' matrix products need for the real
tokens (2 forward and 4 backward for each weight and token), at the rate of one 2048³ product measured in the same turns.
The peer gets the same batches, optimizer, clipping, precision and allocator. All have seen every batch once before: making the
kernels for its shapes, which a training of thousands of updates does once, is not counted.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np
import torch
from marian import NAME, marian
from systems import CONFIGS, choose_peer_size, load_systems
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from seq2attn import machine
from seq2attn.build.model import build_seq2seq
from seq2attn.build.training import build_optimizer, build_schedule
from seq2attn.config.config import Config
from seq2attn.data.batches import Batch, plan, round_length
from seq2attn.errors import Seq2attnError
from seq2attn.models.seq2seq import Seq2Seq
from seq2attn.tensors import send
from seq2attn.tokens import EOS, PAD
from seq2attn.training.trainer import Trainer

CPU = torch.device("cpu")
# Room for the kernels of all systems together.
KERNELS = {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "4096", "LRU_CACHE_CAPACITY": "512"}
PAIRS = 4000  # drawn for an epoch


class Lengths(NamedTuple):
    """Mean and spread of log(source length), and of log(target length / source length)."""

    source: tuple[float, float]
    ratio: tuple[float, float]


MULTI30K = Lengths((2.73, 0.31), (0.04, 0.19))  # in 6,000 subwords
NEWS = Lengths((3.2, 0.55), (0.04, 0.19))  # a mean of 28 subwords, as WMT's English-German news has


@dataclass(frozen=True)
class Row:
    """The speed of one system in one precision; shares are of the ceiling's and the peer's speed.

    spread: half of the updates lie in a range of this share of the median.
    """

    system: str
    precision: machine.Precision
    parameters: int
    target_tokens_per_second: float
    spread: float
    of_ceiling: float | None
    of_peer: float | None


@dataclass(frozen=True)
class Competitor:
    """Something that trains on a batch; `work` counts the floating-point operations of a batch, if that is known."""

    name: str
    parameters: int
    update: Callable[[Batch], None]
    work: Callable[[Batch], float] | None
    trainer: Trainer | None = None


def draw_batches(config: Config, vocabulary: int, lengths: Lengths = MULTI30K, pairs: int = PAIRS) -> list[Batch]:
    """The batches of one epoch of random sentences."""
    random = np.random.default_rng(config.seed)
    logarithms = random.normal(*lengths.source, pairs)
    source = np.exp(logarithms).round().clip(2, config.data.max_length).astype(int)
    target = (
        np.exp(logarithms + random.normal(*lengths.ratio, pairs)).round().clip(2, config.data.max_length).astype(int)
    )

    def sentences(lengths: np.ndarray) -> Tensor:
        words = [torch.from_numpy(random.integers(EOS + 1, vocabulary, length)) for length in lengths]
        for sentence in words:
            sentence[-1] = EOS
        padded = pad_sequence(words, batch_first=True, padding_value=PAD)
        longest = padded.shape[1]
        return nn.functional.pad(padded, (0, round_length(longest, len(words)) - longest), value=PAD)

    planned = plan(
        source, target, batch_tokens=config.training.batch_tokens, seed=config.seed, epoch=0, fingerprint="random"
    )
    return [Batch(sentences(source[indices]), sentences(target[indices]), indices) for indices in planned]


def make_ours(
    name: str, config: Config, vocabulary: int, precision: machine.Precision, device: torch.device = CPU
) -> Competitor:
    """The system of `config`, trained as `seq2attn train` does."""
    torch.manual_seed(config.seed)
    model = build_seq2seq(
        config.model, source_size=vocabulary, target_size=vocabulary, max_length=config.data.max_length
    ).to(device)
    training, batches = config.training, list[Batch]()
    trainer = Trainer(
        model,
        build_optimizer(training.optimizer, model),
        build_schedule(training),
        lambda _: batches,
        max_updates=training.max_updates,
        accumulation=1,
        clip_norm=training.clip_norm,
        label_smoothing=training.label_smoothing,
        autocast=machine.make_autocast(precision, device),
    )

    def update(batch: Batch) -> None:
        batches[:] = [batch]
        trainer.update()

    return Competitor(name, model.parameter_count, update, lambda batch: count_operations(model, batch), trainer)


def count_operations(model: Seq2Seq, batch: Batch) -> float:
    """6 for each weight of a matrix and real token of its side; attention's own products are not counted."""
    source, target = float((batch.source != PAD).sum()), float((batch.target != PAD).sum())
    total = model.output.numel() * target
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear | nn.LSTM):
            weights = sum(parameter.numel() for parameter in module.parameters() if parameter.dim() == 2)
            total += weights * (source if name.startswith("encoder.") else target)
    return 6 * total


def make_peer(config: Config, vocabulary: int, precision: machine.Precision, device: torch.device = CPU) -> Competitor:
    """MarianMT of the size of `config`, in a plain loop."""
    torch.manual_seed(config.seed)
    model = marian(config.model, vocabulary).to(device).train()
    optimizer, autocast = build_optimizer(config.training.optimizer, model), machine.make_autocast(precision, device)

    def update(batch: Batch) -> None:
        source, target = send(batch.source, device), send(batch.target, device)
        labels = target.masked_fill(target == PAD, -100)
        with autocast():
            loss = model(input_ids=source, attention_mask=source != PAD, labels=labels).loss
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), config.training.clip_norm or float("inf"))
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return Competitor(NAME, sum(p.numel() for p in model.parameters()), update, None)


def measure_speeds(
    competitors: Sequence[Competitor], batches: Sequence[Batch], precision: machine.Precision
) -> list[Row]:
    """Let all train on each batch in turn, twice; the second time counts."""
    matrix = torch.randn(2048, 2048).to(torch.bfloat16 if precision == "bf16" else torch.float32)
    products: list[float] = []
    seconds: dict[str, list[float]] = {competitor.name: [] for competitor in competitors}
    for batch in (*batches, *batches):
        products.append(_time(lambda: matrix @ matrix))
        for competitor in competitors:
            seconds[competitor.name].append(_time(lambda c=competitor, b=batch: c.update(b)))  # type: ignore[misc]
    rate = 2 * 2048**3 / statistics.median(products[len(batches) :])
    tokens = [int((batch.target != PAD).sum()) for batch in batches]

    def divide(values: Sequence[float], name: str) -> list[float]:
        return [value / second for value, second in zip(values, seconds[name][len(batches) :], strict=True)]

    speeds = {name: statistics.median(divide(tokens, name)) for name in seconds}
    rows = []
    for competitor in competitors:
        name, work = competitor.name, competitor.work
        works = None if work is None else divide([work(batch) for batch in batches], name)
        of_ceiling = None if works is None else statistics.median(works) / rate
        of_peer = speeds[name] / speeds[NAME] if NAME in speeds else None
        spread = measure_spread(divide(tokens, name))
        rows.append(Row(name, precision, competitor.parameters, speeds[name], spread, of_ceiling, of_peer))
    return rows


def profile(competitor: Competitor, batches: Sequence[Batch]) -> str:
    """PyTorch's table of where the time of an update goes, operation by operation; every batch was seen once before."""
    for batch in batches:
        competitor.update(batch)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as record:
        for batch in batches:
            competitor.update(batch)
    return str(record.key_averages().table(sort_by="self_cpu_time_total", row_limit=25))


def measure_spread(values: Sequence[float]) -> float:
    """The range of the middle half, as a share of the median; 0 for a single value."""
    if len(values) < 2:
        return 0.0
    first, median, third = statistics.quantiles(values, n=4)
    return (third - first) / median


def _time(function: Callable[[], object]) -> float:
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def format_table(rows: Sequence[Row]) -> str:
    """A line for each row, under a header."""
    width = max(len("system"), *(len(row.system) for row in rows))
    lines = [
        f"{'system':<{width}} {'precision':<9} {'parameters':>10} {'tokens/s':>9} {'spread':>6} {'of ceiling':>10} {'of peer':>8}"
    ]
    for row in rows:
        ceiling = "" if row.of_ceiling is None else f"{row.of_ceiling:.0%}"
        of_peer = "" if row.of_peer is None else f"{row.of_peer:.2f} ×"
        speed = f"{row.target_tokens_per_second:,.0f}"
        name = f"{row.system:<{width}} {row.precision:<9} {row.parameters:>10,}"
        lines.append(f"{name} {speed:>9} {row.spread:>6.0%} {ceiling:>10} {of_peer:>8}")
    return "\n".join(lines)


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description="Training speed of each system on random sentences.")
    parser.add_argument("--config", nargs="+", action="extend", metavar="FILE", help="systems to train")
    parser.add_argument("--precision", nargs="+", choices=["fp32", "bf16"], help="default: fp32, and bf16 if native")
    parser.add_argument("--updates", type=int, default=20, metavar="N", help="updates that count, for each system")
    parser.add_argument("--threads", type=int, metavar="N", help="CPU threads (default: PyTorch's choice)")
    parser.add_argument("--peer", action="store_true", help="train Hugging Face's MarianMT too")
    parser.add_argument("--profile", action="store_true", help="print where the time goes instead, for each system")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    os.environ.update(KERNELS)
    machine.set_up_torch(arguments.threads)
    systems = load_systems(arguments.config or CONFIGS)
    precisions = arguments.precision or list(dict.fromkeys(["fp32", machine.resolve_precision("auto", CPU)]))
    first = next(iter(systems.values()))
    vocabulary = first.data.vocab_sizes[0]
    batches = draw_batches(first, vocabulary)[: arguments.updates]
    rows = []
    for precision in precisions:
        competitors = [make_ours(name, config, vocabulary, precision) for name, config in systems.items()]
        if arguments.profile:
            for competitor in competitors:
                print(f"{competitor.name}, {precision}\n{profile(competitor, batches)}")
            continue
        if arguments.peer:
            competitors.append(make_peer(choose_peer_size(systems), vocabulary, precision))
        rows += measure_speeds(competitors, batches, precision)
    if arguments.profile:
        return
    if arguments.json:
        print(json.dumps({"machine": machine.describe_hardware(CPU), "rows": [asdict(row) for row in rows]}, indent=1))
    else:
        print(format_table(rows))


if __name__ == "__main__":
    try:
        main()
    except Seq2attnError as error:
        raise SystemExit(f"error: {error.message}\nhint: {error.hint}") from None
