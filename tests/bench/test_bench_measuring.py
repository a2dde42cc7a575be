"""What is measured with: another process's cpu clock, memory, the closed loop, the swarm, the NumPy peer."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time

import pytest

from balancer_core.placer import Placer
from bench import decisions, machine
from bench.bare import BareLink
from bench.closed_loop import Unexpected, drive, post
from bench.swarm import Swarm


def test_the_cpu_clock_of_a_process_is_its_own() -> None:
    """Read from outside, it says what the process says of itself."""
    before = machine.cpu_s(os.getpid())
    own = time.process_time()
    after = machine.cpu_s(os.getpid())

    assert before <= own <= after


def test_a_process_that_is_gone_has_no_clock() -> None:
    """A measured process that died must not count as idle."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()

    with pytest.raises(OSError, match=r".*"):
        machine.cpu_s(process.pid)


def test_memory_is_counted_once_or_for_each() -> None:
    """PSS of a process is at most its RSS; the sum over processes is of the same."""
    rss, pss = machine.memory_mb([os.getpid()])

    assert pss is not None
    assert 0 < pss <= rss * 1.05
    assert machine.memory_mb([]) == (0, 0)


def test_the_machine_is_described_without_its_name() -> None:
    """Cores and load, nothing that says whose machine it was."""
    about = machine.describe()

    assert os.cpu_count() == about["cores"]
    assert os.uname().nodename not in str(about)


async def test_the_closed_loop_counts_answers() -> None:
    """Each client has one request under way; what is counted is what the server saw."""
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.read(4096):
            seen.append(head)
            writer.write(b"HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\n{}")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        request = post(f"http://127.0.0.1:{port}", "/x/", "secret", b"{}")
        loop = await drive(f"http://127.0.0.1:{port}", request, 2, 0.1)

    assert len(seen) == loop.requests > 0
    assert request == seen[0]
    assert 0 < loop.p50_ms <= loop.p99_ms


async def test_another_status_ends_the_closed_loop() -> None:
    """A server that refuses quickly must not look fast."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        writer.write(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n")
        await reader.read(4096)
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(ExceptionGroup) as failed:
            await drive(url, post(url, "/", "secret", b""), 1, 5.0)

    assert isinstance(failed.value.exceptions[0], Unexpected)


async def test_the_swarm_reports_at_its_pace() -> None:
    """So many agents, so often: never more than asked for."""
    async with BareLink() as bare, Swarm(bare.url, ["bench.token"] * 3) as swarm:
        sent = await swarm.report_for(0.3, 20.0)

        assert 3 <= sent <= 19
        assert machine.cpu_s(bare.pid) > 0


@pytest.mark.parametrize("hosts", [1, 50, 700])
def test_the_peers_decide_as_the_core_does(hosts: int) -> None:
    """The same hosts for every load: only then is their speed worth comparing."""
    cluster, loads = decisions.cluster_of(hosts, 3), decisions.mixed(40, 3)
    scanned, columns = decisions.scan_all(cluster, loads), decisions.numpy_all(cluster, loads)

    assert scanned == Placer(cluster).place_many(loads, decisions.NOW).tolist()
    assert columns == scanned
