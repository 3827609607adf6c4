"""Translation speed: sentences a second of greedy search and of a beam of 5, for each system and for a peer.

The models have random weights and must write exactly `--length` tokens, so that all do the same work whatever they have
learned. Every figure is a median of searches that take turns (A B C A B C …): only the ratios hold. The peer is the
`generate` of Hugging Face's MarianMT, in the same size, precision (fp32) and process.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import torch
from marian import NAME, marian
from systems import CONFIGS, PEER_CONFIG, load_systems
from torch import Tensor

from seq2attn import machine
from seq2attn.build.model import build_seq2seq
from seq2attn.config.config import Config
from seq2attn.config.load import load_config
from seq2attn.errors import Seq2attnError
from seq2attn.search import Search, Sentences, choose_search
from seq2attn.tokens import EOS

BEAMS = (1, 5)  # 1 is greedy search


@dataclass(frozen=True)
class Row:
    """The speed of one system with one beam width; 1 is greedy search."""

    system: str
    beam: int
    sentences_per_second: float
    of_peer: float | None


@dataclass(frozen=True)
class Competitor:
    """Something that translates the batch with a beam."""

    name: str
    beam: int
    translate: Callable[[], object]


def make_ours(name: str, config: Config, source: Tensor, length: int) -> list[Competitor]:
    """The system of `config`, searched as `seq2attn translate` does."""
    torch.manual_seed(config.seed)
    size = config.data.vocab_sizes[0]
    model = build_seq2seq(config.model, source_size=size, target_size=size, max_length=config.data.max_length).eval()
    with torch.no_grad():
        model.bias[EOS] = -torch.inf
    sentences = Sentences(source, torch.full((len(source),), length), range(len(source)))

    def translate(search: Search) -> Callable[[], object]:
        return lambda: search(model, sentences, torch.arange(EOS))

    return [Competitor(name, beam, translate(choose_search(beam, 1.0))) for beam in BEAMS]


def make_peer(config: Config, source: Tensor, length: int) -> list[Competitor]:
    """MarianMT of the size of `config`."""
    torch.manual_seed(config.seed)
    model = marian(config.model, config.data.vocab_sizes[0]).eval()
    mask = torch.ones_like(source)

    def translate(beam: int) -> Callable[[], object]:
        return torch.inference_mode()(
            lambda: model.generate(
                source,
                attention_mask=mask,
                num_beams=beam,
                do_sample=False,
                min_new_tokens=length,
                max_new_tokens=length,
            )
        )

    return [Competitor(NAME, beam, translate(beam)) for beam in BEAMS]


def measure_speeds(competitors: Sequence[Competitor], sentences: int, repeats: int) -> list[Row]:
    """Let all translate in turn, once to warm up and `repeats` times."""
    seconds: dict[Competitor, list[float]] = {competitor: [] for competitor in competitors}
    for _ in range(1 + repeats):
        for competitor in competitors:
            started = time.perf_counter()
            competitor.translate()
            seconds[competitor].append(time.perf_counter() - started)
    speeds = {(c.name, c.beam): sentences / statistics.median(times[1:]) for c, times in seconds.items()}
    return [
        Row(name, beam, speed, speed / speeds[NAME, beam] if (NAME, beam) in speeds else None)
        for (name, beam), speed in speeds.items()
    ]


def format_table(rows: Sequence[Row]) -> str:
    """A line for each row, under a header."""
    width = max(len("system"), *(len(row.system) for row in rows))
    lines = [f"{'system':<{width}} {'search':<7} {'sentences/s':>11} {'of peer':>8}"]
    for row in rows:
        search = "greedy" if row.beam == 1 else f"beam {row.beam}"
        of_peer = "" if row.of_peer is None else f"{row.of_peer:.2f} ×"
        lines.append(f"{row.system:<{width}} {search:<7} {row.sentences_per_second:>11,.1f} {of_peer:>8}")
    return "\n".join(lines)


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description="Translation speed of each system, with random weights.")
    parser.add_argument("--config", nargs="+", action="extend", metavar="FILE", help="systems that translate")
    parser.add_argument("--sentences", type=int, default=100, metavar="N", help="source sentences of the one batch")
    parser.add_argument("--length", type=int, default=16, metavar="N", help="tokens of each source and translation")
    parser.add_argument("--repeats", type=int, default=5, metavar="N", help="searches that count, for each figure")
    parser.add_argument("--threads", type=int, metavar="N", help="CPU threads (default: PyTorch's choice)")
    parser.add_argument("--peer", action="store_true", help="measure Hugging Face's MarianMT too")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    machine.set_up_torch(arguments.threads)
    systems = load_systems(arguments.config or CONFIGS)
    torch.manual_seed(1)
    vocabulary = min(config.data.vocab_sizes[0] for config in systems.values())
    source = torch.randint(EOS + 1, vocabulary, (arguments.sentences, arguments.length))
    competitors = [
        competitor
        for name, config in systems.items()
        for competitor in make_ours(name, config, source, arguments.length)
    ]
    if arguments.peer:
        competitors += make_peer(load_config(PEER_CONFIG), source, arguments.length)
    rows = measure_speeds(competitors, arguments.sentences, arguments.repeats)
    if arguments.json:
        hardware = machine.describe_hardware(torch.device("cpu"))
        print(json.dumps({"machine": hardware, "rows": [asdict(row) for row in rows]}, indent=1))
    else:
        print(format_table(rows))


if __name__ == "__main__":
    try:
        main()
    except Seq2attnError as error:
        raise SystemExit(f"error: {error.message}\nhint: {error.hint}") from None
