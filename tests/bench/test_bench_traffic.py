"""What the traffic benchmarks stand on: turns, recoveries, the peers, cold servers, thin links, the whole stage."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from bench.load.client import Pool, Target
from bench.load.summary import Record
from bench.rack.backend import COLD
from bench.rack.rack import Host, HostSpec, Rack
from bench.traffic import turns
from bench.traffic.faults import recovery_s, tell
from bench.traffic.late_reports import swing
from bench.traffic.peers import Peers
from bench.traffic.stage import OURS, PORT, Stage
from bench.traffic.thin_link import regained_s, thinned
from bench.traffic.ways import WAYS, Server

ROOT = Path(__file__).parents[2]
SPECS = [HostSpec(name, 0.2, 128 << 20, 25e6) for name in ("left", "right")]


def test_a_swing_is_of_shares() -> None:
    """Weights that all double have not moved; the largest move of one host's share counts."""
    assert swing([{"a": 100.0, "b": 300.0}, {"a": 200.0, "b": 600.0}]) == 0.0
    assert swing([{"a": 1.0, "b": 3.0}, {"a": 1.0, "b": 1.0}, {"a": 1.0, "b": 4.0}]) == pytest.approx(0.3)


def by_second(took: list[float]) -> list[Record]:
    """Ten requests of each second, which all took as long."""
    return [
        Record(second + part / 10, latency, 200, "", "a")
        for second, latency in enumerate(took)
        for part in range(10)
    ]


async def serve(host: Host) -> None:
    """A backend on the host, at the stage's port."""
    command = [sys.executable, "-m", "bench.rack.backend", "--address", host.address, "--port", str(PORT)]
    await host.start([*command, "--name", host.name], cwd=ROOT, limited=False, ready="ready")


@pytest.fixture
async def rack() -> AsyncIterator[Rack]:
    """Two hosts that are plain processes, with a backend each."""
    async with Rack(SPECS, kind="processes") as built:
        for host in built:
            await serve(host)
        yield built


async def asked(url: str, times: int, *, at_once: bool = False) -> Counter[str]:
    """Who answered so many requests, one after the other or all at once; the status where it was not 200."""
    pool = Pool(Target.parse(url))
    if at_once:
        answers = await asyncio.gather(*(pool.ask() for _ in range(times)))
    else:
        answers = [await pool.ask() for _ in range(times)]
    pool.close()
    return Counter(each.host if each.status == 200 else str(each.status) for each in answers)


def test_recovery_is_the_last_second_that_was_slow() -> None:
    """After the change it is slow for three seconds, then as slow as it stays: three, however slow that is."""
    took = [0.01] * 10 + [0.9, 0.9, 0.5] + [0.05] * 17

    assert recovery_s(by_second(took), 10.0, 30.0) == 3.0
    assert recovery_s(by_second(took), 13.0, 30.0) == 0.0


def test_regained_is_what_lasts_and_is_as_it_was() -> None:
    """One good second between bad ones is no return; who stays slow never returns."""
    before = [0.01] * 10
    assert regained_s(by_second([*before, 0.9, 0.01, 0.9, *[0.014] * 5]), 10.0, 18.0) == 3.0
    assert regained_s(by_second([*before, *[0.05] * 8]), 10.0, 18.0) == 8.0
    assert regained_s(by_second([*before, *before]), 10.0, 18.0) == 0.0


async def test_a_turn_through_two_doors_is_shared_and_its_warm_up_not_counted(
    rack: Rack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each door gets half of the rate by arrivals of its own; what came before is kept and not summed."""
    monkeypatch.setattr(turns, "WARM_S", 0.5)
    urls = [f"http://{host.address}:{PORT}/" for host in rack]
    turn = await turns.take_through(urls, 200.0, 1.0, 1, lambda: {"left": time.monotonic()})
    early = [record for record in turn.records if record.scheduled_s < 0.5]

    assert 150 < turn.summary.requests < 250
    assert turn.summary.requests == len(turn.records) - len(early)
    assert len(early) > 50
    assert turn.summary.failures == 0
    assert 0.35 < turn.summary.share["left"] < 0.65
    assert len({record.scheduled_s for record in turn.records}) == len(turn.records)
    assert 0.9 < turn.used["left"] < 3.0


async def test_the_peers_choose_among_those_that_they_are_told(rack: Rack, tmp_path: Path) -> None:
    """Every way answers by both servers; Envoy's follow when one is taken away, and when it is back."""
    servers = [Server(host.address, PORT, speed) for host, speed in zip(rack, (3.0, 1.0), strict=True)]
    async with Peers("127.0.0.1", servers, tmp_path) as peers:
        urls = {name: f"http://{address}:{port}/" for name, (address, port) in peers.doors.items()}
        both = {name: await asked(url, 40) for name, url in urls.items()}
        peers.serve(servers[1:])
        await until(urls["envoy_rr"], {"right"})
        one = await asked(urls["envoy_lr"], 10)
        peers.serve(servers)
        await until(urls["envoy_rr"], {"left", "right"})

    assert set(WAYS) == set(both)
    assert all(set(found) == {"left", "right"} for found in both.values())
    # Round robin by weights: three of four. HAProxy's without anything in flight, too.
    assert both["envoy_rr"]["left"] == 20
    assert 26 <= both["envoy_lr_weights"]["left"] <= 34
    assert one == {"right": 10}


async def until(url: str, hosts: set[str]) -> None:
    """Until just these answer."""
    async with asyncio.timeout(20):
        while set(await asked(url, 8, at_once=True)) != hosts:
            await asyncio.sleep(0.05)


async def test_a_cold_server_warms_up(rack: Rack) -> None:
    """So many requests cost it several times as much, those after them do not."""
    await tell(rack["left"], "cold=2")
    async with httpx.AsyncClient(trust_env=False) as client:
        url = f"http://{rack['left'].address}:{PORT}/burn?ms=2"
        burned = [(await client.get(url)).json()["burned_ms"] for _ in range(4)]

    assert [2 * COLD, 2 * COLD, 2, 2] == burned


@pytest.mark.rack
async def test_a_link_is_thin_only_within_its_block() -> None:
    """A large answer takes ten times as long, and as long as before when the block is left by an error."""
    async with Rack(SPECS[:1], kind="namespaces") as rack:
        host = rack["left"]
        await serve(host)
        took = {"before": await seconds(host)}
        with pytest.raises(ZeroDivisionError):
            async with thinned(host, 0.01):
                took["thin"] = await seconds(host)
                raise ZeroDivisionError
        took["after"] = await seconds(host)

    assert took["thin"] > 1.0  # 2 s at a quarter of a megabyte a second
    assert took["before"] < 1.0
    assert took["after"] < 1.0


async def seconds(host: Host) -> float:
    """How long half a megabyte takes from the host's server."""
    pool, began = Pool(Target.parse(f"http://{host.address}:{PORT}/bytes?n=500000")), time.monotonic()
    await pool.ask()
    pool.close()
    return time.monotonic() - began


@pytest.mark.rack
async def test_the_stage_has_engines_on_machines_of_their_own() -> None:
    """Two of ours and two of the peers' before the same hosts: a host that leaves is left by all, and comes back."""
    machines = [HostSpec(name, 0.05, 256 << 20, 125e6) for name in ("e1", "e2")]
    async with Stage(SPECS, balancers=machines) as stage:
        # Held for a moment, so that one host alone is not the best for all of them.
        doors = {name: stage.urls(name, "/hold?s=0.1") for name in stage.doors}
        for url in (*doors[OURS], *doors["envoy_lr"]):
            await until(url, {"left", "right"})
        weights = await stage.weights()
        await stage.leave(stage.hosts[0])
        for url in (*doors[OURS], *doors["envoy_lr"]):
            await until(url, {"right"})
        await stage.join(stage.hosts[0])
        for url in (*doors[OURS], *doors["envoy_lr"]):
            await until(url, {"left", "right"})

    assert set(weights) == {"left", "right"}
    assert min(weights.values()) >= 1
    assert {OURS, *(name for name, way in WAYS.items() if way.product == "envoy")} == set(doors)
    assert all(len(urls) == len(set(urls)) == 2 for urls in doors.values())
