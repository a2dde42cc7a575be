"""Control groups with limits of cpu and memory, for runs and for workers' processes, where this agent may make them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from agents.limits import Cgroup, CgroupV1, CgroupV2

#: Short turns: who has used up its cpu in a turn stands still for the rest of it, and what else is on the host meets it
#: for milliseconds, not for a tenth of a second.
_PERIOD_US = 20_000
#: The kernel takes no smaller quota.
_LEAST_QUOTA_US = 1_000
#: What says that there is no limit, by file.
_UNBOUND = {
    "cpu.cfs_quota_us": "-1", "memory.limit_in_bytes": "-1", "cpu.max": "max", "memory.max": "max",
}  # fmt: skip
#: Where it is said how much is held that is no file's, and how often the kernel has killed: files and their lines.
_HELD = {"memory.stat": (b"total_rss", b"anon")}
_KILLS = {"memory.oom_control": (b"oom_kill",), "memory.events": (b"oom_kill",)}
_PIECE_BYTES = 16 * 1024


def make(parent: Cgroup | None, name: str, demand: Mapping[str, float]) -> list[Path]:
    """The directories of a group below parent, one a hierarchy, limited in cpu (cores) and memory (bytes).

    Only those in which a limit holds: none where this agent may not, or where the system has none.
    """
    quota = max(_LEAST_QUOTA_US, round(demand.get("cpu", 0.0) * _PERIOD_US))
    memory = round(demand.get("memory", 0.0))
    if isinstance(parent, CgroupV1):
        wanted: dict[str, dict[str, object]] = {
            "cpu": {"cpu.cfs_period_us": _PERIOD_US, "cpu.cfs_quota_us": quota} if "cpu" in demand else {},
            "memory": {"memory.limit_in_bytes": memory} if "memory" in demand else {},
        }
        homes = {
            parent.directories[each]: files for each, files in wanted.items() if each in parent.directories
        }
    elif parent is not None:
        files: dict[str, object] = {"cpu.max": f"{quota} {_PERIOD_US}"} if "cpu" in demand else {}
        homes = {parent.directory: {**files, **({"memory.max": memory} if "memory" in demand else {})}}
    else:
        homes = {}
    return [home / name for home, files in homes.items() if files and _limited(home / name, files)]


def _limited(directory: Path, files: Mapping[str, object]) -> bool:
    """Whether all of the limits hold there now."""
    try:
        try:
            _write(directory, files)
        except FileNotFoundError:
            with contextlib.suppress(OSError):  # v2's; they may be on already, or not be ours to give
                _write(directory.parent, {"cgroup.subtree_control": "+cpu +memory"})
            directory.mkdir(exist_ok=True)
            _write(directory, files)
    except OSError:
        with contextlib.suppress(OSError):
            directory.rmdir()
        return False
    return True


def remove(directories: list[Path]) -> bool:
    """Remove an empty group. False while something of it is there."""
    for directory in directories:
        try:
            directory.rmdir()
        except FileNotFoundError:
            continue
        except OSError:
            return False
    return True


def enter(directory: Path, pid: int) -> bool:
    """Have a process, and what it starts from now on, be in a group. False where that may not be or it has gone."""
    try:
        _write(directory, {"cgroup.procs": pid})
    except OSError:
        return False
    return True


def unbind(directory: Path) -> None:
    """Take a group's limits away, where they can be."""
    for name, nothing in _UNBOUND.items():
        with contextlib.suppress(OSError):
            _write(directory, {name: nothing})


def memory_held(directories: Iterable[Path]) -> float:
    """Bytes that a group holds now and can't give back; 0 where it is not known."""
    return max(map(float, _said(directories, _HELD)), default=0.0)


def kills(directories: Iterable[Path]) -> int:
    """How often the kernel has killed in a group for its memory."""
    return sum(map(int, _said(directories, _KILLS)))


def below(parent: Cgroup | None, prefix: str) -> list[Path]:
    """The directories of groups directly below a group whose names begin so."""
    return [found for home in _homes(parent) for found in home.glob(f"{prefix}*") if found.is_dir()]


def with_process(parent: Cgroup | None, name: str, pid: int) -> list[Path]:
    """The directories of the group of this name below parent that a process is in."""
    found = []
    for home in _homes(parent):
        with contextlib.suppress(OSError):
            if str(pid).encode() in _read(home / name, "cgroup.procs").split():
                found.append(home / name)
    return found


def _homes(parent: Cgroup | None) -> set[Path]:
    """A group's directories, one a hierarchy."""
    if isinstance(parent, CgroupV1):
        return set(parent.directories.values())
    return {parent.directory} if isinstance(parent, CgroupV2) else set()


def _said(directories: Iterable[Path], wanted: Mapping[str, tuple[bytes, ...]]) -> Iterator[bytes]:
    """The values of these lines of these files, where they are there."""
    for directory in directories:
        for name, lines in wanted.items():
            with contextlib.suppress(OSError):
                for line in _read(directory, name).splitlines():
                    key, _, value = line.partition(b" ")
                    if key in lines:
                        yield value


def _read(directory: Path, name: str) -> bytes:
    """A file of the kernel's. Like _write() without the layers of open(): what a body is bounded by is read and
    written at each job's begin and end."""
    handle = os.open(f"{directory}/{name}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        text = b""
        while more := os.read(handle, _PIECE_BYTES):
            text += more
        return text
    finally:
        os.close(handle)


def _write(directory: Path, files: Mapping[str, object]) -> None:
    """Values, by the file that takes each."""
    for name, value in files.items():
        handle = os.open(f"{directory}/{name}", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(handle, str(value).encode())
        finally:
            os.close(handle)
