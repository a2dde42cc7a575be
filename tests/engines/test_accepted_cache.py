"""What a relay keeps on disk, and what it stands between: without processes."""

from __future__ import annotations

from pathlib import Path

import pytest
from envoy.service.discovery.v3 import discovery_pb2
from hypothesis import given
from hypothesis import strategies as st

from console.engines.envoy import cache
from console.engines.envoy.accepted import Accepted
from console.engines.envoy.catalogue import Catalogue
from console.engines.envoy.delta import STAGES, Answer, DeltaSession
from console.engines.envoy.render import CLUSTER, LISTENER, render
from console.engines.target import EndpointTarget, ServiceTarget, TrafficTarget

WEB = ServiceTarget("web", "http", "127.0.0.1", 80, (EndpointTarget("h", "10.0.0.1", 80),))
WHOLE = Catalogue.of(7, render(TrafficTarget((WEB,), 7)))
FILE = cache.encode("n1", WHOLE)
TYPES = [type_url for stage in STAGES for type_url in stage]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """Every resource, its version and the epoch; for its owner alone; no file is no configuration."""
    path = tmp_path / "accepted"
    assert cache.read(path, "n1") is None

    cache.write(path, FILE)
    found = cache.read(path, "n1")

    assert found is not None
    assert (found.epoch, found.versions) == (7, WHOLE.versions)
    assert {k: dict(v) for k, v in found.resources.items()} == WHOLE.resources
    assert path.stat().st_mode & 0o777 == 0o600


@given(st.integers(0, len(FILE) - 1), st.integers(1, 255))
def test_one_altered_byte_is_refused(place: int, change: int) -> None:
    """Wherever it is."""
    harmed = bytearray(FILE)
    harmed[place] ^= change

    with pytest.raises(cache.CacheRefused):
        cache.decode("n1", bytes(harmed))


@given(st.integers(0, len(FILE) - 1))
def test_a_file_that_was_cut_is_refused(length: int) -> None:
    """Half-written, or empty."""
    with pytest.raises(cache.CacheRefused):
        cache.decode("n1", FILE[:length])


def test_another_nodes_file_is_refused() -> None:
    """A copied data directory does not make one node serve another's services."""
    with pytest.raises(cache.CacheRefused, match="of n1, not of n2"):
        cache.decode("n2", FILE)


class Between:
    """A relay's middle with both ends played by the test. Envoy subscribes to everything by name or wildcard."""

    def __init__(self, kept: Catalogue | None = None) -> None:
        self.accepted = Accepted(kept)
        self.session = DeltaSession()
        for type_url in TYPES:
            self.ask(type_url)
        self._nonce = 0

    def ask(self, type_url: str, **more: object) -> Answer | None:
        request = discovery_pb2.DeltaDiscoveryRequest(
            type_url=type_url, resource_names_subscribe=["*"] if not more else [], **more
        )
        return self.session.receive(request, 0.0)

    def above(self, type_url: str, **removed: list[str]) -> str:
        """The control plane sends all it has of one type, or removes some."""
        self._nonce += 1
        added = [] if removed else WHOLE.resources[type_url].items()
        self.accepted.receive(
            discovery_pb2.DeltaDiscoveryResponse(
                type_url=type_url,
                nonce=str(self._nonce),
                system_version_info="7",
                resources=[
                    discovery_pb2.Resource(
                        name=name, version=WHOLE.versions[type_url][name], resource=resource
                    )
                    for name, resource in added
                ],
                removed_resources=removed.get("removed", []),
            )
        )
        return str(self._nonce)

    def envoy(self, refuses: str = "") -> None:
        """Envoy gets what it shall have, and answers; it refuses listeners, if it does, with these words."""
        for response in list(self.session.respond(self.accepted.wanted(), 0.0)):
            request = discovery_pb2.DeltaDiscoveryRequest(
                type_url=response.type_url, response_nonce=response.nonce
            )
            if refuses and response.type_url == LISTENER and response.resources:
                request.error_detail.message = refuses
            answer = self.session.receive(request, 0.0)
            if answer is not None:
                self.accepted.answered(answer)

    def replies(self) -> list[tuple[str, str]]:
        """(nonce, refusal) that go up now."""
        return [
            (each.response_nonce, each.error_detail.message) for each in self.accepted.replies(self.session)
        ]


def test_nothing_is_acknowledged_that_envoy_has_not_taken() -> None:
    """The answer goes up when Envoy's came, and is kept."""
    between = Between()
    nonce = between.above(CLUSTER)

    before = between.replies()
    between.envoy()

    assert before == []
    assert between.replies() == [(nonce, "")]
    assert between.replies() == []
    assert between.accepted.taken().versions[CLUSTER] == WHOLE.versions[CLUSTER]


def test_a_refusal_goes_up_in_envoys_words_and_the_last_good_is_wanted_again() -> None:
    """What was never taken is not kept."""
    between = Between()
    nonce = between.above(LISTENER)

    for _ in range(2):  # clusters come first
        between.envoy(refuses="cannot bind")

    assert between.replies() == [(nonce, "cannot bind")]
    assert between.accepted.taken().versions[LISTENER] == {}
    assert between.accepted.wanted().versions[LISTENER] == {}


def test_what_is_kept_is_offered_at_once_and_told_above() -> None:
    """A relay that starts alone knows what its Envoy shall have; a control plane hears which versions."""
    between = Between(WHOLE)
    first = between.accepted.subscriptions()

    assert between.accepted.wanted().versions == WHOLE.versions
    assert {each.type_url: dict(each.initial_resource_versions) for each in first} == WHOLE.versions


def test_what_is_removed_above_is_forgotten_when_envoy_let_it_go() -> None:
    """Also what Envoy never answers for: endpoints and routes go with what names them."""
    between = Between(WHOLE)
    between.envoy()
    between.envoy()
    nonces = [between.above(type_url, removed=["web"]) for type_url in TYPES]
    for _ in range(3):
        between.envoy()

    assert sorted(nonce for nonce, _ in between.replies()) == sorted(nonces)
    assert all(not named for named in between.accepted.taken().versions.values())
