"""What a control group allows and has used, from cgroup v1 or v2 files.

Two questions are told apart. With a path given, the host *is* that group: its limits and its usage count.
With none, the agent looks for the group that holds the whole system it can see: the deepest one it shares
with process 1. In a container that is the container's group; on a plain machine it is the root, which has no
limit. The agent's own service unit is not asked, or a memory limit put on the agent would become the host's.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agents.wire import Quota

ROOT = Path("/sys/fs/cgroup")
PROC = Path("/proc")

#: v1 writes "no limit" as the largest multiple of a page in 63 bits; nothing real is near it.
_V1_UNLIMITED_BYTES = 2**60
_V1_CONTROLLERS = ("cpu", "cpuacct", "memory", "cpuset", "blkio")


class NoSuchGroup(ValueError):
    """The path names no control group on this machine."""


@dataclass(frozen=True)
class CgroupV2:
    """One group of the unified hierarchy. Every reading is None where the file or the limit is absent."""

    directory: Path
    root: Path

    def cpu_limit_cores(self) -> float | None:
        quota = self.cpu_quota()
        allowed = _cpu_count(_read(self.directory / "cpuset.cpus.effective"))
        return _least([quota.cores if quota else None, allowed])

    def cpu_quota(self) -> Quota | None:
        """The tightest of its own and its ancestors'."""
        return _tightest(_v2_quota(_read(level / "cpu.max")) for level in _upwards(self.directory, self.root))

    def memory_limit_bytes(self) -> float | None:
        return _least(_number(_read(level / "memory.max")) for level in _upwards(self.directory, self.root))

    def cpu_used_s(self) -> float | None:
        micros = _field(_read(self.directory / "cpu.stat"), "usage_usec")
        return None if micros is None else micros / 1e6

    def memory_used_bytes(self) -> float | None:
        usage = _number(_read(self.directory / "memory.current"))
        return _without_cache(usage, _field(_read(self.directory / "memory.stat"), "inactive_file"))

    def disk_io_bytes(self) -> float | None:
        text = _read(self.directory / "io.stat")
        if text is None:
            return None
        pairs = (word.partition("=") for line in text.splitlines() for word in line.split()[1:])
        return sum(float(value) for key, _, value in pairs if key in {"rbytes", "wbytes"})


@dataclass(frozen=True)
class CgroupV1:
    """One group in each v1 hierarchy that has it: controller name to its directory."""

    directories: dict[str, Path]
    root: Path

    def cpu_limit_cores(self) -> float | None:
        quota = self.cpu_quota()
        allowed = _cpu_count(self._file("cpuset", "cpuset.effective_cpus"))
        return _least([quota.cores if quota else None, allowed])

    def cpu_quota(self) -> Quota | None:
        """The tightest of its own and its ancestors'."""
        return _tightest(
            _quota(_number(_read(level / "cpu.cfs_quota_us")), _number(_read(level / "cpu.cfs_period_us")))
            for level in self._levels("cpu")
        )

    def memory_limit_bytes(self) -> float | None:
        limits = (_number(_read(level / "memory.limit_in_bytes")) for level in self._levels("memory"))
        return _least(limit for limit in limits if limit is not None and limit < _V1_UNLIMITED_BYTES)

    def cpu_used_s(self) -> float | None:
        nanos = _number(self._file("cpuacct", "cpuacct.usage"))
        return None if nanos is None else nanos / 1e9

    def memory_used_bytes(self) -> float | None:
        usage = _number(self._file("memory", "memory.usage_in_bytes"))
        return _without_cache(usage, _field(self._file("memory", "memory.stat"), "total_inactive_file"))

    def disk_io_bytes(self) -> float | None:
        return _field(self._file("blkio", "blkio.throttle.io_service_bytes_recursive"), "Total")

    def _file(self, controller: str, name: str) -> str | None:
        directory = self.directories.get(controller)
        return None if directory is None else _read(directory / name)

    def _levels(self, controller: str) -> Iterator[Path]:
        directory = self.directories.get(controller)
        return iter(()) if directory is None else _upwards(directory, self.root / controller)


Cgroup = CgroupV1 | CgroupV2


def find(path: str | None, root: Path = ROOT, proc: Path = PROC) -> Cgroup | None:
    """The group named by `path`, relative to the hierarchy roots; with None the one that holds this system.

    Raises NoSuchGroup for a path that names nothing. None is answered only when no path was given
    and the system has no control groups at all.
    """
    if path is not None:
        parts = path.strip("/").split("/")
        if not all(parts) or ".." in parts:
            raise NoSuchGroup(f"{path!r} is not a path of a control group")
        found = _at("/".join(parts), root)
        if found is None:
            raise NoSuchGroup(f"no control group {path!r} under {root}")
        return found
    own, first = _memberships(proc / "self" / "cgroup"), _memberships(proc / "1" / "cgroup")
    shared = {name: _common(where, first.get(name, where)) for name, where in own.items()}
    v1 = {
        name: _existing(root / name, shared[name])
        for name in _V1_CONTROLLERS
        if name in shared and (root / name).is_dir()
    }
    if v1:
        return CgroupV1(v1, root)
    if "" in shared and (root / "cgroup.controllers").exists():
        return CgroupV2(_existing(root, shared[""]), root)
    return None


def _at(path: str, root: Path) -> Cgroup | None:
    v1 = {name: root / name / path for name in _V1_CONTROLLERS if (root / name / path).is_dir()}
    if v1:
        return CgroupV1(v1, root)
    return CgroupV2(root / path, root) if (root / path / "cgroup.procs").exists() else None


def _memberships(file: Path) -> dict[str, str]:
    """Controller name to path; the unified hierarchy under the empty name."""
    groups = {}
    for line in (_read(file) or "").splitlines():
        _, controllers, path = line.split(":", 2)
        for name in controllers.split(","):
            groups[name] = path.strip("/")
    return groups


def _common(one: str, other: str) -> str:
    return os.path.commonpath([f"/{one}", f"/{other}"]).strip("/")


def _existing(hierarchy: Path, path: str) -> Path:
    """A container may see its own group mounted as the root while /proc still names the path outside."""
    directory = hierarchy / path
    return directory if directory.is_dir() else hierarchy


def _upwards(directory: Path, root: Path) -> Iterator[Path]:
    """The group and its ancestors: a limit anywhere above binds too."""
    yield directory
    for level in directory.parents:
        if level == root.parent or not level.is_relative_to(root):
            return
        yield level


def _read(file: Path) -> str | None:
    """A file's text; None where it is absent, unreadable or refused (a controller that is off)."""
    try:
        return file.read_text()
    except OSError:
        return None


def _number(text: str | None) -> float | None:
    if text is None or text.strip() in {"", "max"}:
        return None
    return float(text)


def _field(text: str | None, name: str) -> float | None:
    for line in (text or "").splitlines():
        words = line.split()
        if len(words) == 2 and words[0] == name:
            return float(words[1])
    return None


def _v2_quota(text: str | None) -> Quota | None:
    quota, _, period = (text or "").strip().partition(" ")
    return _quota(_number(quota), _number(period))


def _quota(quota_us: float | None, period_us: float | None) -> Quota | None:
    if quota_us is None or quota_us <= 0 or not period_us:
        return None
    return Quota(quota_us / period_us, period_us / 1e6)


def _tightest(quotas: Iterator[Quota | None]) -> Quota | None:
    known = [quota for quota in quotas if quota is not None]
    return min(known, key=lambda quota: quota.cores, default=None)


def _cpu_count(text: str | None) -> float | None:
    """How many processors a list such as `0-3,7` names."""
    if text is None or not text.strip():
        return None
    spans = (span.partition("-") for span in text.strip().split(","))
    return float(sum(int(last or first) - int(first) + 1 for first, _, last in spans))


def _without_cache(usage: float | None, cache: float | None) -> float | None:
    return None if usage is None else max(0.0, usage - (cache or 0.0))


def _least(values: Iterator[float | None] | list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return min(known) if known else None
