"""Control groups: v2 and v1 trees that the test writes, and a real v1 group with a quota and a burner."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from agents.limits import ROOT, CgroupV1, CgroupV2, NoSuchGroup, find
from agents.sampler import Sampler
from agents.wire import Quota


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


V2 = {
    "cgroup.controllers": "cpu memory io",
    "cpu.max": "400000 100000",
    "memory.max": "max",
    "rack/cgroup.procs": "",
    "rack/cpu.max": "max 100000",
    "rack/memory.max": "1073741824",
    "rack/h1/cgroup.procs": "",
    "rack/h1/cpu.max": "150000 100000",
    "rack/h1/cpu.stat": "usage_usec 2500000\nuser_usec 1\n",
    "rack/h1/cpuset.cpus.effective": "0-3,7\n",
    "rack/h1/memory.max": "2147483648",
    "rack/h1/memory.current": "500000000",
    "rack/h1/memory.stat": "anon 1\ninactive_file 200000000\n",
    "rack/h1/io.stat": "8:0 rbytes=100 wbytes=20 rios=3\n8:16 rbytes=1 wbytes=2\n",
}


def test_v2_reads_limits_and_usage(tmp_path: Path) -> None:
    """Quota in cores, usage in seconds and bytes without inactive cache; a parent's tighter limit binds."""
    group = find("rack/h1", write(tmp_path, V2))

    assert isinstance(group, CgroupV2)
    assert group.cpu_limit_cores() == 1.5
    assert group.cpu_quota() == Quota(1.5, 0.1)
    assert group.memory_limit_bytes() == 2**30
    assert group.cpu_used_s() == 2.5
    assert group.memory_used_bytes() == 300_000_000
    assert group.disk_io_bytes() == 123


def test_v2_without_controllers_knows_nothing(tmp_path: Path) -> None:
    """A group whose controllers are off has no limits and no usage, and that is no error."""
    group = find("plain", write(tmp_path, {"plain/cgroup.procs": ""}))

    assert group is not None
    assert [group.cpu_limit_cores(), group.memory_limit_bytes(), group.cpu_used_s()] == [None] * 3
    assert group.cpu_quota() is None
    assert [group.memory_used_bytes(), group.disk_io_bytes()] == [None] * 2


def test_v1_reads_limits_and_usage(tmp_path: Path) -> None:
    """The same figures from v1's files, where "no limit" is -1 or a huge number."""
    group = find(
        "h1",
        write(tmp_path, {
            "cpu/h1/cpu.cfs_quota_us": "50000", "cpu/h1/cpu.cfs_period_us": "100000",
            "cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000",
            "cpuacct/h1/cpuacct.usage": "2500000000",
            "memory/h1/memory.limit_in_bytes": "9223372036854771712",
            "memory/memory.limit_in_bytes": "4294967296",
            "memory/h1/memory.usage_in_bytes": "500", "memory/h1/memory.stat": "total_inactive_file 600\n",
            "blkio/h1/blkio.throttle.io_service_bytes_recursive": "8:0 Read 5\n8:0 Write 7\nTotal 12\n",
        }),
    )  # fmt: skip

    assert isinstance(group, CgroupV1)
    assert group.cpu_limit_cores() == 0.5
    assert group.cpu_quota() == Quota(0.5, 0.1)
    assert group.memory_limit_bytes() == 2**32
    assert group.cpu_used_s() == 2.5
    assert group.memory_used_bytes() == 0.0
    assert group.disk_io_bytes() == 12


@pytest.mark.parametrize("path", ["rack/none", "..", "rack/../..", "rack//h1", ""])
def test_a_path_that_names_no_group_is_refused(tmp_path: Path, path: str) -> None:
    """Unknown and escaping paths raise, naming the path."""
    with pytest.raises(NoSuchGroup, match="control group"):
        find(path, write(tmp_path, V2))


def test_own_group_in_a_container_is_found_and_a_service_unit_is_not(tmp_path: Path) -> None:
    """With no path the group shared with process 1 counts: in a container its own, else the root."""
    root = write(tmp_path / "cg", V2)
    inside = write(tmp_path / "inside", {"self/cgroup": "0::/rack/h1\n", "1/cgroup": "0::/rack/h1\n"})
    unit = write(tmp_path / "unit", {"self/cgroup": "0::/rack/h1\n", "1/cgroup": "0::/init.scope\n"})
    hidden = write(tmp_path / "hidden", {"self/cgroup": "0::/docker/abc\n", "1/cgroup": "0::/docker/abc\n"})

    assert find(None, root, inside) == CgroupV2(root / "rack" / "h1", root)
    assert find(None, root, unit) == CgroupV2(root, root)
    assert find(None, root, hidden) == CgroupV2(root, root)
    assert find(None, tmp_path / "nothing", inside) is None


@pytest.fixture
def quota_group() -> Iterator[str]:
    """A real v1 group with a quota of 0.3 cores, removed afterwards."""
    name = f"sly-test-{uuid4().hex[:8]}"
    directories = [ROOT / controller / name for controller in ("cpu", "cpuacct", "memory")]
    for directory in directories:
        directory.mkdir()
    (ROOT / "cpu" / name / "cpu.cfs_quota_us").write_text("30000")
    (ROOT / "memory" / name / "memory.limit_in_bytes").write_text(str(256 * 2**20))
    yield name
    for directory in directories:
        directory.rmdir()


@pytest.mark.rack
def test_a_real_group_with_a_quota_and_a_burner(quota_group: str, tmp_path: Path) -> None:
    """A process that burns cpu in a group of 0.3 cores is seen as a host of 0.3 cores, fully used."""
    burner = subprocess.Popen(
        [sys.executable, "-c", "input(); data = bytearray(50_000_000)\nwhile True: pass"],
        stdin=subprocess.PIPE,
    )
    try:
        for controller in ("cpu", "cpuacct", "memory"):
            (ROOT / controller / quota_group / "cgroup.procs").write_text(str(burner.pid))
        assert burner.stdin is not None
        burner.stdin.write(b"go\n")
        burner.stdin.flush()
        group = find(quota_group)
        sampler = Sampler(time.monotonic, tmp_path, group=group, group_is_host=True)
        # Real time must pass: the figure under test is a rate that the kernel makes.
        time.sleep(2.0)
        used, capacity = sampler.sample(), sampler.capacity()
    finally:
        burner.kill()
        burner.communicate()

    assert capacity["cpu"] == pytest.approx(0.3)
    assert sampler.quota() == Quota(0.3, 0.1)
    assert capacity["memory"] == 256 * 2**20
    assert used["cpu"] == pytest.approx(0.3, rel=0.3)
    assert used["memory"] > 50_000_000
