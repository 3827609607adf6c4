"""Translation speed: sentences a second of greedy search and of a beam of 5, for each system and for its peers.

The models have random weights and must write exactly `--length` tokens, so that all do the same work whatever they have
learned. Every figure is a median of searches that take turns (A B C A B C …): only the ratios hold. The peers are the
`generate` of Hugging Face's MarianMT, in the same size and process and in fp32, and CTranslate2 with the very weights of the
Transformer in int8, in each division of the threads: workers times threads of each.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import ctranslate
import torch
from bench_training import measure_spread
from marian import NAME, marian
from systems import CONFIGS, choose_installed, choose_peer_size, load_systems
from torch import Tensor

from seq2attn import machine
from seq2attn.build.model import build_seq2seq
from seq2attn.config.config import Config
from seq2attn.errors import Seq2attnError
from seq2attn.models.seq2seq import Seq2Seq
from seq2attn.search import Engine, OutputLimit, Translator, choose_search
from seq2attn.tokens import EOS

BEAMS = (1, 5)  # 1 is greedy search
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Row:
    """The speed of one system with one beam width; 1 is greedy search.

    spread: half of the searches lie in a range of this share of the median.
    of_peer: as a share of MarianMT's. of_ctranslate2: of CTranslate2's, by its best division of the threads.
    """

    system: str
    beam: int
    sentences_per_second: float
    spread: float
    of_peer: float | None
    of_ctranslate2: float | None


@dataclass(frozen=True)
class Competitor:
    """Something that translates the batch with a beam."""

    name: str
    beam: int
    translate: Callable[[], object]


def make_ours(
    name: str,
    config: Config,
    source: Tensor,
    length: int,
    precision: machine.Precision,
    device: torch.device = CPU,
) -> list[Competitor]:
    """The system of `config`, searched as `seq2attn translate` does."""
    model = _build(config).to(device)
    with torch.no_grad():
        model.bias[EOS] = -torch.inf
    sources = [[ids] for ids in source.tolist()]

    def translate(beam: int) -> Callable[[], object]:
        search, limit = choose_search(beam, 1.0), OutputLimit.fixed(length)
        engine = Engine(model, Numbers(), precision)  # type: ignore[arg-type]
        translator = Translator(engine, search, limit=limit)
        return lambda: list(translator.translate_encoded(sources))

    return [Competitor(name, beam, translate(beam)) for beam in BEAMS]


def _build(config: Config) -> Seq2Seq:
    torch.manual_seed(config.seed)
    size = config.data.vocab_sizes[0]
    return build_seq2seq(config.model, source_size=size, target_size=size, max_length=config.data.max_length).eval()


class Numbers:
    """A tokenizer for models that have learned nothing: there is no text to read or write."""

    def banned_tokens(self) -> list[int]:
        """Those that no hypothesis may hold."""
        return list(range(EOS))

    def decode_target(self, tokens: Sequence[Sequence[int]]) -> list[str]:
        """A text for each hypothesis."""
        return ["" for _ in tokens]


def make_peer(
    config: Config, source: Tensor, length: int, device: torch.device = CPU, dtype: torch.dtype = torch.float32
) -> list[Competitor]:
    """MarianMT of the size of `config`."""
    torch.manual_seed(config.seed)
    model = marian(config.model, config.data.vocab_sizes[0]).to(device, dtype).eval()
    source = source.to(device)
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


def make_ctranslate2(config: Config, source: Tensor, length: int) -> list[Competitor]:
    """CTranslate2 with the weights of `config`'s system in int8: its workers share the batch, or one worker its threads."""
    pieces, threads = ctranslate.name_pieces(config.data.vocab_sizes[0]), torch.get_num_threads()
    texts = [[pieces[token] for token in sentence] for sentence in source.tolist()]
    competitors: list[Competitor] = []
    with tempfile.TemporaryDirectory() as folder:
        ctranslate.convert(_build(config), pieces, Path(folder), "int8")
        for workers in sorted({1, threads}):
            translator = ctranslate.load_translator(
                Path(folder), workers=workers, threads=threads // workers, compute_type="int8"
            )

            def translate(beam: int, workers: int = workers, translator: Any = translator) -> Callable[[], object]:
                return lambda: translator.translate_batch(
                    texts,
                    beam_size=beam,
                    max_batch_size=-(-len(texts) // workers),
                    min_decoding_length=length,
                    max_decoding_length=length,
                )

            name = f"{ctranslate.NAME} {workers} × {threads // workers}"
            competitors += [Competitor(name, beam, translate(beam)) for beam in BEAMS]
    torch.set_num_threads(threads)  # which CTranslate2 has changed
    return competitors


PEERS = {"transformers": make_peer, "ctranslate2": make_ctranslate2}  # by the package that they need


def measure_speeds(competitors: Sequence[Competitor], sentences: int, repeats: int) -> list[Row]:
    """Let all translate in turn, once to warm up and `repeats` times."""
    seconds: dict[Competitor, list[float]] = {competitor: [] for competitor in competitors}
    threads = torch.get_num_threads()
    for _ in range(1 + repeats):
        for competitor in competitors:
            torch.set_num_threads(threads)  # CTranslate2 sets it for the whole process
            started = time.perf_counter()
            competitor.translate()
            seconds[competitor].append(time.perf_counter() - started)
    speeds = {(c.name, c.beam): sentences / statistics.median(times[1:]) for c, times in seconds.items()}
    spreads = {(c.name, c.beam): measure_spread(times[1:]) for c, times in seconds.items()}

    def divide(speed: float, peer: str, beam: int) -> float | None:
        best = max((s for (name, b), s in speeds.items() if name.startswith(peer) and b == beam), default=None)
        return None if best is None else speed / best

    return [
        Row(name, beam, speed, spreads[name, beam], divide(speed, NAME, beam), divide(speed, ctranslate.NAME, beam))
        for (name, beam), speed in speeds.items()
    ]


def format_table(rows: Sequence[Row]) -> str:
    """A line for each row, under a header."""
    width = max(len("system"), *(len(row.system) for row in rows))
    lines = [
        f"{'system':<{width}} {'search':<7} {'sentences/s':>11} {'spread':>6} {'of MarianMT':>11} {'of CTranslate2':>14}"
    ]
    for row in rows:
        search = "greedy" if row.beam == 1 else f"beam {row.beam}"
        ratios = ["" if ratio is None else f"{ratio:.2f} ×" for ratio in (row.of_peer, row.of_ctranslate2)]
        speed = f"{row.sentences_per_second:,.1f}"
        lines.append(
            f"{row.system:<{width}} {search:<7} {speed:>11} {row.spread:>6.0%} {ratios[0]:>11} {ratios[1]:>14}"
        )
    return "\n".join(lines)


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description="Translation speed of each system, with random weights.")
    parser.add_argument("--config", nargs="+", action="extend", metavar="FILE", help="systems that translate")
    parser.add_argument("--sentences", type=int, default=100, metavar="N", help="source sentences of the one batch")
    parser.add_argument("--length", type=int, default=16, metavar="N", help="tokens of each source and translation")
    parser.add_argument("--repeats", type=int, default=5, metavar="N", help="searches that count, for each figure")
    parser.add_argument("--threads", type=int, metavar="N", help="CPU threads (default: PyTorch's choice)")
    parser.add_argument("--precision", choices=["fp32", "bf16"], help="of our systems (default: as translate chooses)")
    parser.add_argument("--peer", action="store_true", help="measure MarianMT and CTranslate2 too, if installed")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    machine.set_up_torch(arguments.threads)
    systems = load_systems(arguments.config or CONFIGS)
    torch.manual_seed(1)
    vocabulary = min(config.data.vocab_sizes[0] for config in systems.values())
    source = torch.randint(EOS + 1, vocabulary, (arguments.sentences, arguments.length))
    precision = arguments.precision or machine.resolve_precision("auto", CPU)
    competitors = [
        competitor
        for name, config in systems.items()
        for competitor in make_ours(name, config, source, arguments.length, precision)
    ]
    if arguments.peer:
        peer = choose_peer_size(systems)
        for make in choose_installed(PEERS):
            competitors += make(peer, source, arguments.length)
    rows = measure_speeds(competitors, arguments.sentences, arguments.repeats)
    if arguments.json:
        hardware = machine.describe_hardware(CPU)
        print(json.dumps({"machine": hardware, "rows": [asdict(row) for row in rows]}, indent=1))
    else:
        print(format_table(rows))


if __name__ == "__main__":
    try:
        main()
    except Seq2attnError as error:
        raise SystemExit(f"error: {error.message}\nhint: {error.hint}") from None
