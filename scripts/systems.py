"""The systems that a benchmark compares: configs under names that tell them apart."""

from collections.abc import Sequence
from pathlib import Path

from seq2attn.config.config import Config
from seq2attn.config.load import load_config

CONFIGS = [f"configs/multi30k/{system}.yaml" for system in ("lstm", "bahdanau", "luong", "transformer")]
PEER_CONFIG = "configs/multi30k/transformer.yaml"


def load_systems(files: Sequence[str]) -> dict[str, Config]:
    """The configs by the names of their files; a file that is given twice counts once."""
    paths = [Path(file) for file in dict.fromkeys(files)]
    return {name: load_config(path) for name, path in zip(name_files(paths), paths, strict=True)}


def name_files(paths: Sequence[Path]) -> list[str]:
    """The files' names without ".yaml"; where two are the same, as many folders before them as tell all apart."""
    stems = [path.absolute().with_suffix("") for path in paths]
    for number in range(1, max(len(stem.parts) for stem in stems) + 1):
        names = ["/".join(stem.parts[-number:]) for stem in stems]
        if len(set(names)) == len(names):
            return names
    return [str(path) for path in paths]
