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

    All else stays, and the model's checksums are made anew. Raises DataError where a config cannot be read or written.
    """
    folders = [path, path / MODEL] if is_run(path) else [path]
    for folder in folders:
        config = load_complete_config(folder / CONFIG)
        evaluation = config.evaluation.model_copy(update={"beam": beam, "length_penalty": length_penalty})
        text = to_yaml(config.model_copy(update={"evaluation": evaluation}))
        try:
            if folder == path and len(folders) == 2:
                durable.write_whole(folder / CONFIG, text)
                continue
            files = {file.name: file.read_bytes() for file in sorted(folder.iterdir()) if file.is_file()} | {
                CONFIG: text.encode()
            }
            readme = [(README, files.pop(README))] if README in files else []
            files.pop(CHECKSUMS, None)
            durable.write_folder(folder, [*durable.with_sums(files.items()), *readme])
        except OSError as error:
            raise DataError(
                f"cannot write to {folder}: {error.strerror}", "copy the model to a folder that can be written to"
            ) from error
    return folders
