"""The agent as its own process: joining, running again, signals, being killed, and what it weighs."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from control_plane import ControlPlane

from agents import wire
from agents.manifest import summarise

TOKEN = "t1.secret-of-at-least-16"
MAX_RESIDENT_BYTES = 35_000_000


def join(plane: ControlPlane, data: Path, *more: str) -> tuple[str, ...]:
    return ("join", plane.url, "--token", TOKEN, "--name", "h1", "--data", str(data), *more)


async def test_join_shows_the_token_and_only_the_digest_of_its_credential(
    plane: ControlPlane, short_dir: Path, start_agent: Callable[..., Any]
) -> None:
    """A joining agent stores its own credential, readable by it alone, and sends what was declared."""
    data = short_dir / "data"
    await start_agent(
        *join(plane, data, "--label", "zone=a", "--capacity", "gpu=2", "--capacity", "cpu=1500m")
    )
    hello = (await plane.wait_for(lambda: plane.hellos))[0]
    await plane.wait_for(lambda: plane.of(wire.Report))
    stored = json.loads((data / "agent.json").read_text())

    assert plane.bearers == [wire.enrol_bearer(TOKEN)]
    assert hello.credential_digest == wire.digest(stored["credential"])
    assert stat.S_IMODE((data / "agent.json").stat().st_mode) == 0o600
    assert stat.S_IMODE((data / "worker.sock").stat().st_mode) == 0o600
    assert (hello.name, hello.address, hello.labels) == ("h1", "127.0.0.1", {"zone": "a"})
    assert (hello.capacity["gpu"], hello.capacity["cpu"]) == (2.0, 1.5)
    assert set(hello.capacity) >= {"cpu", "memory", "disk"}


async def test_sigterm_ends_cleanly_and_run_comes_back_with_the_credential(
    plane: ControlPlane, short_dir: Path, start_agent: Callable[..., Any]
) -> None:
    """SIGTERM ends with code 0 and leaves no socket; `run` needs no token, nor does the same join again."""
    first = await start_agent(*join(plane, short_dir))
    await plane.wait_for(lambda: plane.of(wire.Report))
    first.send_signal(signal.SIGTERM)
    async with asyncio.timeout(10):
        assert await first.wait() == 0
    assert not (short_dir / "worker.sock").exists()

    for number, arguments in enumerate([("run", "--data", str(short_dir)), join(plane, short_dir)], 2):
        again = await start_agent(*arguments)
        await plane.wait_for(lambda number=number: len(plane.hellos) == number)
        again.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            assert await again.wait() == 0
    credential = json.loads((short_dir / "agent.json").read_text())["credential"]

    assert plane.bearers[1:] == [wire.agent_bearer("h1", credential)] * 2
    assert plane.hellos[1].credential_digest == ""


@pytest.mark.parametrize(("status", "door"), [(401, None), (403, None), (None, wire.CLOSE_UNAUTHORISED)])
async def test_an_agent_that_is_not_taken_stops_with_code_2(
    plane: ControlPlane,
    short_dir: Path,
    start_agent: Callable[..., Any],
    status: int | None,
    door: int | None,
) -> None:
    """Unauthorised, by HTTP or by close code, is final: one line, exit code 2."""
    plane.status, plane.door = status, door
    process = await start_agent(*join(plane, short_dir))
    async with asyncio.timeout(10):
        _, errors = await process.communicate()

    assert process.returncode == 2
    assert errors.decode().strip().splitlines()[-1].startswith("steelyard-agent: ")
    assert "Traceback" not in errors.decode()


@pytest.mark.parametrize(
    ("wrong", "culprit"),
    [
        (("--capacity", "cpu=many"), "many"),
        (("--label", "zone"), "--label"),
        (("--name", "Not A Name"), "--name"),
        (("--address", "somewhere"), "--address"),
        (("--cgroup", "no/such/group"), "--cgroup"),
        (("--token", "x"), "--token"),
        (("--interval", "-1"), "--interval"),
    ],
)
async def test_wrong_input_is_named_in_one_line(
    plane: ControlPlane,
    short_dir: Path,
    start_agent: Callable[..., Any],
    wrong: tuple[str, ...],
    culprit: str,
) -> None:
    """Wrong input ends with code 2 and one line that names it; nothing is sent."""
    process = await start_agent(*join(plane, short_dir, *wrong))
    async with asyncio.timeout(10):
        _, errors = await process.communicate()

    assert process.returncode == 2
    assert len(errors.decode().strip().splitlines()) == 1
    assert culprit in errors.decode()
    assert plane.bearers == []


async def test_two_agents_do_not_share_a_directory(
    plane: ControlPlane, short_dir: Path, start_agent: Callable[..., Any]
) -> None:
    """The second agent on one data directory stops, the first goes on."""
    await start_agent(*join(plane, short_dir))
    await plane.wait_for(lambda: plane.hellos)
    second = await start_agent("run", "--data", str(short_dir))
    async with asyncio.timeout(10):
        _, errors = await second.communicate()

    assert second.returncode == 2
    assert "another agent" in errors.decode()


async def test_killed_during_a_fetch_it_comes_back_clean_and_fetches_again(
    plane: ControlPlane, short_dir: Path, start_agent: Callable[..., Any]
) -> None:
    """SIGKILL in the middle of a fetch leaves no partial shard, and the same fetch then succeeds."""
    source, target = short_dir / "a", short_dir / "b"
    tree = source / "shards" / "import" / "orders"
    (tree / "part").mkdir(parents=True)
    for number in range(8):
        (tree / "part" / f"{number}.bin").write_bytes(os.urandom(300_000))
    await start_agent(*join(plane, source))
    await plane.wait_for(lambda: plane.hellos)
    serving = plane.connections[0]
    receiver = await start_agent(*join(plane, target))
    await plane.wait_for(lambda: len(plane.hellos) == 2)

    async def fetch(transfer: str, rate: float | None, wait: bool) -> wire.Outcome | None:
        key = os.urandom(32).hex()
        receiving = plane.connections[-1]
        plane.connections.append(serving)
        served = await plane.command(
            "shard.serve", {"transfer": transfer, "source": "import/orders", "key": key, "expires_s": 30.0}
        )
        plane.connections.append(receiving)
        args = {
            "transfer": transfer, "shard": "orders", "address": "127.0.0.1", "port": served.result["port"],
            "key": key,
            "digest": served.result["digest"], "bytes": served.result["bytes"], "rate_bytes_s": rate,
        }  # fmt: skip
        if wait:
            return await plane.command("shard.fetch", args)
        await plane.send(wire.Command(id=transfer, verb="shard.fetch", args=args, epoch=1, expires_in_s=30.0))
        return None

    await fetch("slow", 200_000.0, wait=False)
    arriving = target / "shards" / ".incoming" / "slow"
    reports = len(plane.of(wire.Report))
    async with asyncio.timeout(10):
        while not any(path.is_file() and path.stat().st_size for path in arriving.rglob("*")):
            await asyncio.sleep(0.02)
    receiver.kill()
    await receiver.wait()
    assert arriving.exists()
    assert not (target / "shards" / "shards" / "orders").exists()

    await start_agent("run", "--data", str(target))
    await plane.wait_for(lambda: len(plane.hellos) == 3)
    assert not arriving.exists()
    outcome = await fetch("again", None, wait=True)

    assert outcome is not None
    assert outcome.ok, outcome.error
    assert summarise(tree).digest == summarise(target / "shards" / "shards" / "orders").digest
    assert len(plane.of(wire.Report)) > reports


async def test_the_agent_stays_small(
    plane: ControlPlane, short_dir: Path, start_agent: Callable[..., Any]
) -> None:
    """After its first reports the agent is below 35 MB resident."""
    plane.keepalive_s = 0.05
    process = await start_agent(*join(plane, short_dir))
    await plane.wait_for(lambda: len(plane.of(wire.Report)) >= 20)

    assert psutil.Process(process.pid).memory_info().rss < MAX_RESIDENT_BYTES
