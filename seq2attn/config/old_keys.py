"""Keys that had another name in earlier versions: configs and models of that time are read with the names of today."""

from itertools import product

from seq2attn.config.yaml_lines import Located
from seq2attn.errors import ConfigError

Path = tuple[str, ...]

RENAMED: dict[Path, str] = {
    ("model", part, attention, "groups"): "key_value_heads"  # until 0.1.0
    for part, attention in product(("encoder", "decoder"), ("attention", "self_attention"))
}


def rename_key(path: Path) -> Path:
    """`path` with today's names."""
    return (*path[:-1], RENAMED.get(path, path[-1]))


def rename_keys(tree: Located, path: Path = ()) -> Located:
    """`tree`, which is at `path` of a config, with today's names. Raises ConfigError if a key has both names."""
    if not isinstance(tree.value, dict):
        return tree
    renamed: dict[str, Located] = {}
    for key, value in tree.value.items():
        new = rename_key((*path, key))[-1]
        if new != key and new in tree.value:
            old = ".".join((*path, key))
            raise ConfigError(
                f"{value.origin}: key `{old}` is the old name of {new}, which is set too", f"delete {key}, keep {new}"
            )
        renamed[new] = rename_keys(value, (*path, new))
    return Located(renamed, tree.origin)
