"""Following what the database wants: only what changed is read, and what was mirrored is read again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from console.fleet.actions.join import write_capacity
from console.fleet.models import Host
from console.live import intent as following
from console.live.intent import Intent, Look
from console.live.picture import picture
from console.placements import ledger
from console.placements.models import Ledger


def reserved(host: str) -> float:
    snapshot = picture.view()[0]
    return float(snapshot.reserved[snapshot.rows[host], snapshot.dimensions.index("cpu")])


@pytest.fixture
def three(cluster: Any) -> None:
    for name in ("a", "b", "c"):
        cluster.add(name)
    picture.load()


def found(look: Look) -> list[str]:
    return [host.name for host in look.hosts]


@pytest.fixture
def intent(three: None, monkeypatch: pytest.MonkeyPatch) -> Intent:
    """One that has read the three hosts, which changed long ago, and is at the end of its turn."""
    monkeypatch.setattr(following, "IN_TURN", 1)
    Host.objects.update(changed_at=timezone.now() - timedelta(hours=1))
    made = Intent()
    for _ in range(4):
        made.look()
    return made


def b() -> Host:
    return Host.objects.get(name="b")


def test_the_first_look_reads_all(three: None) -> None:
    """Every host, with all lines of its ledger."""
    look = Intent().look()

    assert found(look) == ["a", "b", "c"]
    lines = {host.name: look.lines[host.pk] for host in look.hosts}
    assert lines["a"] == {
        resource: (capacity, held)
        for resource, capacity, held in Ledger.objects.filter(host__name="a").values_list(
            "resource", "capacity", "reserved"
        )
    }


def test_nothing_is_read_where_nothing_changed(intent: Intent) -> None:
    """And by as many questions at a thousand hosts as at three."""
    with CaptureQueriesContext(connection) as asked:
        look = intent.look()

    assert (found(look), look.lines, look.names) == ([], {}, {"a", "b", "c"})
    assert len(asked) == 3


@pytest.mark.parametrize(
    "change",
    [
        lambda: Host.objects.filter(name="b").update(state="draining"),
        lambda: b().save(update_fields=["labels"]),
        lambda: b().save(),
        lambda: ledger.reserve(b().pk, {"cpu": 1.0}),
        lambda: ledger.release({b().pk: {"cpu": 1.0}}),
        lambda: write_capacity(b(), {"cpu": 3.0}),
        lambda: write_capacity(b(), {}),
    ],
)
def test_only_the_host_that_changed_is_read(change: Callable[[], Any], intent: Intent) -> None:
    """Its own row or its ledger, whichever way it was changed."""
    change()

    look = intent.look()
    assert found(look) == ["b"]
    assert look.lines[b().pk] == {
        resource: (capacity, held)
        for resource, capacity, held in Ledger.objects.filter(host=b()).values_list(
            "resource", "capacity", "reserved"
        )
    }


def test_hosts_that_come_and_go_are_noticed(intent: Intent, cluster: Any) -> None:
    """In one look, also where there are as many as before."""
    Host.objects.filter(name="b").delete()
    cluster.add("d")

    look = intent.look()
    assert (found(look), look.names) == (["d"], {"a", "c", "d"})


def test_a_change_that_is_seen_late_is_read(intent: Intent, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its transaction went on while others looked: its moment is older than the last look."""
    monkeypatch.setattr(following, "OVERLAP_S", 60.0)
    Host.objects.filter(name="b").update(changed_at=timezone.now() - timedelta(seconds=30))

    assert found(intent.look()) == ["b"]


def test_what_was_changed_by_hand_is_found_in_turn(intent: Intent) -> None:
    """No moment tells of it; one host a look, round and round."""
    assert [found(intent.look()) for _ in range(5)] == [[], ["a"], ["b"], ["c"], []]


def test_what_is_asked_for_again_is_read(intent: Intent, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though it did not change; in parts where they are many; names that are not known are none."""
    monkeypatch.setattr(following, "TOGETHER", 1)

    look = intent.look(again={"c", "a", "nobody"})
    assert found(look) == ["a", "c"]
    assert all(look.lines[host.pk] for host in look.hosts)


def test_a_look_that_fails_is_made_up_for(intent: Intent, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one reads what it should have read."""
    Host.objects.filter(name="b").update(state="draining")
    with monkeypatch.context() as broken, pytest.raises(ConnectionError):
        broken.setattr(following, "_lines", _fail)
        intent.look()

    assert found(intent.look()) == ["b"]


def _fail(*_: Any) -> Any:
    raise ConnectionError


def test_changes_are_found_by_an_index(database: None) -> None:
    """However many there are. PostgreSQL reads so short a table from its beginning, unless it may not."""
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL enable_seqscan = off")
        plan = Host.objects.filter(changed_at__gt=timezone.now()).order_by().explain()

    assert "fleet_host_changed_at" in plan


def test_what_changed_is_in_the_picture(three: None) -> None:
    """State, labels and promises of one host; the others stay as they are."""
    ledger.reserve(b().pk, {"cpu": 2.5})
    Host.objects.filter(name="b").update(labels={"zone": "x"})
    picture.load()

    assert (reserved("a"), reserved("b")) == (0.0, 2.5)
    assert picture.labels()["b"] == {"zone": "x"}


def test_a_change_that_was_counted_twice_is_set_right(three: None) -> None:
    """A load that read a commit before its mirror: the next load brings the ledger's figure, though no row differs."""
    ledger.reserve(Host.objects.get(name="a").pk, {"cpu": 1.0})
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
