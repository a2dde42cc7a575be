"""Reading what the database wants: only what differs is looked at, and what was mirrored is read again."""

from __future__ import annotations

from typing import Any

import pytest

from console.fleet.models import Host
from console.live.intent import Intent
from console.live.picture import picture
from console.placements.models import Ledger


def reserved(host: str) -> float:
    snapshot = picture.view()[0]
    return float(snapshot.reserved[snapshot.rows[host], snapshot.dimensions.index("cpu")])


@pytest.fixture
def three(cluster: Any) -> None:
    for name in ("a", "b", "c"):
        cluster.add(name)
    picture.load()


def test_nothing_differs_from_itself(three: None) -> None:
    """Two looks at the same database are the same, and no host is looked at further."""
    assert Intent.read().since(Intent.read()) == set()


@pytest.mark.parametrize(
    "change",
    [
        lambda: Host.objects.filter(name="b").update(state="draining"),
        lambda: Host.objects.filter(name="b").update(labels={"zone": "é"}),
        lambda: Ledger.objects.filter(host__name="b", resource="cpu").update(reserved=1.5),
        lambda: Ledger.objects.filter(host__name="b", resource="cpu").delete(),
        lambda: Host.objects.filter(name="b").delete(),
    ],
)
def test_only_the_host_that_changed_is_looked_at(change: Any, three: None) -> None:
    """Its own row or a line of its ledger, changed, come or gone."""
    before, pk = Intent.read(), Host.objects.get(name="b").pk
    change()

    assert Intent.read().since(before) == {pk}


def test_what_changed_is_in_the_picture(three: None) -> None:
    """State, labels and promises of one host; the others stay as they are."""
    Ledger.objects.filter(host__name="b", resource="cpu").update(reserved=2.5)
    Host.objects.filter(name="b").update(labels={"zone": "x"})
    picture.load()

    assert (reserved("a"), reserved("b")) == (0.0, 2.5)
    assert picture.labels()["b"] == {"zone": "x"}


def test_a_change_that_was_counted_twice_is_set_right(three: None) -> None:
    """A load that read a commit before its mirror: the next load brings the ledger's figure, though no row differs."""
    Ledger.objects.filter(host__name="a", resource="cpu").update(reserved=1.0)
    picture.load()
    picture.reserve("a", {"cpu": 1.0})
    twice = reserved("a")
    picture.load()

    assert (twice, reserved("a")) == (2.0, 1.0)


def test_a_host_that_left_is_gone_and_may_come_back(three: None, cluster: Any) -> None:
    """Under the same name, with what the database says of it then."""
    Host.objects.filter(name="c").delete()
    picture.load()
    gone = picture.names()
    cluster.add("c", {"zone": "new"})
    picture.load()

    assert gone == ["a", "b"]
    assert picture.labels()["c"] == {"zone": "new"}
