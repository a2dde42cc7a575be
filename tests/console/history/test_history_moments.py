"""A moment of the past for the live pages: the snapshot in the live feed's bytes, its hosts, what lay around it."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from balancer_core.load import Load
from console.actions import SYSTEM
from console.events.models import Event
from console.fleet.actions.lifecycle import Cordon
from console.history.models import Roster
from console.history.record import keep, observe
from console.live.frames import HEADER, MAGIC, SNAPSHOT, columns_of, encode_snapshot
from console.live.picture import picture
from console.placements.actions.commit import FitsNowhere
from console.placements.actions.place import Place
from console.placements.models import Decision

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
API = "/api/v1/history"


def stamped(seconds: float) -> str:
    return (NOON + timedelta(seconds=seconds)).isoformat()


def kept(cluster: Any, *names: str) -> bytes:
    """Noon is kept of these hosts; what the live feed sent then, behind its header."""
    for name in names:
        cluster.add(name)
        picture.report(name, {"cpu": 2.0}, time.monotonic())
    now = time.monotonic()
    keep(observe(picture, now, NOON))
    return encode_snapshot(columns_of(picture, now), 0, now)[HEADER.size :]


def test_a_moment_is_the_live_feeds_snapshot(cluster: Any, api: Any) -> None:
    """Byte for byte what browsers were sent, under a header that names the roster of its rows."""
    live = kept(cluster, "web-1", "web-2")
    answer = api.viewer.get(f"{API}/frame/", {"t": stamped(7)})
    magic, kind, _, _, roster, hosts = HEADER.unpack(answer.content[: HEADER.size])
    named = api.viewer.get(f"{API}/rosters/{roster}/").json()

    assert (magic, kind, hosts, answer.content[HEADER.size :]) == (MAGIC, SNAPSHOT, 2, live)
    assert (answer["Steelyard-At"], answer["Steelyard-Tier"]) == (NOON.isoformat(), "fine")
    assert (named["version"], [host["name"] for host in named["hosts"]]) == (roster, ["web-1", "web-2"])


def test_a_roster_outlives_the_hosts_that_left(cluster: Any, api: Any) -> None:
    """The past shows who was there then, not who is there now."""
    kept(cluster, "web-1")
    cluster.add("a-new")
    keep(observe(picture, time.monotonic(), NOON + timedelta(seconds=10)))
    then, now = (
        HEADER.unpack(api.viewer.get(f"{API}/frame/", {"t": stamped(each)}).content[: HEADER.size])[4]
        for each in (0, 10)
    )

    assert [len(Roster.objects.get(pk=each).hosts) for each in (then, now)] == [1, 2]


@pytest.mark.parametrize(
    "path", ["rosters/999999/", f"rosters/{2**70}/", f"frame/?t={NOON.year}-01-01T00:00Z"]
)
def test_what_is_not_kept_is_not_there(path: str, cluster: Any, api: Any) -> None:
    """Neither a roster of any number nor a moment before all that is kept."""
    kept(cluster, "web-1")

    assert api.viewer.get(f"{API}/{path}").status_code == 404


@pytest.mark.parametrize("path", ["frame/", "around/", "at/"])
@pytest.mark.parametrize("t", ["", "now", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "\x00", "<script>"])
def test_what_is_no_moment_is_refused(path: str, t: str, cluster: Any, api: Any) -> None:
    """With the field, whatever it was; a time at the end of all time is none to add to either."""
    answer = api.viewer.get(f"{API}/{path}", {"t": t})

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "t")


@pytest.mark.parametrize("key", ["begin", "end"])
def test_a_stretch_at_the_end_of_time_is_refused(key: str, cluster: Any, api: Any) -> None:
    """As a mistake of who asks, not of ours."""
    answers = [api.viewer.get(f"{API}/cluster/", {key: f"{year}-01-01T00:00Z"}) for year in ("0001", "9999")]

    assert [(each.status_code, each.json()["errors"][0]["field"]) for each in answers] == [(400, key)] * 2


def test_what_was_done_and_decided_around_a_moment(cluster: Any, api: Any) -> None:
    """Both sides of it within so many seconds, in the order of time, refusals too, with their pages."""
    cluster.add("web-1")
    Cordon("web-1", "<b>disk</b> & fan").run(SYSTEM)
    with pytest.raises(FitsNowhere):
        Place(Load("job", "big", {"cpu": 500.0})).run(SYSTEM)
    Event.objects.filter(action="host.cordon").update(at=NOON - timedelta(seconds=20))
    Event.objects.exclude(action="host.cordon").update(at=NOON + timedelta(seconds=90))
    Decision.objects.update(at=NOON + timedelta(seconds=30))
    near = api.viewer.get(f"{API}/around/", {"t": stamped(0)}).json()
    wider = api.viewer.get(f"{API}/around/", {"t": stamped(0), "within_s": "90"}).json()

    (event,) = near["events"]
    assert event["text"].startswith("host.cordon web-1 by ")
    assert event["text"].endswith(": <b>disk</b> & fan")
    assert event["link"] == "/hosts/web-1/"
    (decision,) = near["decisions"]
    assert decision["kind"] == "refused"
    assert decision["link"] == f"/decisions/{Decision.objects.get().pk}/"
    assert wider["events"][0] == event
    assert len(wider["events"]) > 1


def test_of_much_the_nearest_is_told(cluster: Any, api: Any) -> None:
    """Forty lines at most, those nearest the moment, and that there are more."""
    for seconds in range(-30, 31):
        made = Event.objects.create(actor="a", action="x", subject_kind="k", subject=str(seconds))
        Event.objects.filter(pk=made.pk).update(at=NOON + timedelta(seconds=seconds))
    found = api.viewer.get(f"{API}/around/", {"t": stamped(0)}).json()
    told = [int(event["text"].split()[1]) for event in found["events"]]

    assert (len(told), found["events_more"], found["decisions_more"]) == (40, True, False)
    assert told == sorted(told)
    assert set(range(-19, 20)) <= set(told)


@pytest.mark.parametrize("within", ["0", "-1", "86401", "many"])
def test_a_width_that_is_none_is_refused(within: str, cluster: Any, api: Any) -> None:
    """Nobody reads all events of all time by one call."""
    answer = api.viewer.get(f"{API}/around/", {"t": stamped(0), "within_s": within})

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "within_s")
