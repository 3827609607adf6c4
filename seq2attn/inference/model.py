"""A trained model, ready to translate: the public Python API."""

import sys
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

import torch

from seq2attn import machine
from seq2attn.build.model import build_seq2seq
from seq2attn.config.config import Config
from seq2attn.config.load import load_complete_config
from seq2attn.data.languages import space
from seq2attn.data.tokenizer import Tokenizer
from seq2attn.errors import DataError, UsageError
from seq2attn.inference.files import CONFIG, WEIGHTS, check_files, check_finite, header
from seq2attn.models.seq2seq import Seq2Seq
from seq2attn.search import Search, Translator, choose_search
from seq2attn.search.translator import OnLong, Translation
from seq2attn.training.checkpoint import load_weights, read_tensors

ANY_LENGTH = sys.maxsize


class Model:
    """A network with its tokenizer and config. `path` is its model folder."""

    def __init__(self, network: Seq2Seq, tokenizer: Tokenizer, config: Config, path: Path) -> None:
        self.network = network
        self.tokenizer = tokenizer
        self.config = config
        self.path = path

    def translate(
        self,
        lines: Iterable[str],
        *,
        beam: int = 5,
        length_penalty: float = 1.0,
        batch_tokens: int = 4000,
        on_long: OnLong = "split",
        max_length: int | None = None,
    ) -> list[str]:
        """One translation for each line, in order; a blank line gives an empty one. Beam 1 is greedy search.

        A line of more than `max_length` subwords (None: `data.max_length`, the longest of training; never more than the
        model can read) is split into sentences and joined again, or truncated, each with a warning at the end, or is a
        DataError.
        """
        search = choose_search(beam, length_penalty)
        translator = self.translator(search, batch_tokens=batch_tokens, on_long=on_long, max_length=max_length)
        translations = [best[0].text for best in translator.translate(lines)]
        if translator.overlong:
            warnings.warn(long_lines_text(translator, on_long), stacklevel=2)
        return translations

    def search(self, lines: Iterable[str], search: Search, *, batch_tokens: int = 4000) -> Iterator[list[Translation]]:
        """The hypotheses of each line, best first, as they become ready; `search` is a Greedy, Beam or Sampling.

        Long lines are split; their k-th best is that of all parts joined, with the sum of the scores.
        """
        return self.translator(search, batch_tokens=batch_tokens).translate(lines)

    def translator(
        self, search: Search, *, batch_tokens: int = 4000, on_long: OnLong = "split", max_length: int | None = None
    ) -> Translator:
        """What translates lines in that way; `max_length` as in `translate`."""
        wanted = self.config.data.max_length if max_length is None else max_length
        return Translator(
            self.network,
            self.tokenizer,
            search,
            batch_tokens=batch_tokens,
            longest=min(wanted, self.config.longest_source or wanted),
            on_long=on_long,
            space=space(self.config.data.target),
        )


def long_lines_text(translator: Translator, on_long: OnLong) -> str:
    """How many lines were too long, and what was done with them."""
    done = {"split": "split", "truncate": "truncated", "error": "refused"}[on_long]
    number = translator.overlong
    were = "line of more than {} subwords was" if number == 1 else "lines of more than {} subwords were"
    return f"{number:,} {were.format(f'{translator.longest:,}')} {done}"


def load(path: str | Path, device: str = "auto") -> Model:
    """Load a run directory, or its model/ folder wherever it was copied.

    Raises UsageError if there is no model, DataError or ConfigError if it is damaged. Whatever the folder holds, none of it
    is executed, nothing outside of it is read, and no memory is taken that its files do not fill.
    """
    folder = model_folder(Path(path))
    where = machine.device(device)
    check_files(folder)
    config = load_complete_config(folder / CONFIG)
    tokenizer = Tokenizer.load(folder)
    if tokenizer.joint != config.data.tokenizer.joint:
        raise DataError(f"{folder}: its SentencePiece models are not those of its config", "copy the model again")
    weights = folder / WEIGHTS
    found = header(weights)
    layers = config.model.encoder.layers + config.model.decoder.layers
    if layers > len(found):
        raise DataError(
            f"{weights}: does not fit the config's model: it has no {layers} layers", "copy the model again"
        )
    with torch.device("meta"):
        outline = _network(config, tokenizer, weights)
    load_weights(outline, found, weights)
    tensors = read_tensors(weights)
    check_finite(weights, tensors)
    network = _network(config, tokenizer, weights)
    load_weights(network, tensors, weights)
    network.to(where, torch.float32).eval()
    return Model(network, tokenizer, config, folder)


def _network(config: Config, tokenizer: Tokenizer, weights: Path) -> Seq2Seq:
    try:
        return build_seq2seq(
            config.model,
            source_size=tokenizer.source_size,
            target_size=tokenizer.target_size,
            max_length=config.data.max_length,
        )
    except (RuntimeError, OverflowError, TypeError) as error:  # sizes beyond all integers
        message = f"{weights}: does not fit the config's model: {str(error).splitlines()[0]}"
        raise DataError(message, "copy the model again, or train it again") from error


def model_folder(path: Path) -> Path:
    """`path` itself if it is a model folder, else its model/."""
    for folder in (path, path / "model"):
        if (folder / WEIGHTS).is_file():
            return folder
    if (path / "metrics.jsonl").exists():
        raise UsageError(
            f"{path}: this run is not finished, so it has no model/ yet", "run its `seq2attn train` command again"
        )
    raise UsageError(f"{path}: no model here", "name a run directory of `seq2attn train`, or its model/ folder")
