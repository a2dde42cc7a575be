"""The rack without root: plain processes on loopback addresses, the same interface."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from bench.load import Generator, LoadPlan
from bench.rack import register
from bench.rack.processes import StillRunning, kill_all, start_ticks, with_descendants
from bench.rack.rack import HostSpec, Rack, RackRefused

ROOT = Path(__file__).parents[2]
SPECS = (HostSpec("a", 0.1, 64 << 20, 1e6), HostSpec("b", 0.1, 64 << 20, 1e6, {"zone": "south"}))
#: Starts a child in its session.
PARENT = (
    "import signal, subprocess; subprocess.Popen(['sleep', '60'], stdout=subprocess.DEVNULL);"
    "print('ready', flush=True); signal.pause()"
)


async def start_backend(rack: Rack, name: str) -> asyncio.subprocess.Process:
    host = rack[name]
    argv = [
        sys.executable,
        "-m",
        "bench.rack.backend",
        "--address",
        host.address,
        "--port",
        "8080",
        "--name",
        name,
    ]
    return await host.start(argv, cwd=ROOT, ready="ready")


async def test_hosts_are_processes_and_say_so() -> None:
    """Hosts have own loopback addresses, answer there, freeze, thaw and die like hosts with limits."""
    async with Rack(SPECS, kind="processes") as rack:
        processes = [await start_backend(rack, name) for name in ("a", "b")]
        url = f"http://{rack['b'].address}:8080/"
        before = await Generator(LoadPlan(url, 50, 0.2)).run()
        await rack["b"].freeze()
        frozen = await Generator(LoadPlan(url, 50, 0.2, deadline_s=0.2)).run()
        await rack["b"].thaw()
        after = await Generator(LoadPlan(url, 50, 0.2)).run()
        await rack["b"].kill(processes[1])
        killed = await Generator(LoadPlan(url, 50, 0.2)).run()

        assert (rack.kind, rack.reason) == ("processes", "asked for")
        assert [host.cgroup for host in rack] == ["", ""]
        assert rack.gateway.startswith("127.0.")
        assert rack["b"].labels == {"zone": "south"}
        with pytest.raises(RackRefused, match="not enforced"):
            rack["a"].set_bandwidth(1e6)
    assert before.share == {"b": 1.0}
    assert frozen.failures_by == {"deadline": frozen.requests}
    assert after.failures == 0
    assert killed.failures_by == {"refused": killed.requests}
    assert [process.returncode for process in processes] == [-signal.SIGKILL, -signal.SIGKILL]


async def test_orphans_end_with_the_rack() -> None:
    """What a host's program started is found and killed after the program itself has died."""
    async with Rack(SPECS, kind="processes") as rack:
        process = await rack["a"].start([sys.executable, "-c", PARENT], ready="ready")
        children = with_descendants([process.pid]) - {process.pid}
        process.kill()  # only itself, not its group
        await process.wait()
        assert [start_ticks(child) is not None for child in children] == [True]

    assert [start_ticks(child) for child in children] == [None]
    assert rack.name not in [record.rack for record in register.read_records()]


async def test_kill_takes_what_the_program_started() -> None:
    """Killing a program ends its children with it."""
    async with Rack(SPECS, kind="processes") as rack:
        process = await rack["a"].start([sys.executable, "-c", PARENT], ready="ready")
        family = with_descendants([process.pid])
        await rack["a"].kill(process)

        assert len(family) == 2
        assert [start_ticks(pid) for pid in family] == [None, None]


async def test_adopted_process_ends_with_the_rack() -> None:
    """A process the host adopted is the host's: it does not outlive the rack."""
    stranger = await asyncio.create_subprocess_exec("sleep", "60", start_new_session=True)
    async with Rack(SPECS, kind="processes") as rack:
        await rack["a"].adopt(stranger.pid)

    assert await asyncio.wait_for(stranger.wait(), 5) == -signal.SIGKILL


async def test_unprivileged_run_falls_back_with_the_reason() -> None:
    """Where the kernel says no, the rack is plain processes and names what was refused; nothing is left."""
    script = (
        "import asyncio\n"
        "from bench.rack import register\n"
        "from bench.rack.rack import HostSpec, Rack\n"
        "async def main():\n"
        "    async with Rack([HostSpec('a', 0.1, 64 << 20, 1e6)]) as rack:\n"
        "        print(rack.kind, len(rack.reason) > 0, len(register.read_records()))\n"
        "asyncio.run(main())\n"
    )
    # Root without any capability may neither make namespaces nor links: what a container's root often is.
    bare = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all", "--"]
    run = await asyncio.create_subprocess_exec(
        *bare,
        sys.executable,
        "-c",
        script,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(run.communicate(), 30)

    assert (run.returncode, err.decode()) == (0, "")
    assert out.decode() == "processes True 1\n"


def test_bad_arguments_are_refused() -> None:
    """A prefix or a kind the rack does not know is refused before anything is made."""
    with pytest.raises(ValueError, match="prefix"):
        Rack(SPECS, prefix="Too-long")
    with pytest.raises(ValueError, match="kind"):
        Rack(SPECS, kind="magic")


async def test_register_refuses_a_directory_others_may_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records decide what is killed, so a directory that others can write to is not read."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    register.register_directory().chmod(0o777)

    with pytest.raises(PermissionError):
        async with Rack(SPECS, kind="processes"):
            raise AssertionError("entered")


def test_waiting_for_a_death_is_bounded() -> None:
    """kill_all gives up with the pids it could not see the end of."""
    with pytest.raises(StillRunning, match="4194305"):
        kill_all(lambda: {2**22 + 1}, timeout_s=0.05)
