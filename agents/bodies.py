"""The bodies of jobs in workers' processes, bounded by what their jobs say that they need, where this agent may.

A worker's process enters a control group of its own with the first claim that says what its job needs, and stays in it;
the limits are those of what the process has claimed at the moment, and none where it has claimed nothing: it may run
tasks that are no jobs. Beyond its cpu a body stands still for a moment, beyond its memory it is killed, and its attempt
says so.

Rules:
1. Only what every claim of the process says bounds it: of two bodies in one process nobody can tell whose a byte is.
2. What the process held before it claimed is not the job's, and the worker has some room of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from agents import groups
from agents.limits import Cgroup

#: For claiming, reporting and storing results, beside the body.
ROOM_CORES, ROOM_BYTES = 0.05, 16 * 2**20
_PREFIX = "steelyard-worker-"

Lease = tuple[str, int]


@dataclass
class _Process:
    """A worker's. directories: those of its group that it is in. claims: what each says. kills: how often the kernel
    had killed in it when it last claimed what bounds its memory."""

    group: groups.Group
    directories: list[Path]
    claims: dict[Lease, dict[str, float]] = field(default_factory=dict)
    kills: int = 0


class Bodies:
    """Of one host. parent: where groups are made; None: none are. resources: of groups.RESOURCES, what is bounded."""

    def __init__(self, parent: Cgroup | None, resources: Collection[str] = groups.RESOURCES) -> None:
        self._parent, self._resources = parent, frozenset(resources)
        self._processes: dict[int, _Process] = {}
        self._connections: Counter[int] = Counter()
        #: Groups of processes that have gone, as long as the kernel says that something is there.
        self._left: set[Path] = set()

    def sweep(self) -> None:
        """Remove what agents before this one left: groups without a process."""
        for directory in groups.below(self._parent, _PREFIX):
            groups.remove([directory])

    def opened(self, pid: int) -> None:
        """A process has a connection more. 0: one that can't be seen from here, and is not bounded."""
        self._connections[pid] += 1

    def closed(self, pid: int) -> None:
        """A connection less; without any the process is taken to have gone."""
        self._connections[pid] -= 1
        if self._connections[pid] <= 0:
            del self._connections[pid]
            gone = self._processes.pop(pid, None)
            self._left.update(gone.directories if gone else ())
        self._left = {each for each in self._left if not groups.remove([each])}

    def begin(self, pid: int, lease: Lease, said: Mapping[str, float]) -> None:
        """A claim of the process was accepted. said: what its job needs, by resource."""
        if self._parent is None or not pid:
            return
        process = self._process(pid)
        process.claims[lease] = {name: amount for name, amount in said.items() if name in self._resources}
        self._bind(pid, process)
        if "memory" in process.claims[lease]:
            process.kills = groups.kills(process.directories)

    def end(self, pid: int, lease: Lease) -> None:
        """It is over."""
        if self._parent is None or not pid:
            return
        process = self._process(pid)
        process.claims.pop(lease, None)
        self._bind(pid, process)

    def died_of(self, pid: int, lease: Lease) -> str:
        """Why a process that has gone has, where that is known; "" where not."""
        process = self._processes.get(pid)
        said = process.claims.get(lease, {}) if process else {}
        if process is None or "memory" not in said or groups.kills(process.directories) == process.kills:
            return ""
        return f"it was killed for more memory than the {said['memory'] / 2**20:,.0f} MiB that its job says"

    def _process(self, pid: int) -> _Process:
        """In the group that this agent made for it, or one before it; both may be none."""
        if (known := self._processes.get(pid)) is None:
            group = groups.Group(self._parent, f"{_PREFIX}{pid}")
            known = self._processes[pid] = _Process(group, group.of(pid))
        return known

    def _bind(self, pid: int, process: _Process) -> None:
        """Have the limits be what all claims of the process say together."""
        said = list(process.claims.values())
        common = set.intersection(*(set(each) for each in said)) if said else set()
        bounds = {name: sum(each[name] for each in said) for name in sorted(common)}
        if "cpu" in bounds:
            bounds["cpu"] += ROOM_CORES
        if "memory" in bounds:
            bounds["memory"] += ROOM_BYTES + groups.memory_held(process.directories)
        for directory in process.group.limit(bounds):
            if directory in process.directories:
                continue
            if groups.enter(directory, pid):
                process.directories.append(directory)
            else:
                groups.remove([directory])
        for resource, directory in process.group.directories.items():
            if resource not in bounds and directory in process.directories:
                process.group.free(resource)
