"""The order of the list of hosts: by name from the database, by all else from what browsers are sent."""

from __future__ import annotations

import time
from typing import Any

import pytest

from console.fleet.listing import COLUMNS, HOSTS
from console.fleet.models import Host
from console.live.picture import SILENT_AFTER_S, picture


@pytest.fixture
def four(cluster: Any) -> None:
    """c uses most, a is silent, b and d are alike; d is cordoned."""
    for name, cpu in (("a", 7.0), ("b", 2.0), ("c", 6.0), ("d", 2.0)):
        cluster.add(name, {"zone": "z" if name == "b" else "y"}, used={"cpu": cpu})
    Host.objects.filter(name="d").update(state="cordoned")
    Host.objects.filter(name="a").update(address="10.0.0.9")
    Host.objects.filter(name="b").update(address="10.0.0.10")
    picture.load()
    with picture._lock:
        picture.cluster.report("a", {"cpu": 7.0}, time.monotonic() - SILENT_AFTER_S - 1)


def names(sort: str, **query: str) -> list[str]:
    return [host.name for host in HOSTS.narrowed({**query, "sort": sort})]


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("", "abcd"),
        ("nothing", "abcd"),
        ("-name", "dcba"),
        ("cpu", "bdca"),
        ("-cpu", "cbda"),
        ("-worst", "cbda"),
        ("-load", "cbda"),
        ("state", "bcda"),
        ("-state", "adbc"),
        ("-age", "abcd"),
        ("labels", "acdb"),
    ],
)
def test_hosts_are_ordered(sort: str, expected: str, four: None) -> None:
    """Ties by name from either end; a silent host's use is unknown and last from either end."""
    assert list(expected) == names(sort)


def test_addresses_are_ordered_as_numbers(four: None) -> None:
    """10.0.0.9 comes before 10.0.0.10."""
    assert names("address", q="10.0.0") == ["a", "b"]
    assert names("-address", q="10.0.0") == ["b", "a"]


@pytest.mark.parametrize("key", [column.key for column in COLUMNS])
def test_every_column_can_be_ordered_by(key: str, four: None) -> None:
    """Each host once, whichever it is; filters hold."""
    assert sorted(names(key)) == sorted(names(f"-{key}")) == ["a", "b", "c", "d"]
    assert names(key, label="zone=z") == ["b"]


def test_the_page_is_a_part_of_the_order(four: None) -> None:
    """Slices read their own hosts only, in order; a host that left meanwhile is left out."""
    found = HOSTS.narrowed({"sort": "-cpu"})
    Host.objects.filter(name="b").delete()

    assert [host.name for host in found[1:4]] == ["d", "a"]
