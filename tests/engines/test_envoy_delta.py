"""The delta ADS state machine by itself: order, memory, refusals. Time is an argument."""

from __future__ import annotations

from typing import Any

from envoy.service.discovery.v3 import discovery_pb2

from console.engines.envoy.delta import PATIENCE_S, RETRY_S, Catalogue, DeltaSession
from console.engines.envoy.render import CLUSTER, ENDPOINTS, LISTENER, ROUTES, render
from console.engines.target import EndpointTarget, ServiceTarget, TrafficTarget

SHORT = {CLUSTER: "C", ENDPOINTS: "E", LISTENER: "L", ROUTES: "R"}


def _catalogue(*names: str, weight: int = 1, port: int = 80, epoch: int = 1) -> Catalogue:
    services = tuple(
        ServiceTarget(
            name,
            "http",
            "127.0.0.1",
            port + number,
            (EndpointTarget("h", "10.0.0.1", 80, weight), EndpointTarget("h", "10.0.0.2", 80)),
        )
        for number, name in enumerate(names)
    )
    return Catalogue.of(epoch, render(TrafficTarget(services, epoch)))


class Client:
    """The Envoy of a test: subscribes as Envoy does, answers when told to."""

    def __init__(self) -> None:
        self.session = DeltaSession()
        self.now = 100.0
        self.unanswered: list[discovery_pb2.DeltaDiscoveryResponse] = []

    def ask(self, type_url: str, *names: str, **more: Any) -> None:
        self.session.receive(
            discovery_pb2.DeltaDiscoveryRequest(type_url=type_url, resource_names_subscribe=names, **more),
            self.now,
        )

    def get(self, catalogue: Catalogue) -> list[str]:
        """What is sent now: "C+a,b-c" is a response of clusters a and b, and c removed."""
        new = list(self.session.respond(catalogue, self.now))
        self.unanswered += new
        return [_told(response) for response in new]

    def ack(self) -> None:
        """Acknowledge everything unanswered."""
        for response in self.unanswered:
            self.ask(response.type_url, response_nonce=response.nonce)
        self.unanswered.clear()

    def nack(self, text: str) -> None:
        """Refuse the oldest unanswered response."""
        response = self.unanswered.pop(0)
        request = discovery_pb2.DeltaDiscoveryRequest(
            type_url=response.type_url, response_nonce=response.nonce
        )
        request.error_detail.message = text
        self.session.receive(request, self.now)

    def settle(self, catalogue: Catalogue, *names: str) -> None:
        """Subscribe to everything and take it."""
        self.ask(CLUSTER)
        self.ask(ENDPOINTS, *names)
        self.ask(LISTENER)
        self.ask(ROUTES, *names)
        for _ in range(4):
            self.get(catalogue)
            self.ack()
        assert self.session.settled(catalogue)


def _told(response: discovery_pb2.DeltaDiscoveryResponse) -> str:
    added = ",".join(resource.name for resource in response.resources)
    removed = ",".join(response.removed_resources)
    return f"{SHORT[response.type_url]}+{added}-{removed}"


def test_listeners_wait_for_clusters_and_endpoints() -> None:
    """Make before break: a listener is sent when what it points at was taken."""
    client, wanted = Client(), _catalogue("a")
    for kind in (CLUSTER, LISTENER):
        client.ask(kind)
    client.ask(ENDPOINTS, "a")
    client.ask(ROUTES, "a")

    first = client.get(wanted)
    still = client.get(wanted)
    client.ack()
    then = client.get(wanted)

    assert first == ["C+a-", "E+a-"]
    assert still == []
    assert then == ["L+a-", "R+a-"]


def test_listeners_do_not_wait_for_ever() -> None:
    """Clusters that are never acknowledged hold listeners back for PATIENCE_S."""
    client, wanted = Client(), _catalogue("a")
    client.ask(CLUSTER)
    client.ask(LISTENER)
    client.get(wanted)
    wait = client.session.wait(client.now)
    client.now += PATIENCE_S

    assert wait == PATIENCE_S
    assert client.get(wanted) == ["L+a-"]


def test_a_cluster_goes_after_its_listener() -> None:
    """Removals come last, the cluster when the listener's removal was acknowledged."""
    client = Client()
    client.settle(_catalogue("a", "b"), "a", "b")
    less = _catalogue("a")

    first = client.get(less)
    client.ack()
    then = client.get(less)

    assert first == ["L+-b"]
    assert then == ["C+-b"]


def test_a_listener_takes_over_the_address_of_a_removed_one() -> None:
    """The new listener and the removal of the old one travel in one response."""
    client = Client()
    client.settle(_catalogue("old"), "old")
    new = _catalogue("new")

    client.get(new)
    client.ask(ENDPOINTS, "new")
    client.get(new)
    client.ack()

    assert client.get(new) == ["L+new-old"]


def test_only_what_changed_is_sent() -> None:
    """A weight of one service sends its endpoints; the same target again sends nothing."""
    client = Client()
    client.settle(_catalogue("a", "b"), "a", "b")

    assert client.get(_catalogue("a", "b", epoch=9)) == []
    assert client.get(_catalogue("a", "b", weight=2)) == ["E+a,b-"]


def test_a_changed_cluster_brings_its_endpoints_again() -> None:
    """Envoy's new cluster of an old name waits for endpoints, though they are the same."""
    client, wanted = Client(), _catalogue("a")
    client.settle(wanted, "a")
    other = Catalogue.of(2, wanted.resources)
    changed = Catalogue(2, other.resources, {**other.versions, CLUSTER: {"a": "changed"}})

    assert client.get(changed) == ["C+a-", "E+a-"]


def test_a_reconnected_client_is_sent_nothing_it_has() -> None:
    """Initial versions count as sent; what is gone meanwhile is removed, what changed is sent."""
    client, had = Client(), _catalogue("a", "b")
    for kind in (CLUSTER, ENDPOINTS, LISTENER, ROUTES):
        names = ("a", "b") if kind in (ENDPOINTS, ROUTES) else ()
        client.ask(kind, *names, initial_resource_versions=had.versions[kind])

    assert client.get(had) == []
    assert client.session.settled(had)
    now = _catalogue("a", weight=3)
    first = client.get(now)
    client.ack()
    assert first == ["E+a-"]
    assert client.get(now) == ["L+-b"]


def test_an_empty_target_answers_a_client_that_waits() -> None:
    """A starting Envoy with nothing to have is told so, once."""
    client, nothing = Client(), _catalogue()
    client.ask(CLUSTER)

    assert client.get(nothing) == ["C+-"]
    client.ack()
    assert client.get(nothing) == []


def test_one_bad_resource_does_not_taint_others() -> None:
    """A refused response is repeated one by one; only the bad one stays refused, with its text."""
    client, wanted = Client(), _catalogue("bad", "good")
    client.ask(CLUSTER)
    client.ask(LISTENER)
    client.get(wanted)
    client.ack()
    client.get(wanted)
    client.nack("bad: no")

    alone = client.get(wanted)
    client.nack("bad: no")
    client.ack()

    assert alone == ["L+bad-", "L+good-"]
    (rejection,) = client.session.rejections.values()
    assert (
        rejection.type_url,
        rejection.name,
        rejection.text,
        rejection.epoch,
    ) == (LISTENER, "bad", "bad: no", 1)
    assert {"good"} == set(client.session.acked[LISTENER])
    assert client.session.settled(wanted)
    assert client.get(wanted) == []


def test_a_refused_resource_is_offered_again_after_a_while() -> None:
    """Its cause may be gone by then; once taken, the rejection is forgotten."""
    client, wanted = Client(), _catalogue("a")
    client.ask(CLUSTER)
    client.ask(LISTENER)
    client.get(wanted)
    client.ack()
    client.get(wanted)
    client.nack("port in use")
    wait = client.session.wait(client.now)
    client.now += RETRY_S

    again = client.get(wanted)
    client.ack()

    assert wait == RETRY_S
    assert again == ["L+a-"]
    assert client.session.rejections == {}


def test_a_refused_resource_that_changed_is_sent_at_once() -> None:
    """A correction does not wait for the retry."""
    client, wanted = Client(), _catalogue("a")
    client.settle(wanted, "a")
    client.get(_catalogue("a", port=81))
    client.nack("no")

    assert client.get(_catalogue("a", port=81)) == []
    assert client.get(_catalogue("a", port=82)) == ["L+a-"]


def test_a_refused_resource_that_is_gone_is_removed() -> None:
    """The client may still run an older version of it."""
    client = Client()
    client.settle(_catalogue("a"), "a")
    client.get(_catalogue("a", port=81))
    client.nack("no")

    gone = client.get(_catalogue())
    client.ack()

    assert gone == ["L+-a"]
    assert client.session.rejections == {}


def test_asking_again_for_what_one_has_sends_it_again() -> None:
    """A new subscription to a known name is answered, as the protocol says."""
    client, wanted = Client(), _catalogue("a")
    client.settle(wanted, "a")
    client.ask(ENDPOINTS, "a")

    assert client.get(wanted) == ["E+a-"]


def test_unsubscribed_endpoints_are_not_sent() -> None:
    """What a client does not ask for any more stays here."""
    client = Client()
    client.settle(_catalogue("a"), "a")
    client.session.receive(
        discovery_pb2.DeltaDiscoveryRequest(type_url=ENDPOINTS, resource_names_unsubscribe=["a"]), 0.0
    )

    assert client.get(_catalogue("a", weight=2)) == []


def test_a_nonce_of_nobody_changes_nothing() -> None:
    """An answer to a response that was never sent is no acknowledgement."""
    client, wanted = Client(), _catalogue("a")
    client.ask(CLUSTER)
    client.get(wanted)
    client.ask(CLUSTER, response_nonce="77")

    assert client.session.acked[CLUSTER] == {}
