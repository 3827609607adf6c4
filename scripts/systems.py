"""The systems that a benchmark compares: configs under names that tell them apart."""

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from seq2attn.config.config import Config
from seq2attn.config.load import load_config
from seq2attn.errors import UsageError

T = TypeVar("T")
CONFIGS = [f"configs/bench/{system}.yaml" for system in ("lstm", "bahdanau", "luong-nofeed", "luong", "transformer")]


def load_systems(files: Sequence[str]) -> dict[str, Config]:
    """The configs by the names of their files; a file that is given twice counts once."""
    paths = [Path(file) for file in dict.fromkeys(files)]
    return {name: load_config(path) for name, path in zip(name_files(paths), paths, strict=True)}


def choose_peer_size(systems: Mapping[str, Config]) -> Config:
    """The first Transformer, whose size the peer takes. Raises UsageError if there is none."""
    for config in systems.values():
        if config.model.encoder.type == config.model.decoder.type == "transformer":
            return config
    raise UsageError("--peer: the peer's size is that of a Transformer", "name a Transformer's config with --config")


def choose_installed(peers: Mapping[str, T]) -> list[T]:
    """The peers whose package, their key, is installed. Raises UsageError if none is."""
    if found := [peer for package, peer in peers.items() if importlib.util.find_spec(package)]:
        return found
    raise UsageError("--peer: no peer is installed", f"pip install {' '.join(peers)}")


def name_files(paths: Sequence[Path]) -> list[str]:
    """The files' names without ".yaml"; where two are the same, as many folders before them as tell all apart."""
    stems = [path.absolute().with_suffix("") for path in paths]
    for number in range(1, max(len(stem.parts) for stem in stems) + 1):
        names = ["/".join(stem.parts[-number:]) for stem in stems]
        if len(set(names)) == len(names):
            return names
    return [str(path) for path in paths]
