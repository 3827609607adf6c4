"""model/: all that translating needs, also when it is copied elsewhere."""

from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save
from torch import Tensor

from seq2attn import durable
from seq2attn.config.config import Config, to_yaml
from seq2attn.config.load import load_complete_config
from seq2attn.data.tokenizer import Tokenizer
from seq2attn.errors import DataError
from seq2attn.inference.files import CHECKSUMS, CONFIG, WEIGHTS
from seq2attn.inference.limits import LIMITS, format_limit
from seq2attn.inference.run_files import MODEL, is_run
from seq2attn.search.limits import OutputLimit

README = "README.md"

_CARD = """# {encoder} encoder, {decoder} decoder: {source} → {target}

A translation model of {parameters:,} parameters, trained with seq2attn on {data}.

| file | what |
|---|---|
| model.safetensors | the weights: {chosen} |
| *.model | the SentencePiece vocabulary |
| config.yaml | the complete config |
| limits.json | how long a translation may become: ratio × the source's subwords + extra |
| SHA256SUMS | checksums of these files, verified when the model is loaded |

    seq2attn translate {folder} input.{source} -o output.{target}

```python
import seq2attn
seq2attn.load("{folder}").translate(["…"])
```

{figures}
"""


def export(
    folder: Path,
    *,
    weights: Mapping[str, Tensor],
    tokenizer: Tokenizer,
    config: Config,
    limit: OutputLimit,
    data: str,
    chosen: str,
    metrics: Mapping[str, float],
) -> None:
    """Write the model folder, in place of an old one only when it is whole."""
    figures = ", ".join(f"{name} {value:.2f}" for name, value in metrics.items())
    card = _CARD.format(
        encoder=config.model.encoder.type,
        decoder=config.model.decoder.type,
        source=config.data.source,
        target=config.data.target,
        parameters=sum(tensor.numel() for tensor in weights.values()),
        data=data,
        chosen=chosen,
        folder=folder.name,
        figures=f"On the validation set, greedy: {figures}." if figures else "",
    )
    files = {
        **tokenizer.files(),
        WEIGHTS: save(dict(weights), metadata={"format": "pt"}),
        CONFIG: to_yaml(config).encode(),
        LIMITS: format_limit(limit).encode(),
    }
    durable.write_folder(folder, [*durable.with_sums(files.items()), (README, card.encode())])


def write_settings(path: Path, *, beam: int, length_penalty: float) -> list[Path]:
    """Write `evaluation.beam` and `length_penalty` into the config of a model folder, or of a run and its model; names them.

    All else stays, and the model's checksums are made anew. Raises DataError where a config cannot be read or written, and
    for a model folder that holds other folders: it is replaced as a whole, and they would be lost.
    """
    model = (path / MODEL if is_run(path) else path).resolve()
    if folders := [inner.name for inner in model.iterdir() if inner.is_dir()]:
        raise DataError(
            f"{model}: holds other folders ({folders[0]})", "move them away, or copy the model's files alone"
        )
    files = {file.name: file.read_bytes() for file in sorted(model.iterdir())}
    files[CONFIG] = _set_search(model / CONFIG, beam, length_penalty).encode()
    summed = [(name, content) for name, content in files.items() if name not in (README, CHECKSUMS)]
    try:
        if is_run(path):
            durable.write_whole(path / CONFIG, _set_search(path / CONFIG, beam, length_penalty))
        durable.write_folder(model, [*durable.with_sums(summed), *((n, c) for n, c in files.items() if n == README)])
    except OSError as error:
        raise DataError(
            f"cannot write to {path}: {error.strerror}", "copy the model to a folder that can be written to"
        ) from error
    return [path, path / MODEL] if is_run(path) else [path]


def _set_search(file: Path, beam: int, length_penalty: float) -> str:
    """The text of a config file with another beam and length penalty."""
    config = load_complete_config(file)
    evaluation = config.evaluation.model_copy(update={"beam": beam, "length_penalty": length_penalty})
    return to_yaml(config.model_copy(update={"evaluation": evaluation}))
