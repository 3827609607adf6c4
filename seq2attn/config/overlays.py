"""How configs are laid over one another: by `extends`, and by `--set a.b=c`."""

from seq2attn.config.yaml_lines import Located, Origin

_SOURCES = {("data", "train"), ("data", "validation"), ("data", "test")}
_FORMS = (("prefix", ("source", "target")), ("source", ("prefix",)), ("target", ("prefix",)))  # of text, by their keys
Path = tuple[str, ...]


def overlay(base: Located, top: Located, path: Path = ()) -> Located:
    """`base` with `top` laid over it, mapping by mapping.

    A mapping that names another `type` replaces the section whole, and text named by a prefix that by two files.
    """
    if not isinstance(top.value, dict):
        return top
    base = _expand_string(base, path)
    if not isinstance(base.value, dict) or _changes_type(base, top.value.get("type")):
        return top
    merged = _drop_other_form(base.value, top.value, path)
    for key, value in top.value.items():
        merged[key] = overlay(merged[key], value, (*path, key)) if key in merged else value
    return Located(merged, top.origin)


def assign(tree: Located, path: Path, value: Located, above: Path = ()) -> Located:
    """`tree` with `value` at `path`; another `type` drops the section's other keys."""
    if not path:
        return value
    key, *rest = path
    tree = _expand_string(tree, above)
    if not isinstance(tree.value, dict):
        tree = Located({}, value.origin)
    if key == "type" and not rest and _changes_type(tree, value):
        return Located({"type": value}, value.origin)
    child = tree.value.get(key, Located({}, value.origin))
    values = tree.value if rest else _drop_other_form(tree.value, {key: value}, above)
    return Located({**values, key: assign(child, tuple(rest), value, (*above, key))}, tree.origin)


def _changes_type(base: Located, top: Located | None) -> bool:
    own = base.value.get("type")
    return top is not None and own is not None and own.value != top.value


def _drop_other_form(base: dict[str, Located], top: dict[str, Located], path: Path) -> dict[str, Located]:
    """`base` without the files, or the prefix, of a source of text that `top` names in the other way."""
    if path not in _SOURCES:
        return dict(base)
    dropped = {other for key, others in _FORMS if key in top and top[key].value is not None for other in others}
    return {key: value for key, value in base.items() if key not in dropped}


def _expand_string(section: Located, path: Path) -> Located:
    """A bare string as the mapping that it stands for; anything else as it is."""
    if not isinstance(section.value, str):
        return section
    if path in _SOURCES:
        return Located({"type": _text("text", section.origin), "prefix": section}, section.origin)
    return Located({"type": section}, section.origin)


def _text(value: str, origin: Origin) -> Located:
    return Located(value, origin, value)
