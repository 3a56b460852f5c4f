"""Which device, precision and thread count a computation gets, told without importing torch where possible."""

from __future__ import annotations

import os
import platform
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Literal

Device = Literal["cpu", "cuda", "mps"]
Precision = Literal["float32", "bfloat16"]


@cache
def choose_device() -> Device:
    """Return the best device of this machine: cuda, mps or cpu.

    A machine without a trace of an NVIDIA or AMD driver and without Apple silicon is answered without importing torch,
    so that naming a run stays a matter of milliseconds.
    """
    if not _may_have_accelerator():
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if torch.backends.mps.is_available():
        return "mps"
    return "cpu"


def _may_have_accelerator() -> bool:
    if sys.platform == "linux":
        return any(Path(path).exists() for path in ("/proc/driver/nvidia", "/dev/nvidiactl", "/dev/dxg", "/dev/kfd"))
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    return True


@cache
def native_bfloat16(device: str = "cpu") -> bool:
    """Say whether the hardware multiplies bfloat16 itself, so that it is faster than float32 there."""
    if device == "cpu":
        return _cpu_bfloat16()
    if device == "cuda":
        import torch

        return torch.cuda.is_available() and torch.cuda.get_device_capability()[0] >= 8
    return False


def _cpu_bfloat16() -> bool:
    # Only Linux tells without a library; elsewhere float32 is right, just slower.
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="ignore")
    except OSError:
        return False
    flags = next((line for line in text.splitlines() if line.lower().startswith(("flags", "features"))), "").split()
    return bool({"avx512_bf16", "amx_bf16", "bf16"} & set(flags))


def choose_precision(device: str) -> Precision:
    """Return bfloat16 where the hardware has it, else float32."""
    return "bfloat16" if native_bfloat16(device) else "float32"


@cache
def processor_name(device: str = "cpu") -> str:
    """Return what the processor calls itself, such as "AMD EPYC 9R14": equal names, equal bits."""
    if device == "cuda":
        import torch

        return torch.cuda.get_device_name()
    if sys.platform == "linux":
        with suppress(OSError):
            text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="ignore")
            fields = (line.partition(":") for line in text.splitlines())
            named = {name.strip(): value.strip() for name, _, value in fields}
            # ARM's cpuinfo has no name, only numbers.
            return named.get("model name") or platform.machine()
    return platform.processor() or platform.machine()


def cpu_count() -> int:
    """Return the number of cores this process may use, at least 1."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def default_threads() -> int:
    """Return the thread count of a training: one core less than there are, so that the page keeps one; at least 1."""
    return max(1, cpu_count() - 1)


class _ThreadCount:
    """torch's thread count. Setting it changes what every new thread of the process begins with, and MKL at once.

    Several threads may set it at a time, so it is put back when the last of them is done: before that, it would change
    the bits of what the others are computing.
    """

    def __init__(self) -> None:
        self._lock, self._users, self._before = threading.Lock(), 0, 1
        self._of_thread = threading.local()

    @contextmanager
    def set_to(self, count: int) -> Iterator[None]:
        import torch

        depth = getattr(self._of_thread, "depth", 0)
        with self._lock:
            before = torch.get_num_threads()
            if not self._users:
                self._before = before
            self._users += 1
            torch.set_num_threads(count)
        self._of_thread.depth = depth + 1
        try:
            yield
        finally:
            self._of_thread.depth = depth
            with self._lock:
                self._users -= 1
                if not self._users:
                    torch.set_num_threads(self._before)
                elif depth:
                    torch.set_num_threads(before)


_THREAD_COUNT = _ThreadCount()


def torch_threads(count: int) -> AbstractContextManager[None]:
    """Compute with this number of torch's threads, then put back what was set.

    One computes the same bits whatever the number of cores, and waits on no busy one. Several threads may do so at a
    time; the number is put back once the last of them is done.
    """
    return _THREAD_COUNT.set_to(count)


def available_memory(device: str = "cpu") -> int:
    """Return how many bytes of memory are free for new work."""
    if device == "cuda":
        import torch

        return torch.cuda.mem_get_info()[0]
    import psutil

    return psutil.virtual_memory().available


def peak_memory() -> int:
    """Return this process's largest resident size so far in bytes; 0 where the system does not tell."""
    status = Path("/proc/self/status")
    if status.exists():
        # Linux: getrusage would start from the peak of the process that started this one.
        lines = status.read_text(encoding="utf-8", errors="ignore").splitlines()
        line = next((line for line in lines if line.startswith("VmHWM")), "")
        return int(line.split()[1]) * 1024 if line else 0
    try:
        import resource
    except ImportError:  # Windows
        import psutil

        return getattr(psutil.Process().memory_info(), "peak_wset", 0)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
