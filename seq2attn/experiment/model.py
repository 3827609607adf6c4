"""A trained model, ready to translate: the public Python API."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import torch

from seq2attn.data.tokenizer import Tokenizer
from seq2attn.errors import UsageError
from seq2attn.experiment import build, machine
from seq2attn.experiment.config import Config
from seq2attn.experiment.export import CONFIG, WEIGHTS
from seq2attn.experiment.load import load_config
from seq2attn.models.seq2seq import Seq2Seq
from seq2attn.search import Beam, Greedy, Search, Translator
from seq2attn.search.translator import Translation
from seq2attn.training.checkpoint import load_weights, read_tensors


class Model:
    """A network with its tokenizer and config. `path` is its model folder."""

    def __init__(self, network: Seq2Seq, tokenizer: Tokenizer, config: Config, path: Path) -> None:
        self.network = network
        self.tokenizer = tokenizer
        self.config = config
        self.path = path

    def translate(
        self, lines: Iterable[str], *, beam: int = 5, length_penalty: float = 1.0, batch_tokens: int = 4000
    ) -> list[str]:
        """One translation for each line, in order; a blank line gives an empty one. Beam 1 is greedy search."""
        search = Greedy() if beam == 1 else Beam(beam, length_penalty)
        return [best[0].text for best in self.search(lines, search, batch_tokens=batch_tokens)]

    def search(self, lines: Iterable[str], search: Search, *, batch_tokens: int = 4000) -> Iterator[list[Translation]]:
        """The hypotheses of each line, best first, as they become ready; `search` is a Greedy, Beam or Sampling."""
        return Translator(self.network, self.tokenizer, search, batch_tokens=batch_tokens).translate(lines)


def load(path: str | Path, device: str = "auto") -> Model:
    """Load a run directory, or its model/ folder wherever it was copied. Raises UsageError if there is no model."""
    folder = model_folder(Path(path))
    where = machine.device(device)
    config = load_config(folder / CONFIG)
    tokenizer = Tokenizer.load(folder)
    network = build.seq2seq(
        config.model,
        source_size=tokenizer.source_size,
        target_size=tokenizer.target_size,
        max_length=config.data.max_length,
    )
    load_weights(network, read_tensors(folder / WEIGHTS), folder / WEIGHTS)
    network.to(where, torch.float32).eval()
    return Model(network, tokenizer, config, folder)


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
