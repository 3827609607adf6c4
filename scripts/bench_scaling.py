"""How the time of a translated token grows with the length of the sentence, for each system: greedy search and a beam of 5.

Source and translation have the same length, which is forced; the models have random weights. Lengths take turns, so that only
the ratios to the shortest one hold.
"""

import argparse
import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import bench_translation
import torch
from bench_translation import CPU
from systems import CONFIGS, load_systems

from seq2attn import machine
from seq2attn.errors import Seq2attnError
from seq2attn.tokens import EOS

LENGTHS = (10, 20, 40, 80)


@dataclass(frozen=True)
class Row:
    """Milliseconds of a token of all sentences together, and that as a multiple of the shortest length's."""

    system: str
    beam: int
    length: int
    milliseconds_per_token: float
    of_shortest: float


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description="Time of a token by the length of the sentence.")
    parser.add_argument("--config", nargs="+", action="extend", metavar="FILE", help="systems that translate")
    parser.add_argument("--sentences", type=int, default=32, metavar="N", help="sentences of the one batch")
    parser.add_argument("--repeats", type=int, default=5, metavar="N", help="searches that count, for each figure")
    parser.add_argument("--threads", type=int, metavar="N", help="CPU threads (default: PyTorch's choice)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    machine.set_up_torch(arguments.threads)
    torch.manual_seed(1)
    rows = []
    for name, config in load_systems(arguments.config or CONFIGS).items():
        competitors = {}
        for length in LENGTHS:
            source = torch.randint(EOS + 1, config.data.vocab_sizes[0], (arguments.sentences, length))
            precision = machine.resolve_precision("auto", CPU)
            for competitor in bench_translation.make_ours(name, config, source, length, precision):
                competitors[competitor.beam, length] = competitor
        seconds = time_in_turns(list(competitors.values()), arguments.repeats)
        tokens = {key: median / key[1] for key, median in zip(competitors, seconds, strict=True)}
        rows += [
            Row(name, beam, length, 1e3 * found, found / tokens[beam, LENGTHS[0]])
            for (beam, length), found in tokens.items()
        ]
    if arguments.json:
        print(json.dumps({"machine": machine.describe_hardware(CPU), "rows": [asdict(row) for row in rows]}, indent=1))
        return
    for row in rows:
        search = "greedy" if row.beam == 1 else f"beam {row.beam}"
        print(
            f"{row.system:<13} {search:<7} {row.length:>3} tokens: {row.milliseconds_per_token:7.2f} ms a token, "
            f"{row.of_shortest:.2f} × that of {LENGTHS[0]}"
        )


def time_in_turns(competitors: Sequence[bench_translation.Competitor], repeats: int) -> list[float]:
    """The median seconds of each, after one turn to warm up."""
    seconds: list[list[float]] = [[] for _ in competitors]
    for _ in range(1 + repeats):
        for competitor, times in zip(competitors, seconds, strict=True):
            started = time.perf_counter()
            competitor.translate()
            times.append(time.perf_counter() - started)
    return [statistics.median(times[1:]) for times in seconds]


if __name__ == "__main__":
    try:
        main()
    except Seq2attnError as error:
        raise SystemExit(f"error: {error.message}\nhint: {error.hint}") from None
