"""Reading a config file: YAML, the files that it extends, and overrides from the command line."""

import difflib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from seq2attn.config.config import Config, to_yaml
from seq2attn.config.explain import explain
from seq2attn.config.old_keys import rename_key, rename_keys
from seq2attn.config.overlays import assign, overlay
from seq2attn.config.yaml_lines import Located, Origin, parse
from seq2attn.errors import ConfigError, DataError, SourceError
from seq2attn.resources import resource

_ANCHORS = "x-"  # top-level keys that begin so only hold values for aliases to repeat


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> Config:
    """The config in the file `path`, laid over the files that it extends, with the `overrides` ("a.b=c") laid over both.

    A path that is not there, such as configs/demo/lstm.yaml, is looked up among the files that ship with the project.
    Raises ConfigError, which holds all errors of the config.
    """
    file = _find_shipped(Path(path), str(path))
    return _validate(_read_with_overrides(file, str(path), overrides), file)


@contextmanager
def locate_sources(path: str | Path, overrides: Sequence[str] = ()) -> Iterator[None]:
    """Say of a source that cannot be read in which line of the config `path`, or in which override, it is named."""
    try:
        yield
    except SourceError as error:
        tree = _read_with_overrides(_find_shipped(Path(path), str(path)), str(path), overrides)
        section = tree.at(tuple(error.key.split(".")))
        place = next((section.at((key,)) for key in ("prefix", "path") if key in section.plain()), section)
        raise DataError(f"{place.origin}: {error.message}", error.hint) from error


def _read_with_overrides(file: Path, name: str, overrides: Sequence[str]) -> Located:
    tree = _read(file, name, (), None)
    for override in overrides:
        tree = assign(tree, *_parse_override(override))
    return tree


def load_complete_config(file: Path) -> Config:
    """The config in the file `file` of a model folder, which may not extend another file. Raises ConfigError.

    One that leaves the normalization open is of version 0.1.0, which had none.
    """
    tree = _read_mapping(file, str(file), (), "")
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
    is_shipped = _may_be_shipped(name) and os.path.exists(shipped)  # no error, however long the name
    return shipped if is_shipped and not os.path.exists(path) else path


def _may_be_shipped(name: str) -> bool:
    return Path(name).parts[:1] == ("configs",)


def _validate(tree: Located, file: Path) -> Config:
    try:
        return Config.model_validate(tree.plain())
    except ValidationError as error:
        raise explain(error, tree, str(file)) from error


def _read_mapping(path: Path, name: str, above: tuple[Path, ...], prefix: str) -> Located:
    tree = parse(_read_text(path, name, above, prefix), str(path))
    if not isinstance(tree.value, dict):
        raise ConfigError(f"{tree.origin}: a config is a mapping of keys", "begin with `data:`, `model:` or `extends:`")
    own = {key: value for key, value in tree.value.items() if not key.startswith(_ANCHORS)}
    return rename_keys(Located(own, tree.origin))


def _read(path: Path, name: str, above: tuple[Path, ...], named: Origin | None) -> Located:
    """The file `path`, laid over what it extends.

    `name` is how it was named, in the line `named`; `above` are the files that extend it.
    """
    prefix = f"{named}: " if named else ""
    if path.resolve() in above:
        chain = " → ".join(file.name for file in (*above[above.index(path.resolve()) :], path))
        raise ConfigError(f"{prefix}`extends` runs in a circle: {chain}", "take one of the files out of the circle")
    tree = _read_mapping(path, name, above, prefix)
    own = dict(tree.value)
    extends = own.pop("extends", None)
    top = Located(own, tree.origin)
    if extends is None:
        return top
    base: Located | None = None
    for other in extends.value if isinstance(extends.value, list) else [extends]:
        if not isinstance(other.value, str) or not other.value or "\0" in other.value:
            raise ConfigError(
                f"{other.origin}: `extends` must name a file or a list of files",
                "for example extends: ../base/demo.yaml",
            )
        file = _find_shipped(Path(os.path.normpath(path.parent / other.value)), other.value)
        layer = _read(file, other.value, (*above, path.resolve()), other.origin)
        base = layer if base is None else overlay(base, layer)
    return top if base is None else overlay(base, top)


def _read_text(path: Path, name: str, above: tuple[Path, ...], prefix: str) -> str:
    try:
        content = path.read_bytes()
    except IsADirectoryError as error:
        raise ConfigError(f"{prefix}{path} is a folder, not a config file", "name a file in it") from error
    except FileNotFoundError as error:
        raise ConfigError(f"{prefix}{path}: no such file", _suggest_file(path, name, above)) from error
    except OSError as error:
        raise ConfigError(f"{prefix}{path}: cannot be read: {error.strerror}", "look at its permissions") from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: not valid UTF-8", "save the file as UTF-8 text") from error


def _suggest_file(path: Path, name: str, above: tuple[Path, ...]) -> str:
    """What to write for `name`, which stands for `path`: the name of another file, none that is `above`."""
    folder = path.parent
    if not folder.is_dir() and _may_be_shipped(name):
        folder = resource(str(Path(name).parent))
    if not folder.is_dir():
        return f"check the path: there is no folder {path.parent}"
    files = [file for file in folder.iterdir() if file.suffix in (".yaml", ".yml") and file.resolve() not in above]
    names = {file.stem: str(Path(name).with_name(file.name)) for file in sorted(files)}
    close = difflib.get_close_matches(path.stem, names, n=1)
    if close:
        return f"did you mean {names[close[0]]}?"
    other = "other config" if above else "config"
    return f"configs there: {', '.join(names.values())}" if names else f"there is no {other} in {folder}"


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
