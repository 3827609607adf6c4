"""Reading a config file: YAML, the files that it extends, and overrides from the command line."""

import difflib
import os
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from seq2attn.config.config import Config, to_yaml
from seq2attn.config.explain import explain
from seq2attn.config.old_keys import rename_key, rename_keys
from seq2attn.config.overlays import assign, overlay
from seq2attn.config.yaml_lines import Located, Origin, parse
from seq2attn.errors import ConfigError
from seq2attn.resources import resource


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> Config:
    """The config in the file `path`, laid over the files that it extends, with the `overrides` ("a.b=c") laid over both.

    A path that is not there, such as configs/demo/lstm.yaml, is looked up among the files that ship with the project.
    Raises ConfigError, which holds all errors of the config.
    """
    file = _find_shipped(Path(path), str(path))
    tree = _read(file, (), None)
    for override in overrides:
        tree = assign(tree, *_parse_override(override))
    return _validate(tree, file)


def load_complete_config(file: Path) -> Config:
    """The config in the file `file` of a model folder, which may not extend another file. Raises ConfigError.

    One that leaves the normalization open is of version 0.1.0, which had none.
    """
    tree = _read_mapping(file, "")
    if "extends" in tree.value:
        origin = tree.value["extends"].origin
        raise ConfigError(f"{origin}: a model's config cannot extend another file", "export the model again")
    return _validate(tree, file).resolve_normalization("none")


def parse_config(text: str) -> Config:
    """The config in a YAML text that extends nothing, as `to_yaml` writes it. Raises ConfigError."""
    return _validate(parse(text, "config"), Path("config"))


def replace_value(config: Config, path: tuple[str, ...], text: str, place: str) -> Config:
    """`config` with the YAML value `text` at `path`. Raises ConfigError, which names `place`."""
    tree = parse(to_yaml(config), "config")
    return _validate(assign(tree, path, parse(text, place, Origin(place))), Path("config"))


def _find_shipped(path: Path, name: str) -> Path:
    """`path`; if it is not there and `name` begins with configs/, the file of that name that ships with the project."""
    shipped = resource(name)
    is_shipped = Path(name).parts[:1] == ("configs",) and os.path.exists(shipped)  # no error, however long the name
    return shipped if is_shipped and not os.path.exists(path) else path


def _validate(tree: Located, file: Path) -> Config:
    try:
        return Config.model_validate(tree.plain())
    except ValidationError as error:
        raise explain(error, tree, str(file)) from error


def _read_mapping(path: Path, prefix: str) -> Located:
    tree = parse(_read_text(path, prefix), str(path))
    if not isinstance(tree.value, dict):
        raise ConfigError(f"{tree.origin}: a config is a mapping of keys", "begin with `data:`, `model:` or `extends:`")
    return rename_keys(tree)


def _read(path: Path, above: tuple[Path, ...], named: Origin | None) -> Located:
    """The file `path`, laid over what it extends.

    `above` are the files that extend it, `named` is the line that names it.
    """
    prefix = f"{named}: " if named else ""
    if path.resolve() in above:
        chain = " → ".join(file.name for file in (*above[above.index(path.resolve()) :], path))
        raise ConfigError(f"{prefix}`extends` runs in a circle: {chain}", "take one of the files out of the circle")
    tree = _read_mapping(path, prefix)
    own = dict(tree.value)
    extends = own.pop("extends", None)
    top = Located(own, tree.origin)
    if extends is None:
        return top
    base: Located | None = None
    for name in extends.value if isinstance(extends.value, list) else [extends]:
        if not isinstance(name.value, str) or not name.value or "\0" in name.value:
            raise ConfigError(
                f"{name.origin}: `extends` must name a file or a list of files",
                "for example extends: ../base/demo.yaml",
            )
        other = _find_shipped(Path(os.path.normpath(path.parent / name.value)), name.value)
        layer = _read(other, (*above, path.resolve()), name.origin)
        base = layer if base is None else overlay(base, layer)
    return top if base is None else overlay(base, top)


def _read_text(path: Path, prefix: str) -> str:
    try:
        content = path.read_bytes()
    except IsADirectoryError as error:
        raise ConfigError(f"{prefix}{path} is a folder, not a config file", "name a file in it") from error
    except FileNotFoundError as error:
        raise ConfigError(f"{prefix}{path}: no such file", _suggest_file(path)) from error
    except OSError as error:
        raise ConfigError(f"{prefix}{path}: cannot be read: {error.strerror}", "look at its permissions") from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: not valid UTF-8", "save the file as UTF-8 text") from error


def _suggest_file(path: Path) -> str:
    if not path.parent.is_dir():
        return f"check the path: there is no folder {path.parent}"
    names = sorted(file.name for file in path.parent.iterdir() if file.suffix in (".yaml", ".yml"))
    close = difflib.get_close_matches(path.name, names, n=1)
    if close:
        return f"did you mean {path.parent / close[0]}?"
    return f"configs in {path.parent}: {', '.join(names)}" if names else f"there is no config in {path.parent}"


def _parse_override(override: str) -> tuple[tuple[str, ...], Located]:
    key, equals, text = override.partition("=")
    place = f"--set {override}"
    path = tuple(key.strip().split("."))
    if not equals or not all(path) or any(part != part.strip() for part in path):
        raise ConfigError(f"{place}: not of the form a.b=c", "for example --set training.max_updates=1000")
    if not text.strip():
        raise ConfigError(f"{place}: no value after the =", f"write {key}=null for no value")
    if path[0] == "extends":
        raise ConfigError(f"{place}: `extends` cannot be overridden", "write it in a config file")
    return rename_key(path), rename_keys(parse(text, place, Origin(place)), path)
