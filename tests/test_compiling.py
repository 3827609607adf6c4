"""What is marked as compiled is so where that is allowed, once, and for modules only while they train."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from seq2attn.compiling import allow_compiling, can_compile, compiled


@pytest.fixture
def compiler(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The names of what was compiled; the functions stay as they are."""
    names: list[str] = []

    def compile_nothing(function: Callable[..., Any], *, dynamic: bool) -> Callable[..., Any]:
        assert dynamic
        names.append(function.__name__)
        return function

    monkeypatch.setattr(torch, "compile", compile_nothing)
    yield names
    allow_compiling(False)


class Doubler(nn.Module):
    @compiled
    def forward(self, states: Tensor) -> Tensor:
        return 2 * states


@compiled
def triple(states: Tensor) -> Tensor:
    return 3 * states


def test_only_what_is_allowed_is_compiled_and_once(compiler: list[str]) -> None:
    one, doubler = torch.ones(1), Doubler()
    assert (triple(one), doubler(one)) == (3, 2)
    assert compiler == []
    allow_compiling(True)
    doubler.eval()
    assert doubler(one) == 2
    assert compiler == []
    doubler.train()
    assert [triple(one), triple(one), doubler(one), Doubler()(one)] == [3, 3, 2, 2]
    assert compiler == ["triple", "forward"]


def test_it_takes_a_gpu_triton_and_a_c_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    assert can_compile(torch.device("cuda"))
    assert not can_compile(torch.device("cpu"))
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert not can_compile(torch.device("cuda"))
    monkeypatch.undo()
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert not can_compile(torch.device("cuda"))
