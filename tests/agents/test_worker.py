"""The host's worker: a real process that the agent starts, watches, starts again, and leaves to the next agent."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import psutil
import pytest

from agents.backoff import Backoff
from agents.worker import HostWorker

#: Says how it was started, and waits; with a pool of one, which ends with it.
WORKS = """
import json, os, signal, sys
gone, here = os.pipe()
if os.fork() == 0:
    os.close(here)
    os.read(gone, 1)
    os._exit(0)
def end(*_):
    open("asked", "a").write("x")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
said = {"pid": os.getpid(), "argv": sys.argv[1:], "socket": os.environ["STEELYARD_AGENT_SOCKET"]}
open("said.new", "w").write(json.dumps(said))
os.rename("said.new", "said")
signal.pause()
"""
FAILS = "import sys; open('tries', 'a').write('x'); sys.exit(3)"


def command(code: str, *words: str) -> str:
    return shlex.join([sys.executable, "-I", "-S", "-c", code, *words])


async def until(found: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not found():
            await asyncio.sleep(0.02)


class Host:
    """The folder that an agent has, and where its worker works."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pids: set[int] = set()

    @asynccontextmanager
    async def agent(self, command: str) -> AsyncIterator[HostWorker]:
        """What an agent has of it, while the block runs."""
        worker = HostWorker(
            command,
            str(self.folder),
            self.folder / "worker.json",
            self.folder / "worker.sock",
            lambda: "web-1",
            Backoff(Random(7), base_s=0.05, cap_s=0.1),
        )
        keeping = asyncio.create_task(worker.keep())
        try:
            yield worker
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)

    async def said(self) -> dict[str, Any]:
        """What the newest worker says of itself."""
        file = self.folder / "said"
        await until(file.exists)
        said: dict[str, Any] = json.loads(file.read_text())
        file.unlink()
        self.pids.add(said["pid"])
        return said


@pytest.fixture
def host(tmp_path: Path) -> Any:
    host = Host(tmp_path)
    yield host
    for pid in host.pids:
        if psutil.pid_exists(pid):
            for each in [*psutil.Process(pid).children(), psutil.Process(pid)]:
                each.kill()


def gone(pid: int) -> Callable[[], bool]:
    return lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


async def test_it_takes_the_hosts_messages_and_finds_the_agent(host: Host) -> None:
    """Queue, name and socket are added to what the operator said; it works where it shall, and is told of."""
    async with host.agent(command(WORKS, "-c", "1")) as worker:
        said = await host.said()
        told = worker.told()

    assert said["argv"] == ["-c", "1", "-Q", "host.web-1", "-n", "steelyard@web-1"]
    assert said["socket"] == str(host.folder / "worker.sock")
    assert told is not None
    assert (told.processes, told.starts, told.why) == (1, 1, "")
    assert told.running_s is not None


async def test_one_that_dies_is_started_again(host: Host) -> None:
    """And the agent says how the one before ended."""
    async with host.agent(command(WORKS)) as worker:
        first = await host.said()
        os.kill(first["pid"], signal.SIGKILL)
        second = await host.said()
        told = worker.told()

    assert second["pid"] != first["pid"]
    assert told is not None
    assert (told.starts, told.why) == (2, "killed by SIGKILL")


async def test_the_next_agent_goes_on_with_it(host: Host) -> None:
    """An agent that ends leaves it running; the next one starts none, and sees its end."""
    async with host.agent(command(WORKS)):
        first = await host.said()
    async with host.agent(command(WORKS)) as worker:
        await until(lambda: (told := worker.told()) is not None and told.running_s is not None)
        adopted = worker.told()
        os.kill(first["pid"], signal.SIGKILL)
        second = await host.said()

    assert adopted is not None
    assert (adopted.starts, adopted.processes) == (0, 1)
    assert second["pid"] != first["pid"]


@pytest.mark.parametrize("wanted", [command(WORKS, "-c", "2"), ""])
async def test_what_is_not_wanted_any_more_is_asked_to_end(host: Host, wanted: str) -> None:
    """Before another one begins, which happens where one is wanted."""
    async with host.agent(command(WORKS, "-c", "1")):
        first = await host.said()
    async with host.agent(wanted) as worker:
        await until(gone(first["pid"]))
        if wanted:
            assert "2" in (await host.said())["argv"]
        told = worker.told()

    assert (host.folder / "asked").read_text() == "x"
    assert (told is None) == (wanted == "")


async def test_one_that_fails_at_once_is_tried_with_pauses(host: Host) -> None:
    """Its agent says why there is none."""
    tries = host.folder / "tries"
    async with host.agent(command(FAILS)) as worker:
        await until(lambda: tries.exists() and len(tries.read_text()) >= 3)
        await until(lambda: (told := worker.told()) is not None and told.running_s is None)
        told = worker.told()

    assert told is not None
    assert told.why == "exit code 3"
    assert told.starts >= 3


async def test_an_agent_that_is_not_taken_back_ends_what_the_one_before_it_left(host: Host) -> None:
    """It was never let in, so that it has watched nothing."""
    async with host.agent(command(WORKS)):
        first = await host.said()
    never = HostWorker(
        command(WORKS), "", host.folder / "worker.json", host.folder, lambda: "web-1", Backoff(Random(7))
    )
    never.end()
    await until(gone(first["pid"]))

    assert (host.folder / "asked").read_text() == "x"


async def test_a_pid_that_means_another_process_is_not_taken_for_it(host: Host) -> None:
    """What was written before a restart of the machine says nothing of who has that number now."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text()
    left = {"pid": os.getpid(), "boot": boot, "ticks": 1, "argv": ["-c", "1"], "directory": "/"}
    (host.folder / "worker.json").write_text(json.dumps(left))
    async with host.agent(command(WORKS)) as worker:
        said = await host.said()
        worker.end()
        await until(gone(said["pid"]))

    assert (host.folder / "asked").read_text() == "x"
