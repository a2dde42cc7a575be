"""Races for room: the ledger is never over its capacity, and nobody is refused who would have fitted."""

from __future__ import annotations

from typing import Any

import pytest
from console_racing import at_once
from django.db import transaction

from balancer_core.placement import Load
from console.actions import SYSTEM
from console.live.picture import picture
from console.placements import ledger
from console.placements.actions.commit import FitsNowhere
from console.placements.actions.place import Place
from console.placements.actions.release import Release
from console.placements.models import Decision, Placement


def job(name: str = "j", cpu: float = 1.0, **more: Any) -> Load:
    return Load(kind="job", name=name, demand={"cpu": cpu, **more})


def test_only_as_many_are_placed_as_fit(cluster: Any) -> None:
    """Ten that ask at once for the last four rooms: four get one, six are refused, the ledger is exactly
    full."""
    cluster.add("web-1", cpu=4.0)

    results = at_once(*(lambda n=n: Place(job(f"j{n}", memory=1.0)).run(SYSTEM) for n in range(10)))

    assert [sum(isinstance(each, kind) for each in results) for kind in (Placement, FitsNowhere)] == [4, 6], (
        results
    )
    assert cluster.reserved("web-1") == 4.0
    assert ledger.drift() == {}


def test_a_refusal_after_lost_races_says_so_and_names_no_host(cluster: Any) -> None:
    """Who was overtaken everywhere gets a decision that is refused, kept with an empty host."""
    cluster.add("web-1", cpu=2.0)

    results = at_once(*(lambda n=n: Place(job(f"j{n}")).run(SYSTEM) for n in range(6)))

    refused = [each for each in results if isinstance(each, FitsNowhere)]
    assert len(refused) == 4, results
    kept = Decision.objects.filter(pk__in=[each.decision_id for each in refused])
    assert list(kept.values_list("outcome", "host")) == [("refused", "")] * 4


def test_the_loser_goes_to_the_next_candidate(cluster: Any) -> None:
    """Room that another process took since the picture was loaded costs a host, not the placement."""
    cluster.add("big", cpu=8.0)
    cluster.add("small", cpu=2.0)
    from console.fleet.models import Host

    with transaction.atomic():  # as another process: this one's picture does not hear of it
        assert ledger.reserve(Host.objects.get(name="big").pk, {"cpu": 7.5})

    placed = Place(job()).run(SYSTEM)

    assert placed.host.name == "small"
    assert "big" in placed.decision.sentence
    assert placed.demand == {"cpu": 1.0}


def test_all_or_none_of_the_resources(cluster: Any) -> None:
    """A demand of which one resource does not fit leaves every line as it was, even without a rollback."""
    host = cluster.add("web-1", cpu=4.0, memory=100.0)

    assert not ledger.reserve(host.pk, {"cpu": 1.0, "memory": 101.0})
    assert not ledger.reserve(host.pk, {"cpu": 1.0, "gpu": 1.0})

    assert (cluster.reserved("web-1"), cluster.reserved("web-1", "memory")) == (0.0, 0.0)


@pytest.mark.parametrize("change", [{"state": "cordoned"}, {"state": "draining"}, {"lost": True}])
def test_a_host_out_of_use_takes_nothing_new(cluster: Any, change: dict[str, Any]) -> None:
    """The ledger itself refuses what a stale picture would still place."""
    from django.utils import timezone

    from console.fleet.models import Host

    host = cluster.add("web-1")
    Host.objects.update(**({"lost_since": timezone.now()} if "lost" in change else change))

    assert not ledger.reserve(host.pk, {"cpu": 1.0})
    assert not ledger.reserve(host.pk, {})


def test_a_full_host_takes_its_own_capacity_in_parts(cluster: Any) -> None:
    """Ten tenths fill a core exactly: rounding refuses nobody."""
    host = cluster.add("web-1", cpu=1.0)

    assert all(ledger.reserve(host.pk, {"cpu": 0.1}) for _ in range(10))

    assert not ledger.reserve(host.pk, {"cpu": 0.001})


def test_releasing_twice_at_once_gives_back_once(cluster: Any) -> None:
    """Of several releases of one placement, one counts."""
    cluster.add("web-1")
    first, second = (Place(job(name)).run(SYSTEM) for name in "ab")

    at_once(*(lambda: Release(first.pk).run(SYSTEM) for _ in range(4)))

    assert cluster.reserved("web-1") == 1.0
    assert second.pk == Placement.objects.get(state="held").pk


def test_places_and_releases_at_once_leave_the_ledger_true(cluster: Any) -> None:
    """Many of both over several hosts and resources: no deadlock, no drift, never above capacity."""
    for number in range(3):
        cluster.add(f"web-{number}", cpu=4.0)
    held = [Place(job(f"old{n}", cpu=0.5, memory=1e6, net_in=10.0)).run(SYSTEM) for n in range(8)]
    works = [lambda p=p: Release(p.pk).run(SYSTEM) for p in held]
    works += [
        lambda n=n: Place(job(f"new{n}", cpu=0.7, net_in=5.0, memory=2e6)).run(SYSTEM) for n in range(8)
    ]

    results = at_once(*works)

    assert [each for each in results if not isinstance(each, Placement)] == []
    assert ledger.drift() == {}
    assert all(reserved <= capacity for capacity, reserved in ledger.totals().values())


def test_a_picture_that_was_read_already_survives_the_mirror_of_a_release(cluster: Any) -> None:
    """A sweep between the commit and its mirror must not turn a release into an error."""
    cluster.add("web-1")
    placed = Place(job()).run(SYSTEM)
    picture.load()
    Placement.objects.filter(pk=placed.pk).update(state="released")
    from console.placements.models import Ledger

    Ledger.objects.filter(resource="cpu").update(reserved=0.0)
    picture.load()

    picture.reserve("web-1", placed.demand, sign=-1)

    assert picture.view()[0].reserved[0, 0] == 0.0
