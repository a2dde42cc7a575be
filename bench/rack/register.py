"""Which racks exist on this machine, kept in files so that what a killed run left behind can be found.

A record is written before the first thing of its rack is made and removed after the last is gone.
Taking a rack down needs nothing but its record; so a rack's own end and the sweep of a dead
run's leftovers are the same code.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from . import network
from .cgroups import Cgroup, disable, find_hierarchies, remove_group
from .processes import is_same, kill_all, not_reused, start_ticks, with_descendants

NAMESPACES = "namespaces"
PROCESSES = "processes"


@dataclass(slots=True)
class Record:
    """All that is needed to take a rack down.

    rack: the prefix of all its names. number: the third byte of its network.
    owner: (pid, start ticks) of the process it belongs to. processes: the same of what was started
    (only in a rack of plain processes; elsewhere cgroups and namespaces know).
    enabled: v2 controllers switched on at the root of the tree for it.
    """

    rack: str
    kind: str
    number: int
    hosts: list[str]
    owner: tuple[int, int]
    processes: list[tuple[int, int]] = field(default_factory=list)
    enabled: list[str] = field(default_factory=list)

    def namespace(self, host: str) -> str:
        return f"{self.rack}-{host}"

    def cgroup(self, host: str) -> str:
        return f"{self.rack}/{host}"

    def save(self) -> None:
        """Write it so that a reader sees the old or the new, never half."""
        file = register_directory() / f"{self.rack}.json"
        draft = file.with_suffix(".draft")
        draft.write_text(json.dumps(asdict(self)))
        draft.replace(file)

    def forget(self) -> None:
        (register_directory() / f"{self.rack}.json").unlink(missing_ok=True)

    def is_owned(self) -> bool:
        """Whether the process it belongs to is still there."""
        return is_same(*self.owner)


def myself() -> tuple[int, int]:
    """(pid, start ticks) of this process."""
    pid = os.getpid()
    return pid, start_ticks(pid) or 0


def register_directory() -> Path:
    """Where the records are, ours alone: what is read there decides what is killed. Raises PermissionError."""
    directory = Path(tempfile.gettempdir()) / f"steelyard-racks-{os.geteuid()}"
    directory.mkdir(mode=0o700, exist_ok=True)
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise PermissionError(f"{directory} is not a directory that only we can write to")
    return directory


@contextmanager
def locked() -> Iterator[None]:
    """Hold the register against other processes. Nothing may be awaited inside."""
    with (register_directory() / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def read_records() -> list[Record]:
    """Every rack on record, dead ones too."""
    found = []
    for file in sorted(register_directory().glob("*.json")):
        fields = json.loads(file.read_text())
        for key in ("owner", "processes"):
            fields[key] = tuple(fields[key]) if key == "owner" else [tuple(pair) for pair in fields[key]]
        found.append(Record(**fields))
    return found


def sweep() -> list[str]:
    """Take down every rack whose owner is dead; returns their names. Call it locked."""
    swept = []
    for record in read_records():
        if not record.is_owned():
            dismantle(record)
            swept.append(record.rack)
    return swept


def dismantle(record: Record) -> None:
    """Take a rack down: processes, cgroups, network, then its record. Call it locked.

    Repeatable: what is gone already is fine.
    If something cannot be removed the record stays, the error is raised, and the next sweep tries again.
    """
    if record.kind == NAMESPACES:
        _dismantle_namespaces(record)
    else:
        kill_all(lambda: with_descendants(not_reused(record.processes)))
    record.forget()


def _dismantle_namespaces(record: Record) -> None:
    hierarchies = find_hierarchies()
    cgroups = [Cgroup(hierarchies, record.cgroup(host)) for host in record.hosts]
    namespaces = [record.namespace(host) for host in record.hosts]

    def members() -> set[int]:
        return set().union(*(group.pids() for group in cgroups), *map(network.namespace_pids, namespaces))

    for group in cgroups:
        group.thaw_if_there()
    kill_all(members)
    for group in cgroups:
        group.remove()
    for root in hierarchies.roots():
        remove_group(root / record.rack)
    others = [other for other in read_records() if other.rack != record.rack and other.kind == NAMESPACES]
    if others:
        # The last one to go switches the controllers off.
        others[0].enabled = sorted({*others[0].enabled, *record.enabled})
        others[0].save()
    else:
        disable(hierarchies, record.enabled)
    network.remove(record.rack, namespaces)
