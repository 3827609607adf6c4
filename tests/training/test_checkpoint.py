from pathlib import Path

import pytest
import torch
from torch import Tensor

from seq2attn.errors import Seq2attnError
from seq2attn.training import checkpoint as module
from seq2attn.training.checkpoint import (
    MODEL,
    Checkpoints,
    average_weights,
    copy_weights,
    load_weights,
    read_tensors,
)
from tests.laws.systems import MODELS, sentences, system
from tests.training.toy import make_state


def save(checkpoints: Checkpoints, update: int, value: float = 0.0, seconds: float = 0.0) -> None:
    tensors, random = {"w": torch.full((2, 3), value)}, {"cpu": torch.get_rng_state()}
    checkpoints.save(update, model=tensors, optimizer={}, random=random, state=make_state(update, seconds))


def value(checkpoints: Checkpoints, update: int) -> float:
    return read_tensors(checkpoints.path(update) / MODEL)["w"][0, 0].item()


def test_what_is_saved_is_read_back(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    assert checkpoints.updates() == []
    save(checkpoints, 20, 2.0, seconds=0.1 + 0.2)
    save(checkpoints, 3, 1.0)
    assert checkpoints.updates() == [3, 20]
    assert checkpoints.read_state(20) == make_state(20, 0.1 + 0.2)
    assert value(checkpoints, 20) == 2.0
    assert sorted(path.name for path in checkpoints.path(20).iterdir()) == [
        "SHA256SUMS",
        "model.safetensors",
        "optimizer.safetensors",
        "random.safetensors",
        "state.json",
    ]


def test_saving_an_update_again_replaces_it(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    save(checkpoints, 10, 1.0)
    save(checkpoints, 10, 2.0)
    assert checkpoints.updates() == [10]
    assert value(checkpoints, 10) == 2.0


def test_keep_removes_all_others(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    for update in (1, 2, 3, 4):
        save(checkpoints, update)
    checkpoints.keep([4, 2, 7])
    assert checkpoints.updates() == [2, 4]


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize(
    "name", ["model.safetensors", "optimizer.safetensors", "random.safetensors", "state.json", "SHA256SUMS"]
)
@pytest.mark.parametrize("damage", ["flipped", "cut", "gone"])
def test_a_damaged_checkpoint_is_named_and_the_one_before_it_is_found(tmp_path: Path, name: str, damage: str) -> None:
    checkpoints = Checkpoints(tmp_path)
    for update in (10, 20):
        save(checkpoints, update)
        assert checkpoints.newest() == (update, [])
    file = checkpoints.path(20) / name
    content = file.read_bytes()
    file.unlink() if damage == "gone" else file.write_bytes({"flipped": flipped(content), "cut": content[:-3]}[damage])
    newest, [flaw] = checkpoints.newest()
    assert newest == 10
    assert "update-00000020" in flaw
    assert "damaged" in flaw
    with pytest.raises(Seq2attnError, match="update-00000020"):
        checkpoints.read_weights([10, 20])
    (checkpoints.path(10) / "state.json").write_text("{}")
    with pytest.raises(Seq2attnError, match=r"no checkpoint is whole: .*update-00000020.*update-00000010"):
        checkpoints.newest()


def test_what_is_no_checkpoint_is_not_taken_for_one(tmp_path: Path) -> None:
    (tmp_path / "update-later").mkdir()
    assert Checkpoints(tmp_path).newest() == (None, [])


def files(folder: Path, *contents: dict[str, Tensor]) -> list[Path]:
    paths = [folder / f"{number}.safetensors" for number in range(len(contents))]
    for path, tensors in zip(paths, contents, strict=True):
        path.write_bytes(module.to_bytes(tensors))
    return paths


def test_an_average_is_the_mean_of_every_parameter(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(1)
    parts = [{"a": torch.randn(3, 2, generator=generator), "b": torch.full((1,), 10.0**i)} for i in range(3)]
    mean = average_weights(files(tmp_path, *parts))
    torch.testing.assert_close(mean["a"], torch.stack([part["a"] for part in parts]).mean(0))
    assert mean["b"].item() == pytest.approx(37)
    assert mean["a"].dtype == torch.float32


def test_an_average_sums_in_fp64(tmp_path: Path) -> None:
    parts = [{"a": torch.tensor([number])} for number in (2.0**24, 1.0, 1.0, 1.0, 1.0)]  # fp32 would lose every 1
    assert average_weights(files(tmp_path, *parts))["a"].item() == pytest.approx((2**24 + 4) / 5, abs=0.3)


def test_checkpoints_of_different_models_have_no_average(tmp_path: Path) -> None:
    with pytest.raises(Seq2attnError, match=r"1\.safetensors: has other parameters than .*0\.safetensors"):
        average_weights(files(tmp_path, {"a": torch.ones(1)}, {"b": torch.ones(1)}))


def test_a_damaged_file_is_one_clear_line(tmp_path: Path) -> None:
    file = tmp_path / MODEL
    with pytest.raises(Seq2attnError, match="cannot be read"):
        read_tensors(file)
    file.write_bytes(b"\x08\x00\x00\x00torn")
    with pytest.raises(Seq2attnError, match=f"{file}: cannot be read"):
        read_tensors(file)


@pytest.mark.parametrize(("tied", "tables"), [("none", 3), ("two_way", 2), ("three_way", 1)])
def test_tied_weights_are_saved_once_and_tied_again_after_loading(tied: str, tables: int) -> None:
    saved = copy_weights(system("luong", tied=tied))
    assert sum(tensor.shape == (11, 8) for tensor in saved.values()) == tables
    model = system("luong", tied=tied)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    load_weights(model, saved, Path("here"))
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, saved[name])
    assert (model.output is model.decoder.embedding.table.weight) == (tied != "none")  # type: ignore[attr-defined]
    assert (model.output is model.encoder.embedding.table.weight) == (tied == "three_way")  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", MODELS)
def test_a_model_that_is_read_back_computes_what_the_saved_one_did(tmp_path: Path, name: str) -> None:
    model, other = system(name), system(name)
    source, target = sentences([4, 6]), sentences([5, 3])
    for changed, by in ((model, 0.1), (other, 1.0)):
        for tensor in changed.state_dict().values():  # what modules keep beside their weights too
            tensor.add_(by)
    (tmp_path / MODEL).write_bytes(module.to_bytes(copy_weights(model)))
    assert not torch.equal(other.logits(other(source, target)), model.logits(model(source, target)))
    load_weights(other, read_tensors(tmp_path / MODEL), tmp_path / MODEL)
    assert torch.equal(other.logits(other(source, target)), model.logits(model(source, target)))
    for key, tensor in model.state_dict().items():
        assert torch.equal(other.state_dict()[key], tensor), key


def changed(kind: str) -> dict[str, Tensor]:
    tensors = copy_weights(system("luong"))
    if kind == "missing":
        del tensors["bias"]
    if kind == "unknown":
        tensors["bios"] = torch.ones(1)
    if kind == "shape":
        tensors["bias"] = tensors["bias"][:1]  # would broadcast
    return tensors


@pytest.mark.parametrize(("kind", "name"), [("missing", "'bias'"), ("unknown", "'bios'"), ("shape", "'bias'")])
def test_weights_of_another_model_are_refused(kind: str, name: str) -> None:
    model = system("luong")
    before = {key: tensor.clone() for key, tensor in copy_weights(model).items()}
    with pytest.raises(Seq2attnError, match=rf"there: does not fit the config's model: {name} and 0 more"):
        load_weights(model, {key: tensor + 1 for key, tensor in changed(kind).items()}, Path("there"))
    assert all(torch.equal(tensor, before[key]) for key, tensor in copy_weights(model).items())
