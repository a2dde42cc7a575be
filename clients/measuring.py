"""What one run of a job's body used, as far as its own process can tell: that is what the next run is given.

Assumptions: Linux's /proc; one body at a time in this process (prefork, solo). Where several run at once nothing is
said, for nobody can tell whose it was. cpu that a run would have used on a host with more to give is not seen.
"""

from __future__ import annotations

import os
import resource
import threading
import time

#: More than /proc/self/status has.
_MOST_BYTES = 64 * 1024
#: What the kernel counts blocks of disks in here, in bytes, whatever their own size is.
_BLOCK_BYTES = 512

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
                _base = (os.getpid(), _memory(b"VmRSS:"))
            self._base = _base[1]
        if self._alone:
            _forget_peak()
        self._began, self._spent = time.monotonic(), _spent()

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
        cpu_s, io_bytes = (now - before for now, before in zip(_spent(), self._spent, strict=True))
        found = {"seconds": seconds, "cpu": cpu_s / seconds, "disk_io": io_bytes / seconds}
        if peak := _memory(b"VmHWM:"):
            found["memory"] = max(peak - self._base, 0.0)
        return found


def _spent() -> tuple[float, float]:
    """Seconds of cpu, and bytes that went to and came from disks, of this process and of its children that have
    ended."""
    cpu_s, blocks = 0.0, 0
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        usage = resource.getrusage(who)
        cpu_s += usage.ru_utime + usage.ru_stime
        blocks += usage.ru_inblock + usage.ru_oublock
    return cpu_s, float(blocks * _BLOCK_BYTES)


def _memory(line: bytes) -> float:
    """Bytes, 0 where the kernel does not say."""
    try:
        # Without the layers of open(), which cost more than the kernel's answer.
        handle = os.open("/proc/self/status", os.O_RDONLY | os.O_CLOEXEC)
        try:
            text = os.read(handle, _MOST_BYTES)
        finally:
            os.close(handle)
    except OSError:
        return 0.0
    _, found, rest = text.partition(line)
    return float(rest.split(maxsplit=1)[0]) * 1024 if found else 0.0


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
