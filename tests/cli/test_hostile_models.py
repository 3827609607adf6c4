"""A model folder may come from anybody: whatever is in it, `translate` translates or says what is wrong in one line."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from seq2attn.inference.files import CHECKSUMS, CONFIG, WEIGHTS
from seq2attn.inference.limits import LIMITS
from tests.examples import examples

Command = Callable[..., Any]
TOKENIZER = "joint.model"
TEXT = "ka mi lo\n\n漢字 🙂\n".encode()


@pytest.fixture
def folder(spelled: Path, tmp_path: Path) -> Path:
    """A copy of a model folder, without checksums, so that the files themselves must be looked at."""
    copy = Path(shutil.copytree(spelled / "model", tmp_path / "model"))
    (copy / CHECKSUMS).unlink()
    return copy


def refusal(command: Command, folder: Path) -> str:
    """What `translate` says of a folder that it must refuse."""
    done = command("translate", folder, "--beam", 1, stdin=TEXT)
    assert (done.code, done.out) == (2, ""), done
    errors, hints = done.err.splitlines()[::2], done.err.splitlines()[1::2]
    assert all(line.startswith("seq2attn: error: ") for line in errors)
    assert len(hints) == len(errors)
    assert all(line.startswith("hint: ") for line in hints)
    return "\n".join(errors)


@pytest.mark.parametrize("name", [CONFIG, LIMITS, WEIGHTS, TOKENIZER])
def test_a_link_out_of_the_folder_is_not_followed(command: Command, folder: Path, tmp_path: Path, name: str) -> None:
    (folder / name).rename(tmp_path / "elsewhere")
    (folder / name).symlink_to(tmp_path / "elsewhere")
    assert f"{name}: a link out of the model folder" in refusal(command, folder)
    (folder / name).unlink()
    (tmp_path / "elsewhere").rename(folder / "inside")
    (folder / name).symlink_to("inside")
    assert command("translate", folder, stdin=TEXT).code == 0


@pytest.mark.parametrize("name", [CONFIG, LIMITS, TOKENIZER])
def test_what_is_no_regular_file_is_not_opened(command: Command, folder: Path, name: str) -> None:
    (folder / name).unlink()
    os.mkfifo(folder / name)
    assert f"{name}: not a regular file" in refusal(command, folder)


@pytest.mark.parametrize("name", [CONFIG, LIMITS, TOKENIZER])
def test_a_file_far_too_large_is_not_read(command: Command, folder: Path, name: str) -> None:
    os.truncate(folder / name, 1 << 40)  # of nothing: it fills no disk
    assert f"{name}: 1,099,511,627,776 bytes, far too large for this file" in refusal(command, folder)


def test_a_config_that_extends_another_file_does_not_read_it(command: Command, folder: Path, tmp_path: Path) -> None:
    text = (folder / CONFIG).read_text()
    (tmp_path / "secret.yaml").write_text("seed: [password]")
    for other in ("../secret.yaml", str(tmp_path / "secret.yaml"), "configs/demo/lstm.yaml"):
        (folder / CONFIG).write_text(f"extends: {other}\n{text}")
        error = refusal(command, folder)
        assert "config.yaml:1: a model's config cannot extend another file" in error
        assert "password" not in error


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "seed: !!python/object/apply:os.system ['touch hacked']\n",
            "cannot be read as !!python/object/apply:os.system",
        ),
        ("seed: !!python/name:os.system\n", "cannot be read as"),
        (BOMB, "more than 10,000 values"),
        ("a: &a [*a]\n", "an alias is inside of the value that it names"),
        ("[" * 20_000, "nested too deeply"),
        ('seed: "\\UFFFFFFFF"\n', "not valid YAML"),
        ("seed: " + "9" * 5000 + "\n", "cannot be read as"),
        ("seed: \x07\n", "U+0007"),
        ("- 1\n", "a config is a mapping"),
        ("", "is missing"),
    ],
)
def test_a_hostile_config_is_one_line(
    command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch, text: str, says: str
) -> None:
    monkeypatch.chdir(folder)
    (folder / CONFIG).write_text(text)
    assert says in refusal(command, folder)
    assert not (folder / "hacked").exists()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("width: 16", "width: 1000000000"),
        ("width: 16", "width: " + "9" * 4000),
        ("layers: 1", "layers: 1000"),
        ("layers: 1", "layers: 1000000000"),
        ("joint: true", "joint: false"),
    ],
)
def test_sizes_that_the_weights_lack_are_refused_early(command: Command, folder: Path, before: str, after: str) -> None:
    text = (folder / CONFIG).read_text()
    assert before in text
    (folder / CONFIG).write_text(text.replace(before, after))
    says = ("does not fit", "expected", "must be", "are not those of its config", "needs")
    assert any(words in refusal(command, folder) for words in says)


def forged(header: dict[str, object] | bytes, length: int | None = None, body: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + body


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80\x04\x95cposix\nsystem\n",  # a pickle
        forged({}, length=2**63 - 1),
        forged({}, length=2**32),
        forged(b"[" * 100_000),
        forged({"bias": {"dtype": "F32", "shape": [2**62, 2**62], "data_offsets": [0, 16]}}, body=bytes(16)),
        forged({"bias": {"dtype": "F32", "shape": [300], "data_offsets": [0, 2**60]}}, body=bytes(16)),
        forged({"bias": {"dtype": "F32", "shape": [300], "data_offsets": [1200, 0]}}, body=bytes(1200)),
        forged({"bias": {"dtype": "F8_E4M3", "shape": [300], "data_offsets": [0, 300]}}, body=bytes(300)),
        forged({"../../bias": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}, body=bytes(4)),
    ],
)
def test_forged_weights_are_one_line(command: Command, folder: Path, content: bytes) -> None:
    (folder / WEIGHTS).write_bytes(content)
    assert "model.safetensors: " in refusal(command, folder)


def test_weights_of_another_name_shape_type_or_value_are_refused(command: Command, folder: Path) -> None:
    tensors = load_file(folder / WEIGHTS)
    infinite = tensors["bias"].clone()
    infinite[7] = float("inf")
    for changed, says in (
        ({name: tensor for name, tensor in tensors.items() if name != "bias"}, "'bias'"),
        (tensors | {"more": torch.zeros(1)}, "'more'"),
        (tensors | {"bias": torch.zeros(301)}, "'bias'"),
        (tensors | {"bias": torch.zeros(300, dtype=torch.int64)}, "'bias'"),
        (tensors | {"bias": torch.zeros(300, dtype=torch.bool)}, "BOOL"),
        (tensors | {"bias": infinite}, "'bias' holds infinite numbers or NaN"),
    ):
        save_file(changed, folder / WEIGHTS)
        error = refusal(command, folder)
        assert says in error, error


@pytest.mark.parametrize(
    "content", [b"", b"garbage", b"\x0a\x00", b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", b"\x80" * 99]
)
def test_a_tokenizer_of_garbage_is_one_line(command: Command, folder: Path, content: bytes) -> None:
    (folder / TOKENIZER).write_bytes(content)
    assert "cannot read the SentencePiece model" in refusal(command, folder)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"<unk>", b"<unq>"),  # harmless: only its type counts
        (b"\x18\x03", b"\x18\x01"),  # padding becomes an ordinary piece
        (b"<0x41>", b"<0x42>"),  # twice
        (b"\x0a\x06<0x41>", b"\x0a\x06\0\0\0\0\0\0"),  # which ends the process in SentencePiece itself
        (b"<0x41>", b"<0xZZ>"),
    ],
)
def test_pieces_are_looked_at_before_sentencepiece_does(
    command: Command, folder: Path, before: bytes, after: bytes
) -> None:
    content = (folder / TOKENIZER).read_bytes()
    assert before in content
    (folder / TOKENIZER).write_bytes(content.replace(before, after, 1))
    if b"unq" in after:
        assert command("translate", folder, stdin=TEXT).code == 0
    else:
        assert "cannot read the SentencePiece model" in refusal(command, folder)


def test_checksums_are_verified_where_there_are_some(command: Command, spelled: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(spelled / "model", tmp_path / "model"))
    sums = (copy / CHECKSUMS).read_text()
    for line in sums.splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((copy / name).read_bytes()).hexdigest() == digest
    (copy / CHECKSUMS).write_text(sums + "0  ../../etc/passwd\n")
    assert "not a list of a model's checksums" in refusal(command, copy)
    (copy / CHECKSUMS).write_text(sums)
    (copy / CONFIG).write_text((copy / CONFIG).read_text() + "\n# a remark\n")
    assert "config.yaml: changed since it was written" in refusal(command, copy)
    (copy / CHECKSUMS).unlink()
    assert command("translate", copy, stdin=TEXT).code == 0


@given(data=st.data())
@examples(60)
def test_a_folder_with_any_damage_translates_or_is_one_line(
    command: Command, spelled: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.getbasetemp() / "damaged"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(spelled / "model", folder)
    if data.draw(st.booleans()):
        (folder / CHECKSUMS).unlink()
    file = folder / data.draw(
        st.sampled_from(sorted(path.name for path in folder.iterdir() if path.name != "README.md"))
    )
    content = bytearray(file.read_bytes())
    for _ in range(data.draw(st.integers(0, 4))):
        place = data.draw(st.integers(0, min(len(content), 4000) - 1) | st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content)))]
    file.write_bytes(content)
    done = command("translate", folder, "--beam", data.draw(st.sampled_from([1, 3])), stdin=TEXT)
    if done.code == 0:
        said = [line for line in done.err.splitlines() if "cut at the limit" not in line]
        assert (done.out.count("\n"), said) == (TEXT.count(b"\n"), [])
    else:
        assert (done.code, done.out) == (2, "")
        kinds = [line.split(": ")[0] for line in done.err.splitlines()]
        assert kinds == ["seq2attn", "hint"] * (len(kinds) // 2)
        assert kinds
