"""What a user is told about files, folders and the machine; tests/config/messages.yaml has what is said of configs."""

import errno
import io
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest
import torch

from seq2attn.data.stream import read_windows
from seq2attn.errors import DataError, UsageError
from seq2attn.evaluation import bleu
from seq2attn.inference.files import CHECKSUMS, CONFIG, WEIGHTS
from tests.tiny import config_file, make_manifest, write_corpus

Command = Callable[..., Any]
TRAIN = ("train", "{corpus}/tiny.yaml", "--out", "{tmp}/run")


def _two_seeds(tmp: Path) -> None:
    write_corpus(tmp / "own")
    text = config_file(tmp / "own").read_text()
    for seed, updates in ((1, 12), (2, 13)):
        run = tmp / f"system/seed-{seed}"
        run.mkdir(parents=True)
        (run / "config.yaml").write_text(f"seed: {seed}\n{text.replace('max_updates: 12', f'max_updates: {updates}')}")
        (run / "manifest.json").write_text(make_manifest({"train": "", "validation": ""}, seed=seed).to_json())
        (run / "model").mkdir()


def _copy_config(tmp: Path, old: str, new: str) -> None:
    """A config, with a text of another name, and another config that extends it."""
    write_corpus(tmp / "own")
    base = config_file(tmp / "own")
    base.write_text(base.read_text().replace(old, new))
    (tmp / "child.yaml").write_text("extends: own/tiny.yaml\n")


def _blank(tmp: Path) -> None:
    for language in ("en", "de"):
        (tmp / f"blank.{language}").write_text("\n  \n")


# Something that is not as it should be, the command that meets it, and the two lines that it prints.
FILES: dict[str, tuple[Callable[[Path], None] | None, tuple[str, ...], str, str]] = {
    "a folder for a file": (
        None,
        (*TRAIN, "--set", "data.train={{type: tsv, path: {tmp}}}"),
        "--set data.train={{type: tsv, path: {tmp}}}: data.train: {tmp} is a folder, not a file",
        "name the file itself",
    ),
    "a file in no folder": (
        None,
        (*TRAIN, "--set", "data.train={{type: jsonl, path: {tmp}/no/x.jsonl}}"),
        "--set data.train={{type: jsonl, path: {tmp}/no/x.jsonl}}: data.train: no file {tmp}/no/x.jsonl",
        "check the path: there is no folder {tmp}/no",
    ),
    "a missing text of a config": (
        lambda tmp: _copy_config(tmp, "/train", "/trian"),
        ("train", "{tmp}/child.yaml", "--out", "{tmp}/run"),
        "{tmp}/own/tiny.yaml:5: data.train: no file {tmp}/own/trian.en (nor trian.en.gz)",
        "did you mean the prefix {tmp}/own/train? A prefix is the path without .en and .de",
    ),
    "a missing text of an override": (
        lambda tmp: _copy_config(tmp, "", ""),
        ("train", "{tmp}/child.yaml", "--out", "{tmp}/run", "--set", "data.validation.prefix={tmp}/own/no"),
        "--set data.validation.prefix={tmp}/own/no: data.validation: no file {tmp}/own/no.en (nor no.en.gz)",
        "a prefix is the path without .en and .de; here are {tmp}/own/test, {tmp}/own/train, {tmp}/own/validation",
    ),
    "a packed output": (
        None,
        ("translate", "{trained}", "-o", "{tmp}/out.de.gz"),
        "{tmp}/out.de.gz: translations are written as plain text",
        "write {tmp}/out.de, and pack it afterwards",
    ),
    "seeds of different systems": (
        _two_seeds,
        ("compare", "{tmp}/system/seed-1", "{tmp}/system/seed-2", "--out", "{tmp}/report"),
        "{tmp}/system/seed-1 and {tmp}/system/seed-2 are not seeds of one system: training.max_updates: 12 → 13",
        "rename the folder of one of the two",
    ),
    "capacity of other data": (
        None,
        ("probe", "capacity", "--out", "{tmp}/capacity", "--set", "data.train={corpus}/train"),
        "--set: data.train is text",
        "only the grammar knows how much information a sentence has",
    ),
    "an average below a file": (
        None,
        ("average", "{trained}", "--count", "1", "--out", "{corpus}/test.en/average"),
        "{corpus}/test.en/average: cannot be written: File exists",
        "choose another --out",
    ),
    "pairs without words": (
        _blank,
        ("probe", "attention", "{trained}", "--test", "{tmp}/blank"),
        "{tmp}/blank: no pair with words on both sides",
        "name another set with --test",
    ),
}


@pytest.fixture
def places(corpus: Path, trained: Path, tmp_path: Path) -> dict[str, Path]:
    if not (corpus / "tiny.yaml").exists():
        config_file(corpus)
    return {"corpus": corpus, "trained": trained, "tmp": tmp_path}


def refused(command: Command, *arguments: object) -> tuple[str, str]:
    """The message and the hint of a command that must be refused before it prints a result."""
    done = command(*arguments)
    assert (done.code, done.out) == (2, ""), done
    error, hint = done.err.splitlines()[-2:]
    return error.removeprefix("seq2attn: error: "), hint.removeprefix("hint: ")


@pytest.mark.parametrize("name", FILES)
def test_what_is_not_as_it_should_be_is_named(command: Command, places: dict[str, Path], name: str) -> None:
    prepare, arguments, message, hint = FILES[name]
    if prepare is not None:
        prepare(places["tmp"])
    found = refused(command, *(argument.format(**places) for argument in arguments))
    assert found == (message.format(**places), hint.format(**places))


def deny(patch: pytest.MonkeyPatch, reading: str, name: str) -> None:
    """Let the method `reading` of paths fail for files of that name."""
    real = getattr(Path, reading)

    def denied(path: Path, *arguments: Any, **options: Any) -> Any:
        if path.name == name:
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(path, *arguments, **options)

    patch.setattr(Path, reading, denied)


def test_message_of_what_may_not_be_written(
    command: Command, places: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp = places["tmp"]
    readable = os.R_OK  # who runs the tests may be allowed everything else too
    monkeypatch.setattr(os, "access", lambda path, mode: mode == readable)
    assert refused(command, "translate", places["trained"], "-o", tmp / "out.txt") == (
        f"{tmp}/out.txt: cannot be written: permission denied",
        "choose another --output",
    )
    assert refused(command, *(word.format(**places) for word in TRAIN)) == (
        f"{tmp}/run: cannot be made, {tmp} cannot be written",
        "choose another --out",
    )


def test_message_of_what_may_not_be_read(
    command: Command, places: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Path(shutil.copytree(places["trained"] / "model", places["tmp"] / "model"))
    for reading, name in (("read_bytes", CHECKSUMS), ("open", CONFIG)):
        with monkeypatch.context() as patch:
            deny(patch, reading, name)
            found = refused(command, "translate", model)
        assert found == (f"{model}/{name}: cannot be read: Permission denied", "look at its permissions")
    config = places["corpus"] / "tiny.yaml"
    deny(monkeypatch, "read_bytes", config.name)
    assert refused(command, "config", "show", config) == (
        f"{config}: cannot be read: Permission denied",
        "look at its permissions",
    )


def test_message_of_a_missing_file_that_has_a_checksum(command: Command, places: dict[str, Path]) -> None:
    model = Path(shutil.copytree(places["trained"] / "model", places["tmp"] / "model"))
    (model / CHECKSUMS).write_text(f"{'0' * 64}  source.model\n")
    message, hint = refused(command, "translate", model)
    assert message == f"{model}/source.model: missing, but listed in {CHECKSUMS}"
    assert hint == "copy the model again, or train it again"
    assert (model / WEIGHTS).exists()


def test_message_of_a_device_that_is_not_there(
    command: Command, places: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for name, message in (
        ("cuda", "this machine or this build of PyTorch has none"),
        ("tpu", "no such device"),
    ):
        found = refused(command, "translate", places["trained"], "--device", name)
        assert found[0] == f"--device {name}: {message}"


def test_message_of_standard_streams_that_are_closed(
    command: Command, places: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from seq2attn.cli import translate

    class Closed:
        stdin = None

    monkeypatch.setattr(translate, "sys", Closed)
    assert refused(command, "translate", places["trained"]) == ("standard input is closed", "name a text file")


def test_message_of_a_stream_that_breaks() -> None:
    class Breaking(io.BytesIO):
        def read1(self, size: int | None = -1, /) -> bytes:
            if self.tell():
                raise OSError(errno.EIO, "Input/output error")
            return super().read1(6)

    found = read_windows(Breaking(b"a\nb\nc\nd\n"), "text.en")
    assert next(found) == ["a", "b", "c"]
    with pytest.raises(DataError) as caught:
        next(found)
    assert (caught.value.message, caught.value.hint) == (
        "text.en:4: cannot be read: Input/output error",
        "check the file",
    )


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (RuntimeError("no such\nmodel"), "sacrebleu's tokenizer 'spm' cannot be used: no such model"),
        (OSError("no network"), "sacrebleu's tokenizer 'spm' could not be fetched: no network"),
    ],
)
def test_message_of_a_tokenizer_of_bleu_that_fails(
    command: Command, places: dict[str, Path], monkeypatch: pytest.MonkeyPatch, error: Exception, says: str
) -> None:
    class Failing(bleu.BLEU):
        def __init__(self, **options: object) -> None:
            raise error

    monkeypatch.setattr(bleu, "BLEU", Failing)
    arguments = ("evaluate", places["trained"], "--test", places["corpus"] / "test", "--tokenize", "spm")
    assert refused(command, *arguments) == (says, "see --tokenize")


@pytest.mark.parametrize(
    ("found", "message", "hint"),
    [
        (
            datasets.exceptions.DatasetNotFoundError("Dataset 'nobody/nothing' doesn't exist on the Hub"),
            "nobody/nothing train: Dataset 'nobody/nothing' doesn't exist on the Hub",
            "check the path, the split and the config; private datasets need a token",
        ),
        (datasets.Dataset.from_dict({}), "nobody/nothing train holds no rows", "check data's path and split"),
    ],
)
def test_message_of_a_dataset_of_the_hub_that_is_nothing(
    command: Command, places: dict[str, Path], monkeypatch: pytest.MonkeyPatch, found: Any, message: str, hint: str
) -> None:
    class Builder:
        info = datasets.DatasetInfo(builder_name="parquet")

        def download_and_prepare(self) -> None:
            pass

        def as_dataset(self, split: str) -> Any:
            return found

    def load(*arguments: object, **options: object) -> Builder:
        if isinstance(found, Exception):
            raise found
        return Builder()

    monkeypatch.setattr(datasets, "load_dataset_builder", load)
    arguments = [word.format(**places) for word in TRAIN]
    override = "data.train={type: huggingface, path: nobody/nothing}"
    place = f"--set {override}: data.train"
    assert refused(command, *arguments, "--set", override) == (f"{place}: {message}", hint)


def test_message_of_a_picture_on_a_full_disk(tmp_path: Path) -> None:
    figure = pytest.importorskip("matplotlib.figure")
    from seq2attn.probes.pictures import write_picture

    (tmp_path / "picture.png").symlink_to("/dev/full")
    with pytest.raises(UsageError) as caught:
        write_picture(figure.Figure(), tmp_path / "picture.png")
    assert caught.value.message == f"--plot {tmp_path}/picture.png: cannot be written: No space left on device"
    assert caught.value.hint == "choose another file"
