import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from seq2attn.config.config import Config
from seq2attn.config.load import load_config
from seq2attn.config.near_misses import NEAR_MISSES, OPTIONS, find_near_miss
from seq2attn.config.schema import list_keys
from seq2attn.errors import ConfigError
from tests.config.texts import BASE, refuse

CASES: dict[str, dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("messages.yaml").read_text(encoding="utf-8"))


def described(case: dict[str, Any]) -> list[tuple[str, str]]:
    """Messages and hints of all errors of a case."""
    return [(case["message"], case["hint"]), *((message, hint) for message, hint in case.get("others", []))]


def said(error: ConfigError, *places: str) -> list[tuple[str, str]]:
    """Messages and hints of all errors; messages without the first of the `places` that they begin with."""
    errors = []
    for one in (error, *error.others):
        place = next(place for place in places if one.message.startswith(place))
        errors.append((one.message.removeprefix(place), one.hint))
    return errors


@pytest.mark.parametrize("name", CASES["keys"])
def test_a_wrong_key_or_value_is_named_with_its_line(tmp_path: Path, name: str) -> None:
    case = CASES["keys"][name]
    assert BASE.count(case["replace"]) == 1
    error = refuse(tmp_path, BASE.replace(case["replace"], case["by"]))
    assert said(error, f"{tmp_path}/") == described(case)


@pytest.mark.parametrize("name", CASES["combinations"])
def test_values_that_do_not_go_together_are_refused(tmp_path: Path, name: str) -> None:
    case = CASES["combinations"][name]
    error = refuse(tmp_path, BASE, *case["overrides"])
    assert said(error, *(f"--set {override}: " for override in case["overrides"])) == described(case)


@pytest.mark.parametrize("name", CASES["legal"])
def test_values_that_go_together_are_accepted(tmp_path: Path, name: str) -> None:
    (tmp_path / "exp.yaml").write_text(BASE)
    load_config(tmp_path / "exp.yaml", CASES["legal"][name])


@pytest.mark.parametrize("override", CASES["overrides"])
def test_a_wrong_override_is_named_itself(tmp_path: Path, override: str) -> None:
    case = CASES["overrides"][override]
    assert said(refuse(tmp_path, BASE, override), f"--set {override}: ") == described(case)


@pytest.mark.parametrize("name", CASES["files"])
def test_a_file_that_is_no_config_is_named(tmp_path: Path, name: str) -> None:
    case = CASES["files"][name]
    assert said(refuse(tmp_path, case["text"]), f"{tmp_path}/") == described(case)


def test_an_illegal_combination_is_reported_where_it_was_written(tmp_path: Path) -> None:
    error = refuse(tmp_path, BASE.replace("score: additive", "heads: 7"))
    assert error.message.startswith(f"{tmp_path}/exp.yaml:10: key `model.decoder.attention.heads` is 7")


def test_an_illegal_default_is_reported_at_its_section(tmp_path: Path) -> None:
    error = refuse(tmp_path, BASE.replace("  max_updates", "  select: average\n  max_updates"))
    assert error.message.startswith(f"{tmp_path}/exp.yaml:11: key `training.keep_last` is 1, which is less")


def test_an_error_names_the_extended_file_that_holds_it(tmp_path: Path) -> None:
    error = refuse(tmp_path, "extends: base.yaml\nseed: 5\n", base=BASE + "  clip_nrom: 1\n")
    assert error.message == f"{tmp_path}/base.yaml:13: key `training.clip_nrom` is not known"


def test_errors_of_the_file_itself_come_first(tmp_path: Path) -> None:
    error = refuse(tmp_path, "extends: base.yaml\n\nseed: x\n", base="sead: 3\n" + BASE)
    assert [one.message for one in (error, *error.others)] == [
        f"{tmp_path}/exp.yaml:3: key `seed` is x, but must be a whole number",
        f"{tmp_path}/base.yaml:1: key `sead` is not known",
    ]
    assert str(error) == f"{error.message}\n{error.others[0].message}"


def _paths(value: object, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*above, key)
            yield from _paths(inner, (*above, key))


VALUES = [
    "null",
    "[]",
    "{}",
    "-1",
    "1.5",
    "true",
    "xx",
    '""',
    "{type: 3}",
    "{type: [a]}",
    "{a: b}",
    "[[1], {b: c}]",
    ".nan",
]


@pytest.mark.parametrize("value", VALUES)
def test_any_value_of_any_key_is_accepted_or_explained(tmp_path: Path, value: str) -> None:
    file = tmp_path / "exp.yaml"
    file.write_text(BASE.replace("encoder: lstm", "encoder: transformer"))
    for path in _paths(load_config(file).model_dump()):  # any other exception fails the test
        override = f"{'.'.join(path)}={value}"
        with contextlib.suppress(ConfigError):
            load_config(file, [override])


@pytest.mark.parametrize("name", NEAR_MISSES)
def test_a_near_miss_names_keys_that_exist(name: str) -> None:
    keys = set(list_keys(Config))
    near_miss = NEAR_MISSES[name]
    assert name not in {key[-1] for key in keys}
    assert {tuple(path.split(".")) for path in near_miss.paths} <= keys
    assert {path.split(".")[-1] for path in near_miss.paths} == {near_miss.key}


@pytest.mark.parametrize("name", OPTIONS)
def test_a_name_of_an_option_is_no_key(name: str) -> None:
    assert find_near_miss(name) is None
    assert name not in {key[-1] for key in list_keys(Config)}


def test_message_of_bytes_that_are_not_utf_8(tmp_path: Path) -> None:
    (tmp_path / "exp.yaml").write_bytes(b"seed: 1\ndata: \xff\n")
    with pytest.raises(ConfigError) as error:
        load_config(tmp_path / "exp.yaml")
    assert error.value.message == f"{tmp_path}/exp.yaml:2: not valid UTF-8"


def test_message_of_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "exp.yaml").write_text(BASE)
    messages = {}
    for name in ("exq.yaml", "exp", "zzz.yaml", ".", "nowhere/exp.yaml"):
        with pytest.raises(ConfigError) as error:
            load_config(tmp_path / name)
        messages[name] = (error.value.message.removeprefix(f"{tmp_path}"), error.value.hint)
    assert messages == {
        "exq.yaml": ("/exq.yaml: no such file", f"did you mean {tmp_path}/exp.yaml?"),
        "exp": ("/exp: no such file", f"did you mean {tmp_path}/exp.yaml?"),
        "zzz.yaml": ("/zzz.yaml: no such file", f"configs there: {tmp_path}/exp.yaml"),
        ".": (" is a folder, not a config file", "name a file in it"),
        "nowhere/exp.yaml": (
            "/nowhere/exp.yaml: no such file",
            f"check the path: there is no folder {tmp_path}/nowhere",
        ),
    }


@pytest.mark.parametrize(
    ("extends", "others", "hint"),
    [
        ("bsae.yaml", ["base"], "did you mean base.yaml?"),
        ("base", ["base"], "did you mean base.yaml?"),
        ("../sub/bsae.yaml", ["base"], "did you mean ../sub/base.yaml?"),
        ("exp.yml", ["base"], "configs there: base.yaml"),
        ("exp.yml", [], "there is no other config in {folder}"),
        ("configs/demo/lstmm.yaml", [], "did you mean configs/demo/lstm.yaml?"),
    ],
)
def test_message_of_a_file_that_is_extended_but_not_there(
    tmp_path: Path, extends: str, others: list[str], hint: str
) -> None:
    folder = tmp_path / "sub"
    folder.mkdir()
    error = refuse(folder, f"seed: 1\nextends: {extends}\n", **dict.fromkeys(others, BASE))
    assert error.message == f"{folder}/exp.yaml:2: {os.path.normpath(folder / extends)}: no such file"
    assert error.hint == hint.format(folder=folder)


def test_message_of_files_that_extend_each_other(tmp_path: Path) -> None:
    error = refuse(tmp_path, "extends: a.yaml\n", a="extends: b.yaml\n", b="seed: 1\nextends: a.yaml\n")
    assert error.message == f"{tmp_path}/b.yaml:2: `extends` runs in a circle: a.yaml → b.yaml → a.yaml"
