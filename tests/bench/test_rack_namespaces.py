"""Hosts in namespaces and cgroups: their limits hold, and nothing is left of them.

Needs root. Where that is missing these tests fail with the kernel's reason; they do not skip.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from bench.load import Generator, LoadPlan
from bench.load.client import Pool, Target
from bench.rack import network, register
from bench.rack.cgroups import Cgroup, find_hierarchies
from bench.rack.processes import start_ticks
from bench.rack.rack import HostSpec, Rack, RackRefused

pytestmark = pytest.mark.rack

ROOT = Path(__file__).parents[2]
MIB = 1 << 20
SPECS = (
    HostSpec("fast", cores=0.4, memory_bytes=128 * MIB, net_bytes_s=20e6, labels={"zone": "north"}),
    HostSpec("slow", cores=0.1, memory_bytes=64 * MIB, net_bytes_s=1e6),
)
#: Burns for a second and a half, and says how many cores it got.
BURNER = """
import sys, time
print("ready", flush=True)
time.sleep(0.2)
began, used = time.monotonic(), time.process_time()
while time.monotonic() - began < 1.5: pass
print("cores", (time.process_time() - used) / (time.monotonic() - began), flush=True)
"""
SLEEPER = [sys.executable, "-c", "import signal; print('ready', flush=True); signal.pause()"]


def traces(rack: str) -> list[str]:
    """What exists of a rack on this machine."""
    groups = [str(path) for root in find_hierarchies().roots() for path in root.glob(f"{rack}*")]
    links = [line for line in network.run_ip("-brief", "link").splitlines() if line.startswith(rack)]
    spaces = [line for line in network.run_ip("netns", "list").splitlines() if line.startswith(rack)]
    records = [record.rack for record in register.read_records() if record.rack == rack]
    return [*groups, *links, *spaces, *records]


async def test_cpu_quota_holds(tmp_path: Path) -> None:
    """A program that wants a whole core gets its host's share of one."""
    async with Rack(SPECS, kind="namespaces") as rack:
        processes = []
        for host in rack:
            argv = [sys.executable, "-c", BURNER]
            processes.append(await host.start(argv, log=tmp_path / host.name, ready="ready"))
        await asyncio.gather(*(process.wait() for process in processes))
    got = {spec.name: float((tmp_path / spec.name).read_text().split()[1]) for spec in SPECS}

    assert 0.25 < got["fast"] < 0.5
    assert 0.05 < got["slow"] < 0.16


async def test_memory_limit_holds() -> None:
    """A program that takes more memory than its host has is killed by the kernel."""
    async with Rack(SPECS, kind="namespaces") as rack:
        greedy = await rack["slow"].start([sys.executable, "-c", f"b'x' * {100 * MIB}"])
        modest = await rack["fast"].start([sys.executable, "-c", f"b'x' * {50 * MIB}"])

        assert await asyncio.wait_for(greedy.wait(), 20) == -signal.SIGKILL
        assert await asyncio.wait_for(modest.wait(), 20) == 0


async def test_bandwidth_holds_in_both_directions() -> None:
    """A transfer to or from a host takes about its bytes over its bandwidth; changing the bandwidth is felt."""
    sent = 500_000
    async with Rack(SPECS, kind="namespaces") as rack:
        slow, fast = rack["slow"], rack["fast"]
        for host in (slow, fast):
            argv = [sys.executable, "-m", "bench.rack.backend", "--address", host.address]
            # Not under the cpu quota: only the network is measured.
            await host.start(
                [*argv, "--port", "80", "--tcp-port", "7"], cwd=ROOT, limited=False, ready="ready"
            )
        took = {}
        for name, host in (("slow", slow), ("fast", fast)):
            pool, began = Pool(Target.parse(f"http://{host.address}/bytes?n={sent}")), time.monotonic()
            assert (await pool.ask()).body_bytes == sent
            took[name] = time.monotonic() - began
            pool.close()
        took["echo"] = await echo_seconds(slow.address, sent // 2)
        slow.set_bandwidth(20e6)
        took["widened"] = await echo_seconds(slow.address, sent // 2)

    assert 0.35 < took["slow"] < 1.0  # 0.5 s
    assert took["fast"] < 0.25  # 0.025 s
    assert 0.15 < took["echo"] < 0.8  # 0.25 s, both ways at once
    assert took["widened"] < took["echo"] / 2


async def echo_seconds(address: str, count: int) -> float:
    """How long count bytes take to a host's echo port and back."""
    reader, writer = await asyncio.open_connection(address, 7)
    began = time.monotonic()
    writer.write(bytes(count))
    await reader.readexactly(count)
    took = time.monotonic() - began
    writer.close()
    await writer.wait_closed()
    return took


async def test_program_inside_sees_its_host(tmp_path: Path) -> None:
    """Inside: the host's address and no other, no way out, the cgroup of its name, our environment and more."""
    script = (
        "import pathlib, socket, os; print(os.environ['COLOUR']); print(pathlib.Path('/proc/self/cgroup').read_text());"
        "print('hierarchies', os.listdir('/sys/fs/cgroup'));"
        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM);\n"
        "try: s.connect(('192.0.2.77', 9)); print('leak')\n"
        "except OSError: print('no way out')"
    )
    log = tmp_path / "log"
    async with Rack(SPECS, kind="namespaces") as rack:
        host = rack["fast"]
        process = await host.start([sys.executable, "-c", script], {"COLOUR": "green"}, log)
        assert await process.wait() == 0
        seen = log.read_text()
        addresses = network.run_ip("-n", host.namespace, "-brief", "-4", "addr")

        assert host.labels == {"zone": "north"}
        assert seen.startswith("green\n")
        assert f"/{host.cgroup}\n" in seen
        assert "hierarchies []" not in seen
        assert seen.rstrip().endswith("no way out")
        assert host.address in addresses
        assert len(addresses.splitlines()) == 2  # lo, eth0


async def test_adopted_process_comes_under_the_limits() -> None:
    """adopt moves a process started without limits, and its children, into the host's cgroup."""
    parent = "import subprocess, sys; subprocess.Popen(['sleep', '60']); print('ready', flush=True); sys.stdin.close();"
    parent += "import signal; signal.pause()"
    async with Rack(SPECS, kind="namespaces") as rack:
        host = rack["fast"]
        group = Cgroup(find_hierarchies(), host.cgroup)
        process = await host.start([sys.executable, "-c", parent], limited=False, ready="ready")

        assert group.pids() == set()
        await host.adopt(process.pid)
        assert process.pid in group.pids()
        assert len(group.pids()) == 2
        with pytest.raises(ProcessLookupError):
            await host.adopt(2**22 + 1)


async def test_frozen_host_answers_nothing_until_thawed() -> None:
    """freeze stops all programs of a host and thaw lets them go on; nothing is killed meanwhile."""
    async with Rack(SPECS, kind="namespaces") as rack:
        host = rack["fast"]
        argv = [sys.executable, "-m", "bench.rack.backend", "--address", host.address, "--port", "80"]
        process = await host.start(argv, cwd=ROOT, ready="ready")
        url = f"http://{host.address}/"

        await host.freeze()
        frozen = await Generator(LoadPlan(url, 40, 0.2, deadline_s=0.2)).run()
        with pytest.raises(RackRefused, match="frozen"):
            await host.kill(process)
        await host.thaw()
        thawed = await Generator(LoadPlan(url, 40, 0.2, deadline_s=2)).run()

    assert frozen.requests > 0
    assert frozen.failures_by == {"deadline": frozen.requests}
    assert (thawed.requests, thawed.failures) == (frozen.requests, 0)


async def test_two_racks_live_beside_each_other() -> None:
    """Names and networks of racks of one machine do not meet."""
    async with Rack(SPECS, kind="namespaces") as one, Rack(SPECS, kind="namespaces") as two:
        assert one.name != two.name
        assert one.gateway != two.gateway
        assert {host.address for host in one}.isdisjoint(host.address for host in two)


@pytest.mark.parametrize("error", [RuntimeError, asyncio.CancelledError, KeyboardInterrupt])
async def test_nothing_is_left_after_an_exception(error: type[BaseException]) -> None:
    """However the body ends, processes, cgroups, namespaces and links are gone; closing again is fine."""
    rack = Rack(SPECS, kind="namespaces")
    with pytest.raises(error):
        async with rack:
            process = await rack["slow"].start(SLEEPER, limited=False, ready="ready")
            other = await rack["fast"].start(SLEEPER, ready="ready")
            await rack["fast"].freeze()  # a frozen process does not even die of SIGKILL
            assert traces(rack.name)
            raise error
    await rack.close()

    assert traces(rack.name) == []
    assert [process.returncode, other.returncode] == [-signal.SIGKILL, -signal.SIGKILL]


async def test_rack_of_a_killed_run_is_swept() -> None:
    """The next rack removes what a run that was killed left behind, running processes too."""
    script = (
        "import asyncio, signal, sys\n"
        "from bench.rack.rack import HostSpec, Rack\n"
        "async def main():\n"
        "    async with Rack([HostSpec('left', 0.1, 64 << 20, 1e6)], kind='namespaces') as rack:\n"
        f"        process = await rack['left'].start({SLEEPER!r}, ready='ready')\n"
        "        print(rack.name, process.pid, flush=True)\n"
        "        await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    run = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert run.stdout is not None
    name, pid = (await asyncio.wait_for(run.stdout.readline(), 20)).decode().split()
    run.kill()
    await run.wait()
    assert start_ticks(int(pid)) is not None
    assert traces(name)

    async with Rack(SPECS[:1], kind="namespaces"):
        assert traces(name) == []
        assert start_ticks(int(pid)) is None


async def test_start_that_fails_says_so() -> None:
    """A program that ends, or says nothing, before it is ready is an error, not a wait without end."""
    async with Rack(SPECS, kind="namespaces") as rack:
        with pytest.raises(RackRefused, match="ended with 3"):
            await rack["fast"].start([sys.executable, "-c", "raise SystemExit(3)"], ready="ready")
        with pytest.raises(RackRefused, match="not ready in 0.3 s"):
            await rack["fast"].start(["sleep", "30"], ready="ready", ready_timeout_s=0.3)


def test_root_is_here() -> None:
    """The limits above can only be tested by root: its absence is a failure, not a skip."""
    assert os.geteuid() == 0
