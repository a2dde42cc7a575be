"""The demo fleet: marked, reporting, placed on, never beside real hosts, and gone at one click."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from console.actions import SYSTEM, Conflict, Invalid
from console.controller.lease import Candidate, Fenced
from console.demo.actions.fleet import RemoveDemoFleet, StartDemoFleet
from console.demo.drive import Driver
from console.demo.figures import MOST_HOSTS, machine, used
from console.demo.models import SimulatedHost
from console.fleet.actions.lifecycle import Drain
from console.fleet.models import Host
from console.live.picture import picture
from console.live.ticks import decode_tick
from console.placements.ledger import drift
from console.placements.models import Placement


@pytest.fixture
def driver(cluster: Any) -> Driver:
    """Of the leader with epoch 1."""
    assert Candidate("a").campaign(0.0)
    return Driver(picture, 1)


def test_figures_are_of_no_host_more_than_it_has() -> None:
    """At any time, of all hosts; names and addresses are each one's own."""
    machines = {number: machine(number) for number in range(1, MOST_HOSTS + 1)}
    assert (
        len({each.name for each in machines.values()})
        == len({each.address for each in machines.values()})
        == 200
    )
    assert len({tuple(each.capacity.values()) for each in machines.values()}) == 6
    for at_s in range(0, 3600, 97):
        for number, each in machines.items():
            figures = used(number, each.capacity, at_s)
            assert all(0 < figures[name] < amount for name, amount in each.capacity.items())


def test_it_reports_and_is_placed_on(driver: Driver) -> None:
    """All of them at each step, by the way that agents' reports take; the tick tells the others; loads come and go."""
    now, at = time.monotonic(), timezone.now()
    assert driver.step(now, at) is None
    StartDemoFleet(40).run(SYSTEM)
    picture.load()
    tick = decode_tick(driver.step(now, at))

    assert len(tick.hosts) == 40
    cpu = tick.table()[tick.hosts.index("sim-007"), tick.resources.index("cpu")]
    assert cpu == pytest.approx(picture.used("sim-007")["cpu"])
    assert picture.age_s("sim-040") < 5
    for _ in range(6):
        driver.step(now, at)
    assert Placement.objects.filter(state="held").count() == 60
    Placement.objects.update(created_at=at - timedelta(hours=1))
    driver.step(now + 20, at)
    assert Placement.objects.filter(state="released").count() == 1
    assert drift() == {}


def test_a_drain_is_seen_through(driver: Driver) -> None:
    """What is on a host that drains ends step by step, and nothing new comes there."""
    now, at = time.monotonic(), timezone.now()
    StartDemoFleet(20).run(SYSTEM)
    picture.load()
    for _ in range(4):
        driver.step(now, at)
    name = Placement.objects.select_related("host").first().host.name  # type: ignore[union-attr]
    Drain(name).run(SYSTEM)
    picture.load()
    there = Placement.objects.filter(host__name=name, state="held")
    for _ in range(there.count()):
        driver.step(now, at)

    assert not there.exists()
    assert Placement.objects.filter(state="held").count() >= 29
    assert drift() == {}


def test_a_deposed_controller_places_nothing(driver: Driver) -> None:
    """Its loads are fenced like everything it writes."""
    StartDemoFleet(5).run(SYSTEM)
    picture.load()
    with pytest.raises(Fenced):
        Driver(picture, 0).step(time.monotonic(), timezone.now())
    assert not Placement.objects.exists()


def test_it_goes_at_one_click_and_takes_nothing_real(driver: Driver, cluster: Any) -> None:
    """A real host that says it is simulated stays; what really stands on the fleet is named first."""
    from console.traffic.actions.services import CreateService, RemoveService

    StartDemoFleet(10).run(SYSTEM)
    picture.load()
    driver.step(time.monotonic(), timezone.now())
    cluster.add("real-1", {"simulated": "yes"})
    CreateService("shop", "http", "127.0.0.1", 18080, [("sim-001", 8080)]).run(SYSTEM)
    with pytest.raises(Conflict, match="1 endpoints"):
        RemoveDemoFleet().run(SYSTEM)
    RemoveService("shop").run(SYSTEM)

    assert RemoveDemoFleet().run(SYSTEM) == 10
    assert [each.name for each in Host.objects.all()] == ["real-1"]
    assert not SimulatedHost.objects.exists() and not Placement.objects.exists()
    with pytest.raises(Conflict, match="no demo fleet"):
        RemoveDemoFleet().run(SYSTEM)


def test_never_beside_real_hosts_and_never_twice(cluster: Any) -> None:
    """Nor more than there are addresses for."""
    for hosts in (0, 201):
        with pytest.raises(Invalid):
            StartDemoFleet(hosts).run(SYSTEM)
    StartDemoFleet(1).run(SYSTEM)
    with pytest.raises(Conflict, match="here already"):
        StartDemoFleet(1).run(SYSTEM)
    RemoveDemoFleet().run(SYSTEM)
    cluster.add("real-1")
    with pytest.raises(Conflict, match="real hosts"):
        StartDemoFleet(1).run(SYSTEM)
