"""What one run of a job's body used, as far as its own process can tell: that is what the next run is given.

Assumptions: Linux's /proc; one body at a time in this process (prefork, solo). Where several run at once nothing is
said, for nobody can tell whose it was. cpu that a run would have used on a host with more to give is not seen.
"""

from __future__ import annotations

import os
import resource
import threading
import time

#: More than any of those files that are read here has.
_MOST_BYTES = 64 * 1024

_lock = threading.Lock()
_running = 0
#: What this process held before its first job: every worker's process does, and no job needs it again.
_base: tuple[int, float] | None = None


class Meter:
    """From its making to used()."""

    def __init__(self) -> None:
        global _running, _base
        with _lock:
            _running += 1
            self._alone = _running == 1
            if _base is None or _base[0] != os.getpid():
                _base = (os.getpid(), _memory("VmRSS"))
            self._base = _base[1]
        if self._alone:
            _forget_peak()
        self._began, self._cpu, self._io = time.monotonic(), _cpu_s(), _io_bytes()

    def used(self) -> dict[str, float]:
        """By resource: cpu in cores, memory in bytes at the peak, disk_io in bytes/s; and seconds. Empty where it
        can't be told. To be asked once, at the end."""
        global _running
        with _lock:
            self._alone &= _running == 1
            _running -= 1
        seconds = time.monotonic() - self._began
        if not self._alone or seconds <= 0.0:
            return {}
        found = {"seconds": seconds, "cpu": (_cpu_s() - self._cpu) / seconds}
        if peak := _memory("VmHWM"):
            found["memory"] = max(peak - self._base, 0.0)
        if self._io is not None and (io := _io_bytes()) is not None:
            found["disk_io"] = (io - self._io) / seconds
        return found


def _cpu_s() -> float:
    """Of this process and of its children that have ended."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _memory(line: str) -> float:
    """Bytes, 0 where the kernel does not say."""
    try:
        for each in _read("/proc/self/status").splitlines():
            if each.startswith(line):
                return float(each.split()[1]) * 1024
    except OSError:
        return 0.0
    return 0.0


def _read(path: str) -> str:
    """A file of the kernel's. Without the layers of open(), which cost more than the kernel's answer: two of these are
    read at each job's begin and end."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(handle, _MOST_BYTES).decode()
    finally:
        os.close(handle)


def _forget_peak() -> None:
    """Let VmHWM begin again; where that is not allowed the peak is that of all runs of this process, which is safe."""
    try:
        handle = os.open("/proc/self/clear_refs", os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return
    try:
        os.write(handle, b"5")
    except OSError:
        return
    finally:
        os.close(handle)


def _io_bytes() -> float | None:
    """What went to and came from disks; None where the kernel does not say."""
    try:
        lines = dict(each.split(": ") for each in _read("/proc/self/io").splitlines())
        return float(lines["read_bytes"]) + float(lines["write_bytes"])
    except (OSError, KeyError, ValueError):
        return None
