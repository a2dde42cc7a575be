"""The load generator and the backend, against each other and against a raw socket."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bench.load import Generator, LoadPlan, Summary
from bench.load.arrivals import poisson
from bench.rack.rack import Host, HostSpec, Rack

ROOT = Path(__file__).parents[2]
SPEC = HostSpec("alpha", 0.2, 128 << 20, 1e8)


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    """A host of plain processes with a backend on port 8080 and its echo on 8081."""
    async with Rack([SPEC], kind="processes") as rack:
        yield rack["alpha"]


async def backend(host: Host) -> asyncio.subprocess.Process:
    argv = [sys.executable, "-m", "bench.rack.backend", "--address", host.address, "--name", host.name]
    return await host.start([*argv, "--port", "8080", "--tcp-port", "8081"], cwd=ROOT, ready="ready")


async def load(host: Host, path: str, rate_per_s: float, seconds: float, deadline_s: float = 5) -> Summary:
    plan = LoadPlan(f"http://{host.address}:8080{path}", rate_per_s, seconds, deadline_s=deadline_s)
    return await Generator(plan).run()


async def exchange(host: Host, sent: bytes) -> bytes:
    """What the backend sends back until it closes."""
    reader, writer = await asyncio.open_connection(host.address, 8080)
    writer.write(sent)
    received = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    await writer.wait_closed()
    return received


async def test_every_arrival_is_counted_and_answered(host: Host) -> None:
    """As many records as arrivals, each at its instant, all answered by the host; statuses count as they are."""
    await backend(host)
    generator = Generator(LoadPlan(f"http://{host.address}:8080/", 200, 1.0, seed=5))
    summary = await generator.run()
    failing = await load(host, "/status?code=503", 100, 0.3)

    due = list(poisson(200, 1.0, seed=5))
    assert sorted(record.scheduled_s for record in generator.records) == due
    assert (summary.requests, summary.failures) == (len(due), 0)
    assert summary.share == {"alpha": 1.0}
    assert 0 < summary.p50_ms <= summary.p90_ms <= summary.p99_ms <= summary.max_ms
    assert generator.in_flight == 0
    assert failing.failures_by == {"503": failing.requests}


async def test_slow_server_does_not_slow_the_arrivals(host: Host) -> None:
    """Open loop: while every answer takes half a second, requests keep leaving, and in_flight shows them."""
    await backend(host)
    generator = Generator(LoadPlan(f"http://{host.address}:8080/hold?s=0.5", 100, 0.4, seed=2))
    run = asyncio.create_task(generator.run())
    await asyncio.sleep(0.35)
    seen = generator.in_flight
    summary = await run

    arrived = sum(1 for due in poisson(100, 0.4, seed=2) if due < 0.3)
    assert seen >= arrived
    assert summary.failures == 0
    assert 500 <= summary.p50_ms < 900


async def test_latency_counts_from_the_scheduled_instant(host: Host) -> None:
    """A server that needs 20 ms a request and gets 100 a second queues, and the queue is in the latency."""
    await backend(host)
    summary = await load(host, "/burn?ms=20", 100, 0.6)

    assert summary.failures == 0
    assert summary.max_ms > 300


async def test_outstanding_requests_are_bounded(host: Host) -> None:
    """Beyond max_outstanding a request is not sent; it fails as overload and the run still ends."""
    await backend(host)
    url = f"http://{host.address}:8080/hold?s=5"
    summary = await Generator(LoadPlan(url, 200, 0.3, deadline_s=0.5, max_outstanding=5)).run()

    assert summary.failures_by["deadline"] == 5
    assert summary.failures_by == {"deadline": 5, "overload": summary.requests - 5}


async def test_killed_backend_is_counted(host: Host) -> None:
    """Requests under way when the server is killed fail as reset, later ones as refused; earlier ones succeeded."""
    process = await backend(host)
    generator = Generator(LoadPlan(f"http://{host.address}:8080/hold?s=0.1", 100, 1.0, seed=9))
    run = asyncio.create_task(generator.run())
    await asyncio.sleep(0.5)
    under_way = generator.in_flight
    await host.kill(process)
    summary = await run

    answered = [record for record in generator.records if not record.failed]
    assert answered and max(record.scheduled_s for record in answered) < 0.5
    assert set(summary.failures_by) == {"refused", "reset"}
    assert 1 <= summary.failures_by["reset"] <= under_way + 2
    assert summary.failures + len(answered) == summary.requests == len(list(poisson(100, 1.0, seed=9)))


async def test_cancelled_run_leaves_nothing_under_way(host: Host) -> None:
    """Cancelling a run drops its requests and connections at once."""
    await backend(host)
    generator = Generator(LoadPlan(f"http://{host.address}:8080/hold?s=30", 100, 10))
    run = asyncio.create_task(generator.run())
    await asyncio.sleep(0.2)
    assert generator.in_flight > 0
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run

    assert generator.in_flight == 0


async def test_command_prints_json(host: Host) -> None:
    """python -m bench.load URL --rate R --seconds S --json prints one summary; a bad rate is refused in a sentence."""
    await backend(host)
    argv = [
        sys.executable,
        "-m",
        "bench.load",
        f"http://{host.address}:8080/bytes?n=70000",
        "--seconds",
        "0.5",
    ]
    pipe = asyncio.subprocess.PIPE
    run = await asyncio.create_subprocess_exec(*argv, "--rate", "60", "--json", cwd=ROOT, stdout=pipe)
    out, _ = await run.communicate()
    bad = await asyncio.create_subprocess_exec(*argv, "--rate", "nan", cwd=ROOT, stderr=pipe)
    _, err = await bad.communicate()

    fields = json.loads(out)
    assert (run.returncode, fields["failures"], fields["share"]) == (0, 0, {"alpha": 1.0})
    assert fields["requests"] == len(list(poisson(60, 0.5, seed=1)))
    assert bad.returncode == 2
    assert b"rate_per_s: nan" in err


async def test_burn_uses_the_cpu_time_it_says(host: Host) -> None:
    """Twenty requests of 10 ms take at least 0.2 s of the backend's CPU time, and not much more."""
    process = await backend(host)
    before = cpu_seconds(process.pid)
    for _ in range(20):
        await exchange(
            host, b"POST /burn?ms=10 HTTP/1.1\r\nconnection: close\r\ncontent-length: 3\r\n\r\nabc"
        )
    used = cpu_seconds(process.pid) - before

    assert 0.18 < used < 0.4


def cpu_seconds(pid: int) -> float:
    """CPU time of a process, in the kernel's ticks of 10 ms."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


async def test_pipelined_requests_are_answered_in_order(host: Host) -> None:
    """A held or a large answer keeps later requests of its connection waiting, and none is lost."""
    await backend(host)
    paths = ["/hold?s=0.1", "/bytes?n=300000", "/bytes?n=10", "/status?code=404", "/"]
    sent = "".join(f"GET {path} HTTP/1.1\r\n\r\n" for path in paths) + "GET / HTTP/1.0\r\n\r\n"
    answers = (await exchange(host, sent.encode())).split(b"HTTP/1.1 ")[1:]

    assert [answer[:3] for answer in answers] == [b"200", b"200", b"200", b"404", b"200", b"200"]
    assert b'"path": "/hold"' in answers[0]
    assert len(answers[1].partition(b"\r\n\r\n")[2]) == 300_000


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"DELETE / HTTP/1.1\r\n\r\n", 405),
        (b"POST / HTTP/1.1\r\ncontent-length: 99999999\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\ncontent-length: -4\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n", 411),
        (b"GET /" + b"x" * 20_000, 431),
        (b"GET /burn?ms=nan HTTP/1.1\r\n\r\n", 400),
        (b"GET /burn?ms=1e9 HTTP/1.1\r\n\r\n", 400),
        (b"GET /hold?s=-1 HTTP/1.1\r\n\r\n", 400),
    ],
)
async def test_bad_requests_are_refused_and_closed(host: Host, sent: bytes, status: int) -> None:
    """What the backend cannot answer gets a 4xx that names the host, and the connection ends."""
    await backend(host)
    answer = await exchange(host, sent)

    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["host"] == "alpha"


async def test_echo_and_a_graceful_end(host: Host) -> None:
    """The TCP port sends back what it gets; SIGTERM ends the backend with status 0, and it is small."""
    process = await backend(host)
    reader, writer = await asyncio.open_connection(host.address, 8081)
    writer.write(b"weigh this")
    assert await reader.readexactly(10) == b"weigh this"
    writer.close()
    await writer.wait_closed()
    resident_kib = int(Path(f"/proc/{process.pid}/status").read_text().partition("VmRSS:")[2].split()[0])
    began = time.monotonic()
    process.terminate()

    assert await asyncio.wait_for(process.wait(), 5) == 0
    assert time.monotonic() - began < 5
    assert resident_kib < 25_000
