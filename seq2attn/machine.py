"""The machine a run happens on: device, threads, precision, and how it is recorded."""

import ctypes
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import torch

from seq2attn.errors import UsageError

Precision = Literal["fp32", "bf16"]


def device(name: str) -> torch.device:
    """The device of that name; "auto" takes CUDA, then Apple's MPS, then the CPU."""
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = next(kind for kind in ("cuda", "mps", "cpu") if available[kind])
    if name not in available:
        raise UsageError(f"--device {name}: no such device", "use auto, cpu, cuda or mps")
    if not available[name]:
        raise UsageError(f"--device {name}: this machine or this build of PyTorch has none", "use --device auto")
    return torch.device(name)


def set_up(threads: int | None) -> None:
    """Reproducible kernels, `threads` CPU threads (None: PyTorch's choice), and an allocator that keeps large buffers."""
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # nothing here reads what it has not written
    torch.set_flush_denormal(True)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    if threads is not None:
        torch.set_num_threads(threads)
    if sys.platform == "linux" and platform.libc_ver()[0] == "glibc":
        # By default glibc gives each buffer over 128 KiB back to the kernel and gets it back page by page.
        mallopt = ctypes.CDLL(None).mallopt
        m_mmap_threshold, m_trim_threshold = -3, -1
        mallopt(m_mmap_threshold, 1 << 30)
        mallopt(m_trim_threshold, (1 << 31) - 1)


def keep_few_kernels() -> None:
    """Before anything is computed: oneDNN keeps 256 of the kernels that it makes for each shape, not 1024.

    Endless text has endlessly many shapes of batches, and each kernel takes some 100 KiB.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "256")


def resolve_precision(wanted: str, where: torch.device) -> Precision:
    """`auto` is bf16 where the hardware multiplies it natively, else fp32."""
    if wanted in ("fp32", "bf16"):
        return wanted  # type: ignore[return-value]
    native = {
        "cuda": lambda: torch.cuda.get_device_capability() >= (8, 0),
        "cpu": lambda: torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported(),
    }
    return "bf16" if native.get(where.type, lambda: False)() else "fp32"


def autocast(precision: Precision, where: torch.device) -> Callable[[], AbstractContextManager[Any]]:
    """Forward passes in that precision; weights, sums and softmax stay in fp32."""
    if precision == "fp32":
        return nullcontext
    return lambda: torch.autocast(where.type, torch.bfloat16)


def versions() -> dict[str, str]:
    """Of everything that decides what a run computes."""
    found = {"python": platform.python_version()}
    for package in ("seq2attn", "torch", "numpy", "sentencepiece", "datasets", "sacrebleu"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def hardware(where: torch.device) -> dict[str, Any]:
    """What the figures of a run depend on."""
    name = torch.cuda.get_device_name() if where.type == "cuda" else _processor()
    return {
        "device": where.type,
        "name": name,
        "threads": torch.get_num_threads(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "system": platform.platform(),
    }


def git_state() -> dict[str, Any] | None:
    """Commit of the checkout that the code runs from, and whether it was changed; None outside one."""
    folder = Path(__file__).parent
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        return {"commit": commit, "changed": bool(_git(folder, "status", "--porcelain"))}
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(folder: Path, *arguments: str) -> str:
    result = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True)
    return result.stdout.strip()


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
