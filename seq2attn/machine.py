"""The machine that a run happens on: device, threads, precision, and what the manifest says of them."""

import ctypes
import os
import platform
import shlex
import subprocess
import sys
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import torch

from seq2attn.errors import UsageError

Precision = Literal["fp32", "bf16"]


def choose_device(name: str) -> torch.device:
    """The device called `name`: cpu, cuda, cuda:N (the GPU number N), mps, or auto for the first of CUDA, MPS and CPU.

    Raises UsageError for another name, and for a device that is not there.
    """
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = next(kind for kind in ("cuda", "mps", "cpu") if available[kind])
    kind, colon, number = name.partition(":")
    if kind not in available or (colon and not (kind == "cuda" and number.isdecimal())):
        raise UsageError(f"--device {shlex.quote(name)}: no such device", "use auto, cpu, cuda, cuda:N or mps")
    if not available[kind]:
        raise UsageError(f"--device {name}: this machine or this build of PyTorch has none", "use --device auto")
    if number and int(number) >= torch.cuda.device_count():
        last = torch.cuda.device_count() - 1
        raise UsageError(f"--device {name}: the last GPU of this machine is cuda:{last}", f"use --device cuda:{last}")
    return torch.device(name)


def set_up_torch(threads: int | None) -> None:
    """Choose reproducible kernels, `threads` CPU threads (None: as many as PyTorch has now), and what is kept in memory.

    Large buffers are kept. Of the kernels that oneDNN makes for each shape of a batch 64 are kept: by default 1,024, which take
    100 to 500 KiB each. Where the processor has AMX it is 512: making a kernel takes milliseconds there. PyTorch keeps them in a
    cache of its own besides, also of 1,024: 64 do. Call it before anything is computed.
    """
    kernels = 512 if torch.cpu._is_amx_tile_supported() else 64
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", str(kernels))
    os.environ.setdefault("LRU_CACHE_CAPACITY", "64")
    # torch.use_deterministic_algorithms(True, warn_only=True) does the same, but imports PyTorch's compiler
    torch.set_deterministic_debug_mode("warn")
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # nothing here reads what it has not written
    torch.set_flush_denormal(True)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    warnings.filterwarnings("ignore", ".*non-deterministic")  # on a GPU, as a run says itself
    if threads is not None:
        torch.set_num_threads(threads)
    if _has_glibc():
        # By default glibc gives each buffer over 128 KiB back to the kernel and gets it back page by page.
        mallopt = ctypes.CDLL(None).mallopt
        m_mmap_threshold, m_trim_threshold = -3, -1
        mallopt(m_mmap_threshold, 1 << 30)
        mallopt(m_trim_threshold, (1 << 31) - 1)


def release_memory() -> None:
    """Give back to the system what is free but kept: where one kind of work ends and another begins."""
    if _has_glibc():
        ctypes.CDLL(None).malloc_trim(0)


def _has_glibc() -> bool:
    return sys.platform == "linux" and platform.libc_ver()[0] == "glibc"


def choose_precision(name: str, device: torch.device) -> Precision:
    """The precision called `name` (fp32, bf16, auto) on `device`. Raises UsageError for another name."""
    if name not in ("auto", "fp32", "bf16"):
        raise UsageError(f"--precision {shlex.quote(name)}: no such precision", "use auto, fp32 or bf16")
    return resolve_precision(name, device)


def resolve_precision(wanted: str, device: torch.device) -> Precision:
    """The precision that `wanted` names; `auto` is bf16 if the hardware multiplies it natively, else fp32."""
    if wanted in ("fp32", "bf16"):
        return wanted  # type: ignore[return-value]
    native = {
        "cuda": lambda: torch.cuda.get_device_capability() >= (8, 0),
        "cpu": lambda: torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported(),
    }
    return "bf16" if native.get(device.type, lambda: False)() else "fp32"


def make_autocast(precision: Precision, device: torch.device) -> Callable[[], AbstractContextManager[Any]]:
    """A factory of contexts in which forward passes have that precision; weights, sums and softmax stay in fp32."""
    if precision == "fp32":
        return nullcontext
    return lambda: torch.autocast(device.type, torch.bfloat16)


def read_versions() -> dict[str, str]:
    """The versions of Python and of all packages that decide what a run computes."""
    versions = {"python": platform.python_version()}
    for package in ("seq2attn", "torch", "numpy", "sentencepiece", "datasets", "sacrebleu"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


def describe_hardware(device: torch.device) -> dict[str, Any]:
    """The device, its name, the CPU threads and the system: what a run's speed and rounding depend on."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else _read_processor()
    return {
        "device": device.type,
        "name": name,
        "threads": torch.get_num_threads(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "system": platform.platform(),
    }


def read_git_state() -> dict[str, Any] | None:
    """Commit of the checkout that the code runs from, and whether it was changed; None outside one."""
    folder = Path(__file__).parent
    try:
        commit = _run_git(folder, "rev-parse", "HEAD")
        return {"commit": commit, "changed": bool(_run_git(folder, "status", "--porcelain"))}
    except (OSError, subprocess.CalledProcessError):
        return None


def _run_git(folder: Path, *arguments: str) -> str:
    result = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True)
    return result.stdout.strip()


def _read_processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
