"""Where cgroups are found, and what is written into a v2 tree (plain directories stand for the kernel's)."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.rack.cgroups import (
    Cgroup,
    CgroupsMissing,
    Hierarchies,
    disable,
    enable,
    find_hierarchies,
    remove_group,
)
from bench.rack.specs import HostSpec

SPEC = HostSpec("a", cores=0.25, memory_bytes=64 << 20, net_bytes_s=1e6)


def v1_line(controllers: str) -> str:
    return f"32 31 0:29 / /cg/{controllers} rw - cgroup cgroup rw,{controllers}"


def v2_tree(root: Path, controllers: str, enabled: str = "") -> str:
    (root / "cgroup.controllers").write_text(controllers)
    (root / "cgroup.subtree_control").write_text(enabled)
    return f"41 31 0:38 / {root} rw,relatime - cgroup2 cgroup2 rw"


def test_v1_controllers_may_share_a_mount() -> None:
    """Each v1 controller is found where it is mounted; a shared mount is listed once."""
    found = find_hierarchies("\n".join(map(v1_line, ["cpu,cpuacct", "memory", "freezer"])))

    assert found.v2 is None
    assert found.roots() == [Path("/cg/cpu,cpuacct"), Path("/cg/memory"), Path("/cg/freezer")]
    assert found.control("cpu", "r/a") == (Path("/cg/cpu,cpuacct/r/a"), 1)


def test_v2_fills_in_what_v1_lacks(tmp_path: Path) -> None:
    """On a mixed machine each controller comes from the hierarchy that has it."""
    found = find_hierarchies(v1_line("memory") + "\n" + v2_tree(tmp_path, "cpu io pids"))

    assert found.control("memory", "r/a") == (Path("/cg/memory/r/a"), 1)
    assert found.control("cpu", "r/a") == (tmp_path / "r/a", 2)
    assert found.control("freezer", "r/a") == (tmp_path / "r/a", 2)


def test_missing_controller_is_named(tmp_path: Path) -> None:
    """A machine without a cpu controller says so, with or without a v2 tree."""
    with pytest.raises(CgroupsMissing, match="cpu"):
        find_hierarchies(v1_line("memory") + "\n" + v1_line("freezer"))
    with pytest.raises(CgroupsMissing, match="does not offer cpu"):
        find_hierarchies(v2_tree(tmp_path, "memory pids"))


def test_v2_limits_and_freezer(tmp_path: Path) -> None:
    """In a v2 tree the limits go to cpu.max and memory.max, and the freezer is the group's own."""
    group = Cgroup(Hierarchies({}, tmp_path), "r/a")
    (tmp_path / "r").mkdir()
    group.create(SPEC)
    group.set_frozen(True)
    (tmp_path / "r/a/cgroup.events").write_text("populated 1\nfrozen 1\n")

    assert (tmp_path / "r/a/cpu.max").read_text() == "25000 100000"
    assert (tmp_path / "r/a/memory.max").read_text() == str(64 << 20)
    assert (tmp_path / "r/a/cgroup.freeze").read_text() == "1"
    assert group.is_frozen()


def test_v2_controllers_are_switched_on_and_off_again(tmp_path: Path) -> None:
    """Only what was off is switched off again at the end."""
    v2_tree(tmp_path, "cpu memory", enabled="memory pids")
    hierarchies = Hierarchies({}, tmp_path)

    added = enable(hierarchies, "r")
    assert added == ["cpu"]
    assert (tmp_path / "r/cgroup.subtree_control").read_text() == "+cpu +memory"

    disable(hierarchies, added)
    assert (tmp_path / "cgroup.subtree_control").read_text() == "-cpu"


def test_a_group_goes_with_those_that_agents_made_in_it(tmp_path: Path) -> None:
    """The deepest first; one that is gone already is fine."""
    (tmp_path / "host/steelyard-worker-7").mkdir(parents=True)

    remove_group(tmp_path / "host")
    remove_group(tmp_path / "host")

    assert not (tmp_path / "host").exists()
