"""What the machine is, and what processes take of it: exact cpu time, memory without counting pages twice."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

MB = 1e6
#: The scheduler's own account, one of the clocks that the kernel has for every process.
_SCHEDULED = 2


def cpu_s(pid: int) -> float:
    """Seconds of cpu that all threads of a process have used, also those that ended. Raises OSError.

    /proc/PID/stat counts in hundredths of a second, too coarse for an agent that uses three in ten seconds.
    """
    return time.clock_gettime(~pid << 3 | _SCHEDULED)


def rss_bytes(pid: int) -> int:
    """Resident bytes. Raises OSError if the process is gone."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def pss_bytes(pid: int) -> int | None:
    """Resident bytes with each shared page divided among its users; None where the kernel does not say."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (PermissionError, FileNotFoundError):
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), None)


def memory_mb(pids: Iterable[int]) -> tuple[float, float | None]:
    """(RSS, PSS) of some processes together, in MB; PSS is None where one of them hides it."""
    resident, shared_out = 0, 0
    readable = True
    for pid in pids:
        resident += rss_bytes(pid)
        pss = pss_bytes(pid)
        readable &= pss is not None
        shared_out += pss or 0
    return resident / MB, shared_out / MB if readable else None


def describe() -> dict[str, Any]:
    """What of the machine matters to a reader of the figures, and how busy it was; no names, no paths."""
    info = Path("/proc/cpuinfo").read_text().splitlines()
    model = next(
        (line.partition(":")[2].strip() for line in info if line.startswith("model name")), platform.machine()
    )
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGESIZE") / 1e9, 1),
        "kernel": platform.release().split("-")[0],
        "load_before": round(os.getloadavg()[0], 2),
    }
