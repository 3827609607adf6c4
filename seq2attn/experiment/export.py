"""model/: all that translating needs, also when it is copied elsewhere."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor

from seq2attn.data.tokenizer import Tokenizer
from seq2attn.experiment.config import Config, to_yaml
from seq2attn.experiment.model_files import CHECKSUMS, CONFIG, WEIGHTS, checksums

README = "README.md"

_CARD = """# {encoder} encoder, {decoder} decoder: {source} → {target}

A translation model of {parameters:,} parameters, trained with seq2attn on {data}.

| file | what |
|---|---|
| model.safetensors | the weights: {chosen} |
| *.model | the SentencePiece vocabulary |
| config.yaml | the complete config |
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
    data: str,
    chosen: str,
    metrics: Mapping[str, float],
) -> None:
    """Write the model folder aside, then put it in place of the old one."""
    aside = folder.with_name(f".{folder.name}.writing")
    shutil.rmtree(aside, ignore_errors=True)
    tokenizer.save(aside)
    save_file(dict(weights), aside / WEIGHTS, metadata={"format": "pt"})
    (aside / CONFIG).write_text(to_yaml(config), encoding="utf-8")
    (aside / CHECKSUMS).write_text(checksums(aside), encoding="utf-8")
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
    (aside / README).write_text(card, encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(aside, folder)
