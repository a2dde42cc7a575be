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
#: What can be limited, and the file of its limit, of v1 and v2.
_FILES = {"cpu": ("cpu.cfs_quota_us", "cpu.max"), "memory": ("memory.limit_in_bytes", "memory.max")}
RESOURCES = tuple(_FILES)
#: Where it is said how much is held that is no file's, and how often the kernel has killed: files and their lines.
_HELD = {"memory.stat": (b"total_rss", b"anon")}
_KILLS = {"memory.oom_control": (b"oom_kill",), "memory.events": (b"oom_kill",)}
_PIECE_BYTES = 16 * 1024


class Group:
    """One below parent, in the hierarchies of what it can limit: cpu (cores) and memory (bytes). It is made with its
    first limit; directories: where, by resource, none where the system has none."""

    def __init__(self, parent: Cgroup | None, name: str) -> None:
        self._v2 = isinstance(parent, CgroupV2)
        homes: dict[str, Path] = {}
        if isinstance(parent, CgroupV1):
            homes = {each: parent.directories[each] for each in RESOURCES if each in parent.directories}
        elif parent is not None:
            homes = dict.fromkeys(RESOURCES, parent.directory)
        there = {home: home / name for home in homes.values()}
        self.directories = {each: there[home] for each, home in homes.items()}

    def limit(self, demand: Mapping[str, float]) -> list[Path]:
        """Limit these resources. The directories in which the limits hold: none where this agent may not."""
        wanted: dict[Path, dict[str, object]] = {}
        for resource, directory in self.directories.items():
            if resource in demand:
                wanted.setdefault(directory, {}).update(self._files(resource, demand[resource]))
        return [directory for directory, files in wanted.items() if _limited(directory, files)]

    def free(self, resource: str) -> None:
        """Take a limit away, where it can be."""
        file = _FILES[resource][self._v2]
        with contextlib.suppress(OSError):
            _write(self.directories[resource], {file: "max" if self._v2 else -1})

    def of(self, pid: int) -> list[Path]:
        """The directories that a process is in."""
        found = []
        for directory in dict.fromkeys(self.directories.values()):
            with contextlib.suppress(OSError):
                if str(pid).encode() in _read(directory, "cgroup.procs").split():
                    found.append(directory)
        return found

    def _files(self, resource: str, amount: float) -> dict[str, object]:
        file = _FILES[resource][self._v2]
        if resource == "memory":
            return {file: round(amount)}
        quota = max(_LEAST_QUOTA_US, round(amount * _PERIOD_US))
        return {file: f"{quota} {_PERIOD_US}"} if self._v2 else {"cpu.cfs_period_us": _PERIOD_US, file: quota}


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


def memory_held(directories: Iterable[Path]) -> float:
    """Bytes that a group holds now and can't give back; 0 where it is not known."""
    return max(map(float, _said(directories, _HELD)), default=0.0)


def kills(directories: Iterable[Path]) -> int:
    """How often the kernel has killed in a group for its memory."""
    return sum(map(int, _said(directories, _KILLS)))


def below(parent: Cgroup | None, prefix: str) -> list[Path]:
    """The directories of groups directly below a group whose names begin so."""
    homes: set[Path] = set()
    if isinstance(parent, CgroupV1):
        homes = set(parent.directories.values())
    elif parent is not None:
        homes = {parent.directory}
    return [found for home in homes for found in home.glob(f"{prefix}*") if found.is_dir()]


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
