"""How long the room lasts: of hosts, failure domains and pools, as it is and as it would be."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from control_rig import GIB
from django.utils import timezone

from console.actions import SYSTEM, Invalid
from console.fleet.models import Host
from console.storage.actions.pools import PutPool
from console.storage.actions.shards import CreateShard
from console.storage.capacity import Newcomer, Standing, capacity
from console.storage.filling import EVERY_S, MOST_SAMPLES, growth_a_day, sample_disks
from console.storage.models import DiskSeen, Shard


@pytest.fixture
def zones(cluster: Any) -> Any:
    """Zones of 200, 200 and 100 GiB; a pool of three copies in zones, of which 10 GiB grow by 1 GiB a day."""
    for name in ("a1", "a2", "b1", "b2", "c1"):
        cluster.add(name, labels={"zone": name[0]}, disk=100 * GIB)
    PutPool("p", parity=2, spread_level="zone", low=1.0, high=1.0).run(SYSTEM)
    CreateShard("s", int(10 * GIB), "a1", "tree", pool="p", growth_bytes_day=GIB).run(SYSTEM)
    return cluster


def standing(found: list[Standing], kind: str, name: str) -> Standing:
    return next(each for each in found if (each.kind, each.name) == (kind, name))


def test_days_of_pools_domains_and_hosts(zones: Any) -> None:
    """The pool is full when its smallest zone is; a zone without growth is not full in ten years."""
    found = capacity()

    pool = standing(found, "pool", "p")
    assert (pool.capacity, pool.held, pool.growth_bytes_day) == (300 * GIB, 30 * GIB, 3 * GIB)
    assert pool.days == pytest.approx(90.0)
    assert "40 % of the room can't be used" in pool.why
    assert standing(found, "zone", "c").days == pytest.approx(90.0)
    assert standing(found, "zone", "a").days == pytest.approx(190.0)
    hosts = {each.name: each.days for each in found if each.kind == "host"}
    assert sorted(days is None for days in hosts.values()) == [False, False, False, True, True]
    assert hosts["c1"] == pytest.approx(90.0)


def test_fewer_more_and_other_hosts(zones: Any) -> None:
    """Without a zone three copies have no place; a larger one there makes the room of the others of use."""
    fewer = standing(capacity(without=["c1"]), "pool", "p")
    assert (fewer.capacity, fewer.days, fewer.held) == (0.0, 0.0, 30 * GIB)
    assert "3 pieces need as many domains (zone); there are 2." in fewer.why

    more = capacity(add=[Newcomer("c2", 100 * GIB, {"zone": "c"})])
    assert standing(more, "pool", "p").days == pytest.approx(190.0)
    assert standing(more, "host", "c2").days is None
    other = standing(capacity(["c1"], [Newcomer("c2", 400 * GIB, {"zone": "c"})]), "pool", "p")
    assert other.capacity == 600 * GIB
    with pytest.raises(Invalid):
        capacity(without=["nobody"])
    with pytest.raises(Invalid):
        capacity(add=[Newcomer("a1", GIB, {})])
    with pytest.raises(Invalid):
        capacity(add=[Newcomer("d1", float("nan"), {})])


def test_what_is_measured_counts_where_it_is_more(zones: Any) -> None:
    """Others' data fills the disk too: a sample an hour, and the line through them."""
    now = timezone.now()
    for hour in range(5):
        zones.report("c1", disk=50 * GIB + hour * GIB)
        assert sample_disks(now + timedelta(seconds=hour * EVERY_S)) == 1
        assert sample_disks(now + timedelta(seconds=hour * EVERY_S + 60)) == 0

    found = capacity()

    host = standing(found, "host", "c1")
    assert (host.held, host.growth_bytes_day) == (54 * GIB, pytest.approx(24 * GIB))
    assert host.days == pytest.approx(46 / 24)
    assert standing(found, "pool", "p").days == pytest.approx((3 * 56 - 30) / 26, rel=0.01)
    assert len(DiskSeen.objects.get(host__name="c1").samples) == 5
    Host.objects.filter(name="c1").update(lost_since=now)
    assert not [each for each in capacity() if each.name == "c1"]


def test_samples_are_bounded_and_few_are_no_line(zones: Any) -> None:
    """Four days of hours."""
    host = Host.objects.get(name="a1")
    DiskSeen.objects.create(host=host, samples=[[float(each), 1.0] for each in range(MOST_SAMPLES)])
    zones.report("a1", disk=2.0)
    sample_disks(timezone.now())

    assert len(DiskSeen.objects.get(host=host).samples) == MOST_SAMPLES
    assert growth_a_day([[0.0, 1.0], [1.0, 2.0]]) is None
    assert growth_a_day([[0.0, 9.0], [3600.0, 8.0], [7200.0, 7.0]]) == pytest.approx(-24.0)


def test_what_is_full_is_full_today(zones: Any) -> None:
    """Nothing is left: no days, whatever it grows by."""
    Shard.objects.update(growth_bytes_day=0.0)
    zones.report("a1", disk=100 * GIB)

    assert standing(capacity(), "host", "a1").days == 0.0
    assert standing(capacity(), "pool", "p").days is None


def test_capacity_over_rest(zones: Any, api: Any) -> None:
    """For whoever may look; what-if names its fields."""
    url = "/api/v1/storage-capacity/"
    assert api.viewer.get(url).json()[0]["kind"] == "pool"
    asked = {"without": ["c1"], "add": [{"name": "d", "disk": 1e12, "labels": {"zone": "d"}, "count": 2}]}
    names = [each["name"] for each in api.viewer.post(url, asked).json()]
    assert {"d-1", "d-2"} <= set(names)
    assert "c1" not in names
    wrong = api.viewer.post(url, {"without": ["nobody"]})
    assert (400, "without") == (wrong.status_code, wrong.json()["errors"][0]["field"])
    assert api.viewer.post(url, {"with": []}).status_code == 400
