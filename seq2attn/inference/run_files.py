"""The names of what lies in a run directory, and whether a folder is one."""

from pathlib import Path

from seq2attn.inference.files import CONFIG

MANIFEST, TOKENIZER, CHECKPOINTS = "manifest.json", "tokenizer", "checkpoints"
METRICS, MODEL = "metrics.jsonl", "model"


def is_run(path: Path) -> bool:
    """Whether a run began in the folder `path`."""
    return (path / CONFIG).is_file() and (path / MANIFEST).is_file()
