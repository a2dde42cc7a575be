"""One cgroup a host, in whichever hierarchies this machine has: v1, v2 or both at once.

Per controller the v1 hierarchy is taken where one is mounted, else the v2 tree.
A host's cgroup has the same relative path in all of them, e.g. "syk3f9/alpha".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .specs import HostSpec, cpu_quota

MOUNTS = Path("/proc/self/mountinfo")
#: cpuacct and blkio limit nothing here, but an agent reads its host's use from them.
V1_WANTED = ("cpu", "cpuacct", "memory", "freezer", "blkio")
V1_NEEDED = ("cpu", "memory", "freezer")
V2_NEEDED = ("cpu", "memory")


class CgroupsMissing(RuntimeError):
    """The machine offers no cgroups we could use; the text says which and why."""


@dataclass(frozen=True, slots=True)
class Hierarchies:
    """Mount points: v1 by controller (several may share one), and the v2 tree if it has what v1 lacks."""

    v1: dict[str, Path]
    v2: Path | None

    def roots(self) -> list[Path]:
        """Each mount point once."""
        return list(dict.fromkeys([*self.v1.values(), *([self.v2] if self.v2 else [])]))

    def control(self, controller: str, cgroup: str) -> tuple[Path, int]:
        """The directory that controls a controller for a cgroup, and the version of its files, 1 or 2."""
        if controller in self.v1:
            return self.v1[controller] / cgroup, 1
        if self.v2 is None:
            raise CgroupsMissing(f"no cgroup hierarchy has {controller}")
        return self.v2 / cgroup, 2


def find_hierarchies(mountinfo: str | None = None) -> Hierarchies:
    """Read where cgroups are mounted. Raises CgroupsMissing if cpu, memory or a freezer is nowhere."""
    v1: dict[str, Path] = {}
    tree: Path | None = None
    for line in (MOUNTS.read_text() if mountinfo is None else mountinfo).splitlines():
        before, _, after = line.partition(" - ")
        if not after:
            continue
        mount = Path(before.split()[4].replace("\\040", " "))
        kind, _, options = after.split()[:3]
        if kind == "cgroup2":
            tree = tree or mount
        elif kind == "cgroup":
            v1.update({name: mount for name in options.split(",") if name in V1_WANTED and name not in v1})
    missing = [name for name in V1_NEEDED if name not in v1]
    if not missing:
        return Hierarchies(v1, None)
    if tree is None:
        raise CgroupsMissing(f"no cgroup hierarchy is mounted for {', '.join(missing)}")
    # The v2 freezer is part of every cgroup but the root; it is no controller.
    offered = (tree / "cgroup.controllers").read_text().split()
    absent = [name for name in missing if name in V2_NEEDED and name not in offered]
    if absent:
        raise CgroupsMissing(f"the cgroup v2 tree does not offer {', '.join(absent)}")
    return Hierarchies(v1, tree)


def enable(hierarchies: Hierarchies, group: str) -> list[str]:
    """Make the rack's own group, and let its children have limits in a v2 tree.

    Returns the v2 controllers that had to be switched on at the root, for disable().
    Raises OSError where we may not.
    """
    for root in hierarchies.roots():
        (root / group).mkdir(exist_ok=True)
    if hierarchies.v2 is None:
        return []
    wanted = [name for name in V2_NEEDED if name not in hierarchies.v1]
    at_root = hierarchies.v2 / "cgroup.subtree_control"
    added = [name for name in wanted if name not in at_root.read_text().split()]
    for file in (at_root, hierarchies.v2 / group / "cgroup.subtree_control"):
        if wanted:
            file.write_text(" ".join(f"+{name}" for name in wanted))
    return added


def disable(hierarchies: Hierarchies, added: Iterable[str]) -> None:
    """Switch off again what enable() switched on; a controller that others use by now stays."""
    for name in added:
        if hierarchies.v2 is not None:
            try:
                (hierarchies.v2 / "cgroup.subtree_control").write_text(f"-{name}")
            except OSError:
                continue  # EBUSY: someone below the root has come to rely on it


@dataclass(frozen=True, slots=True)
class Cgroup:
    """One host's cgroup, at the same relative path in every hierarchy."""

    hierarchies: Hierarchies
    path: str

    def directories(self) -> list[Path]:
        return [root / self.path for root in self.hierarchies.roots()]

    def create(self, spec: HostSpec) -> None:
        """Make it and set its limits. Raises OSError."""
        for directory in self.directories():
            directory.mkdir(exist_ok=True)
        quota_us, period_us = cpu_quota(spec.cores)
        cpu, version = self.hierarchies.control("cpu", self.path)
        if version == 1:
            (cpu / "cpu.cfs_period_us").write_text(str(period_us))
            (cpu / "cpu.cfs_quota_us").write_text(str(quota_us))
        else:
            (cpu / "cpu.max").write_text(f"{quota_us} {period_us}")
        memory, version = self.hierarchies.control("memory", self.path)
        (memory / ("memory.limit_in_bytes" if version == 1 else "memory.max")).write_text(
            str(int(spec.memory_bytes))
        )

    def join_files(self) -> list[Path]:
        """Writing a pid into each of these moves that process, with its threads, into the cgroup."""
        return [directory / "cgroup.procs" for directory in self.directories()]

    def join(self, pid: int) -> None:
        """Move a process in. Raises ProcessLookupError if it has ended."""
        for file in self.join_files():
            file.write_text(str(pid))

    def pids(self) -> set[int]:
        """Who is in it, in any hierarchy."""
        found: set[int] = set()
        for file in self.join_files():
            if file.exists():
                found.update(int(line) for line in file.read_text().split())
        return found

    def set_frozen(self, frozen: bool) -> None:
        """Ask for it; is_frozen() says when it has happened."""
        directory, version = self.hierarchies.control("freezer", self.path)
        if version == 1:
            (directory / "freezer.state").write_text("FROZEN" if frozen else "THAWED")
        else:
            (directory / "cgroup.freeze").write_text("1" if frozen else "0")

    def is_frozen(self) -> bool:
        """Whether every process in it stands still."""
        directory, version = self.hierarchies.control("freezer", self.path)
        if version == 1:
            return (directory / "freezer.state").read_text().strip() == "FROZEN"
        return "frozen 1" in (directory / "cgroup.events").read_text().splitlines()

    def thaw_if_there(self) -> None:
        """Thaw, or do nothing where it was never made or is gone: a frozen v1 process does not die of SIGKILL."""
        if self.hierarchies.control("freezer", self.path)[0].exists():
            self.set_frozen(False)

    def remove(self) -> None:
        """Remove it everywhere. It must be empty; one that is gone already is fine."""
        for directory in self.directories():
            remove_group(directory)


def remove_group(directory: Path) -> None:
    """Remove one cgroup directory, if it is there, with those that agents made in it; all must be empty."""
    if directory.exists():
        for below in directory.iterdir():
            if below.is_dir():
                remove_group(below)
        directory.rmdir()
