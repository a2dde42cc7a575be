"""Bodies of jobs in workers' processes, bounded by what their jobs say: real processes, real control groups."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agents import groups, limits
from agents.bodies import ROOM_CORES, Bodies
from agents.runner import Runner
from agents.wire import JobAnswer

MIB = 2**20
#: Claims what the test says, does it, says its end, and goes on until there is no more.
WORKER = """
import json, os, sys, time
from clients.claims import Claims
claims = Claims(sys.argv[1])
for line in sys.stdin:
    told = json.loads(line)
    assert claims.claim(told["job"], 1, told["limits"]).accepted
    began, spent = time.monotonic(), time.process_time()
    while time.monotonic() - began < told.get("burn_s", 0):
        pass
    kept = bytearray(told.get("takes", 0))
    cores = (time.process_time() - spent) / (time.monotonic() - began)
    print(json.dumps({"pid": os.getpid(), "cores": cores}), flush=True)
    claims.succeeded(told["job"], 1, None)
"""


class Plane:
    """Takes the place of Link.ask."""

    def __init__(self) -> None:
        self.lost: asyncio.Queue[str] = asyncio.Queue()

    async def __call__(self, job: str, attempt: int, event: str, error: str = "", **said: Any) -> JobAnswer:
        if event == "lost":
            self.lost.put_nowait(error)
        return JobAnswer(0, True)


class Rig:
    """A runner that bounds what it may, and a worker's process."""

    def __init__(self, path: Path, plane: Plane, worker: asyncio.subprocess.Process) -> None:
        self.path, self.plane, self.worker = path, plane, worker

    async def run(self, job: str, limits: dict[str, float], **does: float) -> dict[str, Any]:
        """What the worker says of a job; {} where it says nothing any more."""
        assert self.worker.stdin is not None
        assert self.worker.stdout is not None
        self.worker.stdin.write(json.dumps({"job": job, "limits": limits, **does}).encode() + b"\n")
        async with asyncio.timeout(60):
            return json.loads(await self.worker.stdout.readline() or b"{}")  # type: ignore[no-any-return]

    def groups(self) -> list[Path]:
        """Of workers' processes, all that there are on this machine."""
        return groups.below(limits.find(None), f"steelyard-worker-{self.worker.pid}")


@pytest.fixture
async def rig(short_dir: Path) -> AsyncIterator[Rig]:
    """Both are ended."""
    plane, bodies, path = Plane(), Bodies(limits.find(None)), short_dir / "worker.sock"
    async with Runner(path, plane, bodies).listen():
        worker = await asyncio.create_subprocess_exec(
            sys.executable, "-c", WORKER, str(path),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2],
        )  # fmt: skip
        yield Rig(path, plane, worker)
        if worker.returncode is None:
            worker.kill()
        await worker.wait()


@pytest.mark.rack
async def test_a_body_has_the_cpu_that_its_job_says(rig: Rig) -> None:
    """It stands still beyond it; the next job of the same process has its own, and one that says nothing has all."""
    slow = await rig.run("a", {"cpu": 0.2}, burn_s=1.0)
    faster = await rig.run("b", {"cpu": 0.6}, burn_s=1.0)
    free = await rig.run("c", {}, burn_s=1.0)

    # With the worker's own room. Others may be busy: no more than it says, but more than the one before.
    assert 0.15 < slow["cores"] < 0.33
    assert slow["cores"] * 1.5 < faster["cores"] < 0.75
    assert free["cores"] > slow["cores"] * 1.5
    assert slow["pid"] == faster["pid"] == rig.worker.pid


@pytest.mark.rack
async def test_a_body_that_takes_more_memory_than_its_job_says_is_killed(rig: Rig) -> None:
    """It, and nobody else; the loss says why, and what it left in its process before is not counted."""
    fits = await rig.run("a", {"memory": 64 * MIB}, takes=60 * MIB)
    again = await rig.run("b", {"memory": 64 * MIB}, takes=60 * MIB)
    killed = await rig.run("c", {"memory": 64 * MIB}, takes=300 * MIB)

    assert fits["pid"] == again["pid"]
    assert killed == {}
    async with asyncio.timeout(30):
        error = await rig.plane.lost.get()
    assert error == (
        "the worker's process is gone: it was killed for more memory than the 64 MiB that its job says"
    )


@pytest.mark.rack
async def test_what_is_left_of_a_worker_is_removed(rig: Rig) -> None:
    """By the agent itself, or the one that comes next."""
    await rig.run("a", {"cpu": 0.5, "memory": 64 * MIB})
    assert rig.groups()
    rig.worker.kill()
    await rig.worker.wait()

    Bodies(limits.find(None)).sweep()

    assert not rig.groups()


@pytest.mark.rack
async def test_the_next_agent_goes_on_with_what_is_bounded(rig: Rig) -> None:
    """A body that is claimed again keeps what it holds, and is bound by its new agent, which frees its process."""
    await rig.run("a", {"memory": 64 * MIB}, takes=60 * MIB)
    pid, successor = rig.worker.pid, Bodies(limits.find(None))
    successor.sweep()
    held = groups.memory_held(rig.groups())

    successor.begin(pid, ("b", 1), {"cpu": 0.3, "memory": 8 * MIB})
    bound = quota_of(pid)
    again = Bodies(limits.find(None))
    again.end(pid, ("b", 1))

    assert held > 0
    assert rig.worker.returncode is None
    assert bound == pytest.approx(0.3 + ROOM_CORES)
    assert quota_of(pid) is None


@pytest.mark.rack
async def test_two_claims_of_one_process_share_what_both_say(short_dir: Path) -> None:
    """Threads: the sum of what each says, nothing of what one leaves open."""
    sleeper = await asyncio.create_subprocess_exec("sleep", "60")
    bodies = Bodies(limits.find(None))
    bodies.opened(sleeper.pid)
    try:
        bodies.begin(sleeper.pid, ("a", 1), {"cpu": 0.3, "memory": 64 * MIB})
        bodies.begin(sleeper.pid, ("b", 1), {"cpu": 0.4})
        both = quota_of(sleeper.pid)
        bodies.end(sleeper.pid, ("b", 1))
        one = quota_of(sleeper.pid)
        bodies.end(sleeper.pid, ("a", 1))
        assert quota_of(sleeper.pid) is None  # it may run what is no job
    finally:
        sleeper.kill()
        await sleeper.wait()
        bodies.closed(sleeper.pid)

    assert (both, one) == (pytest.approx(0.7 + ROOM_CORES), pytest.approx(0.3 + ROOM_CORES))
    assert not groups.below(limits.find(None), f"steelyard-worker-{sleeper.pid}")


@pytest.mark.rack
async def test_only_what_the_host_asks_for_is_bounded(short_dir: Path) -> None:
    """`--job-limits memory` leaves cpu alone, `none` all of it."""
    sleeper = await asyncio.create_subprocess_exec("sleep", "60")
    try:
        for resources in ([], ["memory"]):
            bodies = Bodies(limits.find(None), resources)
            bodies.opened(sleeper.pid)
            bodies.begin(sleeper.pid, ("a", 1), {"cpu": 0.3, "memory": 64 * MIB})
            made = groups.below(limits.find(None), f"steelyard-worker-{sleeper.pid}")
            assert bool(made) == bool(resources)
            assert quota_of(sleeper.pid) is None
    finally:
        sleeper.kill()
        await sleeper.wait()
    bodies.closed(sleeper.pid)
    Bodies(limits.find(None)).sweep()


def quota_of(pid: int) -> float | None:
    """The cores that the process's own group allows."""
    for directory in groups.below(limits.find(None), f"steelyard-worker-{pid}"):
        if (directory / "cpu.cfs_quota_us").exists():
            quota = int((directory / "cpu.cfs_quota_us").read_text())
            return None if quota < 0 else quota / int((directory / "cpu.cfs_period_us").read_text())
        if (directory / "cpu.max").exists():
            quota_us, period_us = (directory / "cpu.max").read_text().split()
            return None if quota_us == "max" else int(quota_us) / int(period_us)
    return None
