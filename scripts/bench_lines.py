"""Lines to lines: how fast a trained model translates a text, and a single sentence, beside CTranslate2 with its weights in int8.

    python scripts/bench_lines.py RUN_OR_MODEL SOURCE

Both are loaded already, and take turns; splitting into subwords and joining them counts. A text is shared out among as many
workers as there are threads, CTranslate2's batches have the best of several sizes; one sentence alone has all the threads.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import ctranslate
import torch
from bench_training import measure_spread

from seq2attn import machine
from seq2attn.errors import Seq2attnError
from seq2attn.inference.model import Model, load

BEAMS = (1, 5)
BATCHES = (16, 32, 64, 128)  # sentences
ALONE = 20  # lines that are translated one by one


@dataclass(frozen=True)
class Row:
    """Lines a second of a text with one beam width (1 is greedy search), or of sentences that come one by one.

    spread: half of the turns lie in a range of this share of the median. of_ctranslate2: as a share of CTranslate2's best.
    """

    system: str
    beam: int
    alone: bool
    lines_per_second: float
    spread: float
    of_ctranslate2: float


Work = Callable[[list[str], int], list[str]]  # lines and a beam


def make_ours(model: Model) -> Work:
    """What `model.translate` does."""
    return lambda lines, beam: model.translate(lines, beam=beam, length_penalty=1.0)


def make_peer(model: Model, folder: Path, *, workers: int, threads: int, batch: int) -> Work:
    """CTranslate2 with the weights of `model`, between its tokenizer's two halves."""
    tokenizer = model.tokenizer
    pieces = ctranslate.name_pieces(tokenizer.source_size)
    numbers = {piece: number for number, piece in enumerate(pieces)}
    translator = ctranslate.load_translator(folder, workers=workers, threads=threads, compute_type="int8")

    def translate(lines: list[str], beam: int) -> list[str]:
        sources = [[pieces[token] for token in ids] for ids in tokenizer.encode_source(lines)]
        most = min(
            max(model.limit(len(source)) for source in sources), model.network.longest_target or ctranslate.LONGEST
        )
        found = translator.translate_batch(
            sources, beam_size=beam, max_batch_size=batch, length_penalty=1, max_decoding_length=most
        )
        return tokenizer.decode_target([[numbers[piece] for piece in one.hypotheses[0]] for one in found])

    return translate


def measure(competitors: Mapping[str, Work], lines: list[str], repeats: int, *, alone: bool) -> list[Row]:
    """Let all translate in turn, once to warm up and `repeats` times."""
    texts = [[line] for line in lines[:ALONE]] if alone else [lines]
    threads = torch.get_num_threads()
    rows = []
    for beam in BEAMS:
        seconds: dict[str, list[float]] = {name: [] for name in competitors}
        for _ in range(1 + repeats):
            for name, translate in competitors.items():
                torch.set_num_threads(threads)  # CTranslate2 sets it for the whole process
                started = time.perf_counter()
                for text in texts:
                    translate(text, beam)
                seconds[name].append((time.perf_counter() - started) / sum(map(len, texts)))
        speeds = {name: 1 / statistics.median(times[1:]) for name, times in seconds.items()}
        best = max(speed for name, speed in speeds.items() if name.startswith(ctranslate.NAME))
        rows += [
            Row(name, beam, alone, speed, measure_spread(seconds[name][1:]), speed / best)
            for name, speed in speeds.items()
        ]
    return rows


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description="Translation speed of a trained Transformer, lines to lines.")
    parser.add_argument("model", type=Path, help="a run, or a model folder")
    parser.add_argument("source", type=Path, help="a text, one sentence a line")
    parser.add_argument("--repeats", type=int, default=5, metavar="N", help="turns that count")
    parser.add_argument("--threads", type=int, metavar="N", help="CPU threads (default: PyTorch's choice)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    machine.set_up_torch(arguments.threads)
    threads = torch.get_num_threads()
    lines = arguments.source.read_text(encoding="utf-8").splitlines()
    model = load(arguments.model, "cpu")
    ours = {"seq2attn": make_ours(model)}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ctranslate.convert(model.network, ctranslate.name_pieces(model.tokenizer.source_size), folder, "int8")
        peers = {
            f"{ctranslate.NAME} {threads} × 1, batches of {batch}": make_peer(
                model, folder, workers=threads, threads=1, batch=batch
            )
            for batch in BATCHES
        }
        single = make_peer(model, folder, workers=1, threads=threads, batch=1)
        rows = measure(ours | peers, lines, arguments.repeats, alone=False)
        rows += measure(ours | {f"{ctranslate.NAME} 1 × {threads}": single}, lines, arguments.repeats, alone=True)
    if arguments.json:
        hardware = machine.describe_hardware(torch.device("cpu"))
        print(json.dumps({"machine": hardware, "rows": [asdict(row) for row in rows]}, indent=1))
        return
    width = max(len(row.system) for row in rows)
    for row in rows:
        what = "one by one" if row.alone else "the text"
        speed = f"{row.lines_per_second:,.1f} lines/s, spread {row.spread:.0%}, {row.of_ctranslate2:.2f} × {ctranslate.NAME}"
        print(f"{row.system:<{width}}  {what:<10}  beam {row.beam}  {speed}")


if __name__ == "__main__":
    try:
        main()
    except Seq2attnError as error:
        raise SystemExit(f"error: {error.message}\nhint: {error.hint}") from None
