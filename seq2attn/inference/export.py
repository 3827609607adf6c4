"""model/: all that translating needs, also when it is copied elsewhere."""

from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save
from torch import Tensor

from seq2attn import durable
from seq2attn.config.config import Config, to_yaml
from seq2attn.data.tokenizer import Tokenizer
from seq2attn.inference.files import CONFIG, WEIGHTS
from seq2attn.inference.limits import LIMITS, format_limit
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
