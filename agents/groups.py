"""A control group for one run, with what it was promised as its limits, where this agent may make one."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

from agents.limits import Cgroup, CgroupV1

_PERIOD_US = 100_000
#: The kernel takes no smaller quota.
_LEAST_QUOTA_US = 1_000


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
        with contextlib.suppress(OSError):  # they may be on already, or not be ours to give
            (parent.directory / "cgroup.subtree_control").write_text("+cpu +memory")
        files: dict[str, object] = {"cpu.max": f"{quota} {_PERIOD_US}"} if "cpu" in demand else {}
        homes = {parent.directory: {**files, **({"memory.max": memory} if "memory" in demand else {})}}
    else:
        homes = {}
    return [home / name for home, files in homes.items() if files and _limited(home / name, files)]


def _limited(directory: Path, files: Mapping[str, object]) -> bool:
    """Whether all of the limits hold there now."""
    try:
        directory.mkdir(exist_ok=True)
        for name, value in files.items():
            (directory / name).write_text(str(value))
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
