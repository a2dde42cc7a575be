"""Alerts from their first sign to the receiver: hysteresis, grouping, silences, channels, pages and API."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import numpy as np
import pytest
from django.utils import timezone

from console.actions import SYSTEM, Invalid
from console.alerts import notices
from console.alerts.actions.channels import PutChannel, TryChannel
from console.alerts.actions.handling import ChangeRule, SilenceAlerts
from console.alerts.book import MOST_OPEN, Book, Limits
from console.alerts.evaluator import Evaluator
from console.alerts.models import Alert, Channel, Delivery
from console.alerts.rules.disk import days_left
from console.alerts.rules.rule import Findings, Found
from console.alerts.tasks import relay_notices
from console.controller.lease import Candidate, Fenced
from console.events.models import Outbox
from console.fleet.models import Host
from console.live.picture import picture

LIMITS = Limits(threshold=0.9, clear_level=0.8, is_below=False, raise_after_s=10.0, clear_after_s=5.0)


def found(value: float) -> Findings:
    return Findings({"a": Found(value, "a is full.")})


class Receiver:
    """A real HTTP server that keeps what it is sent. statuses: its answers, then 200."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, dict[str, str], bytes]] = []
        self.statuses: list[int] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.taken.append((self.path, dict(self.headers), body))
                self.send_response(outer.statuses.pop(0) if outer.statuses else 200)
                self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: object) -> None:
                """Quiet."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join(5)


@pytest.fixture
def evaluator(cluster: Any) -> Evaluator:
    """Of the leader with epoch 1."""
    assert Candidate("a").campaign(0.0)
    return Evaluator(picture, 1)


def lose(*names: str) -> None:
    Host.objects.filter(name__in=names).update(lost_since=timezone.now())
    picture.load()


def test_it_fires_only_after_it_held_and_ends_only_after_it_was_gone() -> None:
    """Each direction waits; a value between the levels changes nothing in either."""
    book = Book()

    assert book.step(found(0.95), LIMITS, 0.0).appeared.keys() == {"a"}
    assert not book.step(found(0.95), LIMITS, 9.0)
    assert book.step(found(0.95), LIMITS, 10.0).fired.keys() == {"a"}
    assert not book.step(Findings(), LIMITS, 20.0)
    assert not book.step(found(0.85), LIMITS, 24.0)
    assert not book.step(Findings(), LIMITS, 28.0)
    assert book.step(Findings(), LIMITS, 33.0).resolved.keys() == {"a"}
    assert not book.step(found(0.85), LIMITS, 34.0)


def test_what_did_not_hold_is_withdrawn_and_unknown_is_not_well() -> None:
    """A peak is forgotten; a silent host's alert stays as it is."""
    book = Book()
    book.step(found(0.95), LIMITS, 0.0)
    assert book.step(found(0.5), LIMITS, 5.0).withdrawn == ["a"]
    book.step(found(0.95), LIMITS, 10.0)
    book.step(found(0.95), LIMITS, 20.0)
    for now in (30.0, 60.0):
        assert not book.step(Findings(unknown={"a"}), LIMITS, now)
        assert not book.step(Findings(blind=True), LIMITS, now)
    assert book.entries["a"].fired_at == 20.0


def test_a_book_is_bounded() -> None:
    """Of more than it keeps it knows the number."""
    book = Book()
    many = {str(n): Found(1.0, "x") for n in range(MOST_OPEN + 7)}
    book.step(Findings(many), LIMITS, 0.0)

    assert (len(book.entries), book.more) == (MOST_OPEN, 7)


def test_days_left_by_the_line_through_the_samples() -> None:
    """A steady rise, a flat disk, an empty column, and noise."""
    times = np.arange(10) * 360.0
    rng = np.random.default_rng(1)
    rows = np.stack(
        [0.8 + times / 86_400 * 0.1, np.full(10, 0.8), np.full(10, np.nan), 0.8 + rng.normal(0, 0.01, 10)]
    ).astype(np.float32)
    days = days_left(times, rows)

    assert days[0] == pytest.approx((1 - 0.80375) / 0.1, rel=0.01)
    assert list(days[1:]) == [np.inf, np.inf, np.inf]


def test_a_racks_death_is_one_notice(cluster: Any, evaluator: Evaluator, receiver: Receiver) -> None:
    """Five hosts of a rack are lost at once: five alerts, one signed delivery; and one when they are back."""
    names = [f"web-{n}" for n in range(5)]
    for name in names:
        cluster.add(name, {"rack": "a1"})
    PutChannel("hook", "webhook", f"{receiver.url}/in", "s3cret").run(SYSTEM)
    lose(*names)
    now, at = time.monotonic(), timezone.now()

    assert not evaluator.step(now, at, None)
    assert evaluator.step(now + 11, at + timedelta(seconds=11), None)
    Delivery.objects.update(next_try_at=at)
    assert relay_notices() == 1
    path, headers, body = receiver.taken[0]
    notice = json.loads(body)
    assert (path, notice["group"], notice["count"]) == ("/in", "rack=a1", 5)
    assert notice["title"] == "rack=a1: Host lost (5)"
    stamp, mac = (part.split("=")[1] for part in headers["Steelyard-Signature"].split(","))
    assert mac == hmac.new(b"s3cret", stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    assert relay_notices() == 0
    Host.objects.update(lost_since=None)
    picture.load()
    for later in (12, 23, 85):
        for name in names:
            assert picture.report(name, {"cpu": 0.0}, now + later)
        evaluator.step(now + later, at + timedelta(seconds=later), None)
    resolved = Alert.objects.filter(rule="host-lost", state="resolved", told="resolved")
    assert resolved.count() == 5
    assert Delivery.objects.filter(notice__state="resolved").count() == 1


def test_a_new_leader_goes_on_where_the_old_one_was(cluster: Any, evaluator: Evaluator) -> None:
    """The open alert is read, not raised again; the deposed one writes nothing."""
    cluster.add("web-1")
    lose("web-1")
    now, at = time.monotonic(), timezone.now()
    evaluator.step(now, at, None)
    fired = Alert.objects.get()
    Evaluator(picture, 1).step(now + 5, at + timedelta(seconds=5), None)

    assert Alert.objects.get().pk == fired.pk
    with pytest.raises(Fenced):
        Evaluator(picture, 7).step(now, at, None)


def test_thresholds_can_be_changed_and_rules_switched_off(cluster: Any, evaluator: Evaluator) -> None:
    """A lower threshold raises at once what the built one would not; off ends it."""
    cluster.add("web-1", used={"cpu": 5.0})
    ChangeRule("cpu-near-capacity", threshold=0.5, raise_after_s=0.0).run(SYSTEM)
    now, at = time.monotonic(), timezone.now()
    evaluator.step(now, at, None)
    alert = Alert.objects.get(rule="cpu-near-capacity")
    assert (alert.state, alert.value) == ("firing", 0.625)
    ChangeRule("cpu-near-capacity", is_on=False).run(SYSTEM)
    evaluator.step(now + 1, at, None)

    assert Alert.objects.get(pk=alert.pk).state == "resolved"


def test_a_silence_keeps_it_from_people_until_it_ends(cluster: Any, evaluator: Evaluator) -> None:
    """What matches is raised and not told."""
    cluster.add("web-1", {"rack": "a1"})
    PutChannel("hook", "webhook", "http://127.0.0.1:9/").run(SYSTEM)
    at = timezone.now()
    SilenceAlerts(at + timedelta(hours=1), "moving the rack", domain="rack=a*").run(SYSTEM)
    lose("web-1")
    evaluator.step(time.monotonic(), at, None)
    notices.owe_notices(at + timedelta(minutes=30))
    assert not Delivery.objects.exists()
    notices.owe_notices(at + timedelta(hours=2))

    assert Delivery.objects.count() == 1


def test_a_receiver_that_fails_is_tried_again(cluster: Any, receiver: Receiver) -> None:
    """The failure is kept with its reason, the next try waits; a redirect is not followed."""
    PutChannel("hook", "webhook", receiver.url).run(SYSTEM)
    receiver.statuses = [302]
    made = TryChannel("hook").run(SYSTEM)
    assert relay_notices() == 0
    made.refresh_from_db()
    assert (made.state, made.tries, made.error) == ("owed", 1, "127.0.0.1 answered 302")
    assert made.next_try_at > timezone.now()
    Delivery.objects.update(next_try_at=timezone.now())
    assert relay_notices() == 1
    assert [path for path, _, _ in receiver.taken] == ["/", "/"]


def test_alertmanager_gets_its_own_form(cluster: Any, evaluator: Evaluator, receiver: Receiver) -> None:
    """API v2: labels, annotations, times and the token."""
    PutChannel("am", "alertmanager", receiver.url, "t0ken").run(SYSTEM)
    cluster.add("web-1", {"rack": "a1"})
    lose("web-1")
    at = timezone.now()
    evaluator.step(time.monotonic(), at - timedelta(seconds=30), None)
    notices.owe_notices(at)
    Delivery.objects.update(next_try_at=at)
    assert relay_notices() == 1
    path, headers, body = receiver.taken[0]
    (alert,) = json.loads(body)

    assert (path, headers["Authorization"]) == ("/api/v2/alerts", "Bearer t0ken")
    assert (alert["labels"]["alertname"], alert["labels"]["subject"]) == ("host-lost", "web-1")
    assert alert["endsAt"] > alert["startsAt"]


def test_alertmanager_is_told_of_all_and_again_before_it_forgets(cluster: Any, receiver: Receiver) -> None:
    """120 alerts of a rack are three requests; an hour later they are said again, with ends that lie ahead; what is
    over by the time that a late notice is sent is said to be over."""
    PutChannel("am", "alertmanager", receiver.url).run(SYSTEM)
    at = timezone.now()
    for number in range(120):
        Alert.objects.create(
            rule="host-lost", severity="critical", subject_kind="host", subject=f"web-{number}", domain="rack=a1",
            state="firing", value=1.0, sentence="Gone.", since=at, fired_at=at,
        )  # fmt: skip

    def tell(minutes: float) -> list[dict[str, Any]]:
        receiver.taken.clear()
        notices.owe_notices(at + timedelta(minutes=minutes))
        Delivery.objects.update(next_try_at=at)
        relay_notices()
        return [alert for _, _, body in receiver.taken for alert in json.loads(body)]

    first = tell(1)
    assert len(receiver.taken) == 3 and len({each["labels"]["subject"] for each in first}) == 120
    assert tell(30) == []
    again = tell(62)
    Alert.objects.filter(subject="web-0").update(state="resolved", resolved_at=at)
    Delivery.objects.filter(notice__group="again").update(state="owed", tries=0)
    Outbox.objects.update(sent_at=None)
    late = {each["labels"]["subject"]: each["endsAt"] for each in tell(62)}

    assert [each["labels"] for each in again] == [each["labels"] for each in first]
    assert all(each["endsAt"] > (timezone.now() + timedelta(hours=3)).isoformat() for each in again)
    assert late["web-0"] == at.isoformat() and late["web-1"] > at.isoformat()


@pytest.mark.parametrize(
    ("kind", "address"),
    [("webhook", "file:///etc/passwd"), ("webhook", "http://u:p@x/"), ("apprise", "file:///tmp/x"),
     ("apprise", "nonsense"), ("alertmanager", "http://x:99999/"), ("pigeon", "http://x/")],
)  # fmt: skip
def test_addresses_that_cannot_be_are_refused(kind: str, address: str, database: None) -> None:
    """With the field at fault; nothing is kept."""
    with pytest.raises(Invalid):
        PutChannel("c", kind, address).run(SYSTEM)
    assert not Channel.objects.exists()


def test_an_address_is_sealed_and_never_said(api: Any) -> None:
    """Neither the list, nor the events, nor the row say it."""
    body = {"name": "c", "kind": "apprise", "address": "json://user:hunter2@127.0.0.1:9/"}
    assert api.admin.post("/api/v1/channels/", body).status_code == 201
    said = api.admin.get("/api/v1/channels/").content + api.admin.get("/api/v1/events/").content

    assert b"hunter2" not in said + Channel.objects.get().sealed.encode()
    assert api.operator.get("/api/v1/channels/").json()[0]["place"] == "json://…"
    assert api.viewer.get("/api/v1/channels/").status_code == 403
    assert api.operator.post("/api/v1/channels/", body).status_code == 403
