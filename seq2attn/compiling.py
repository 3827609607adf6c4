"""Functions that PyTorch's compiler turns into few kernels, where that was allowed: for training on a GPU."""

import importlib.util
import os
import shutil
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import torch

Function = TypeVar("Function", bound=Callable[..., Any])

_allowed = False


def allow_compiling(allowed: bool) -> None:
    """From now on the functions that `compiled` marks are compiled, or not."""
    global _allowed
    _allowed = allowed


def can_compile(device: torch.device) -> bool:
    """Whether it is a GPU that PyTorch's compiler writes kernels for, with Triton and a C compiler on this machine."""
    compiler = shutil.which(os.environ.get("CC", "cc")) or shutil.which("gcc") or shutil.which("clang")
    return device.type == "cuda" and compiler is not None and importlib.util.find_spec("triton") is not None


def compiled(function: Function) -> Function:
    """The function, compiled where that is allowed; a method of a module only while the module trains."""
    fast: Callable[..., Any] | None = None

    @wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        nonlocal fast
        first = arguments[0]
        if not _allowed or (isinstance(first, torch.nn.Module) and not first.training):
            return function(*arguments, **named)
        if fast is None:
            fast = torch.compile(function, dynamic=True)
        return fast(*arguments, **named)

    return call  # type: ignore[return-value]
