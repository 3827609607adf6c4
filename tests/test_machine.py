"""Which device a name stands for."""

import pytest
import torch

from seq2attn.errors import UsageError
from seq2attn.machine import choose_device


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize("name", ["cpu", "cuda", "cuda:0", "cuda:1"])
def test_a_name_is_that_device(name: str) -> None:
    assert choose_device(name) == torch.device(name)


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("cuda:2", "--device cuda:2: the last GPU of this machine is cuda:1", "use --device cuda:1"),
        ("cuda:", "--device cuda:: no such device", "use auto, cpu, cuda, cuda:N or mps"),
        ("cuda:-1", "--device cuda:-1: no such device", "use auto, cpu, cuda, cuda:N or mps"),
        ("cpu:1", "--device cpu:1: no such device", "use auto, cpu, cuda, cuda:N or mps"),
        ("", "--device '': no such device", "use auto, cpu, cuda, cuda:N or mps"),
        ("tpu", "--device tpu: no such device", "use auto, cpu, cuda, cuda:N or mps"),
    ],
)
def test_a_device_that_is_not_there_is_refused(name: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as error:
        choose_device(name)
    assert (error.value.message, error.value.hint) == (message, hint)


def test_a_gpu_is_refused_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match="this machine or this build of PyTorch has none"):
        choose_device("cuda:0")


@pytest.mark.parametrize(("cuda", "mps", "chosen"), [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")])
def test_auto_takes_cuda_then_mps_then_the_cpu(
    monkeypatch: pytest.MonkeyPatch, cuda: bool, mps: bool, chosen: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert choose_device("auto").type == chosen
