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
from pathlib import Path

import torch
from marian import NAME, marian
from torch import Tensor

from seq2attn import machine
from seq2attn.build.model import build_seq2seq
from seq2attn.config.config import Config
from seq2attn.config.load import load_config
from seq2attn.errors import Seq2attnError
from seq2attn.search import Search, Sentences, choose_search
from seq2attn.tokens import EOS

CONFIGS = [f"configs/multi30k/{system}.yaml" for system in ("lstm", "bahdanau", "luong", "transformer")]
PEER = "configs/multi30k/transformer.yaml"
BEAMS = (1, 5)  # 1 is greedy search


@dataclass(frozen=True)
class Row:
    """One system with one beam."""

    system: str
    beam: int
    sentences_per_second: float
    of_peer: float | None


@dataclass(frozen=True)
class Contestant:
    """Something that translates the batch with a beam."""

    name: str
    beam: int
    translate: Callable[[], object]


def ours(config: Config, source: Tensor, length: int) -> list[Contestant]:
    """The system of `config`, searched as `seq2attn translate` does."""
    torch.manual_seed(config.seed)
    size = config.data.vocab_size
    model = build_seq2seq(config.model, source_size=size, target_size=size, max_length=config.data.max_length).eval()
    with torch.no_grad():
        model.bias[EOS] = -torch.inf
    sentences = Sentences(source, torch.full((len(source),), length), range(len(source)))

    def translate(search: Search) -> Callable[[], object]:
        return lambda: search(model, sentences, torch.arange(EOS))

    return [Contestant(config.model.decoder.type, beam, translate(choose_search(beam, 1.0))) for beam in BEAMS]


def peer(config: Config, source: Tensor, length: int) -> list[Contestant]:
    """MarianMT of the size of `config`."""
    torch.manual_seed(config.seed)
    model = marian(config.model, config.data.vocab_size).eval()
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

    return [Contestant(NAME, beam, translate(beam)) for beam in BEAMS]


def measure(contestants: Sequence[Contestant], sentences: int, repeats: int) -> list[Row]:
    """Let all translate in turn, once to warm up and `repeats` times."""
    seconds: dict[Contestant, list[float]] = {contestant: [] for contestant in contestants}
    for _ in range(1 + repeats):
        for contestant in contestants:
            started = time.perf_counter()
            contestant.translate()
            seconds[contestant].append(time.perf_counter() - started)
    speeds = {(c.name, c.beam): sentences / statistics.median(times[1:]) for c, times in seconds.items()}
    return [
        Row(name, beam, speed, speed / speeds[NAME, beam] if (NAME, beam) in speeds else None)
        for (name, beam), speed in speeds.items()
    ]


def table(rows: Sequence[Row]) -> str:
    """The rows for a terminal."""
    lines = [f"{'system':<12} {'search':<7} {'sentences/s':>11} {'of peer':>8}"]
    for row in rows:
        search = "greedy" if row.beam == 1 else f"beam {row.beam}"
        of_peer = "" if row.of_peer is None else f"{row.of_peer:.2f} ×"
        lines.append(f"{row.system:<12} {search:<7} {row.sentences_per_second:>11,.1f} {of_peer:>8}")
    return "\n".join(lines)


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description="Translation speed of each system, with random weights.")
    parser.add_argument("--config", nargs="+", default=CONFIGS, metavar="FILE", help="systems that translate")
    parser.add_argument("--sentences", type=int, default=100, metavar="N", help="source sentences of the one batch")
    parser.add_argument("--length", type=int, default=16, metavar="N", help="tokens of each source and translation")
    parser.add_argument("--repeats", type=int, default=5, metavar="N", help="searches that count, for each figure")
    parser.add_argument("--threads", type=int, metavar="N", help="CPU threads (default: PyTorch's choice)")
    parser.add_argument("--peer", action="store_true", help="measure Hugging Face's MarianMT too")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    machine.set_up_torch(arguments.threads)
    configs = [load_config(Path(file)) for file in arguments.config]
    torch.manual_seed(1)
    vocabulary = min(config.data.vocab_size for config in configs)
    source = torch.randint(EOS + 1, vocabulary, (arguments.sentences, arguments.length))
    contestants = [contestant for config in configs for contestant in ours(config, source, arguments.length)]
    if arguments.peer:
        contestants += peer(load_config(PEER), source, arguments.length)
    rows = measure(contestants, arguments.sentences, arguments.repeats)
    if arguments.json:
        where = machine.describe_hardware(torch.device("cpu"))
        print(json.dumps({"machine": where, "rows": [asdict(row) for row in rows]}, indent=1))
    else:
        print(table(rows))


if __name__ == "__main__":
    try:
        main()
    except Seq2attnError as error:
        raise SystemExit(f"error: {error.message}\nhint: {error.hint}") from None
