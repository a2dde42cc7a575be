"""Services over REST, and the control loop that tells the engine of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from console_racing import at_once

from console.actions import SYSTEM
from console.controller.steer import Steerer
from console.controller.targets import services_now
from console.engines.envoy.doors import Door
from console.engines.envoy.engine import EnvoyEngine
from console.events.models import Event
from console.fleet.models import Host
from console.live.picture import picture
from console.live.threads import in_thread
from console.traffic.actions.services import CreateService, RemoveService
from console.traffic.models import Service

URL = "/api/v1/services/"
GOOD = {"name": "web", "protocol": "http", "listen": "127.0.0.1:8080", "endpoints": ["web-1:80", "web-2:80"]}


@pytest.fixture
def hosts(cluster: Any) -> Any:
    """web-1 and web-2."""
    for number in (1, 2):
        cluster.add(f"web-{number}", address=f"127.0.8.{number}")
    return cluster


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": "Web 1"}, "name"),
        ({"protocol": "ftp"}, "protocol"),
        ({"listen": "web:80"}, "listen_address"),
        ({"listen": "127.0.0.1"}, "listen"),
        ({"listen": "127.0.0.1:0"}, "listen_port"),
        ({"listen": "127.0.0.1:\u00b2"}, "listen"),
        ({"listen": "127.0.0.1:" + "9" * 5000}, "listen"),
        ({"endpoints": []}, "endpoints"),
        ({"endpoints": ["nobody:80"]}, "endpoints.0"),
        ({"endpoints": ["web-1:80", "web-2:70000"]}, "endpoints.1"),
        ({"endpoints": ["web-1"]}, "endpoints.0"),
    ],
)
def test_a_wrong_service_names_the_field(hosts: Any, api: Any, change: dict[str, Any], field: str) -> None:
    """And nothing of it is kept."""
    answer = api.operator.post(URL, {**GOOD, **change})

    assert (400, field) == (answer.status_code, answer.json()["errors"][0]["field"])
    assert not Service.objects.exists()


def test_a_services_life(hosts: Any, api: Any) -> None:
    """Made, listed, an endpoint drained, resumed, taken away by its host's address; never the last one;
    closed."""
    assert api.operator.post(URL, GOOD).status_code == 201
    assert api.operator.post(URL, GOOD).status_code == 409
    one = f"{URL}web/"

    def act(verb: str, endpoint: str) -> tuple[int, list[str]]:
        answer = api.operator.post(f"{one}{verb}-endpoint/", {"endpoint": endpoint})
        return answer.status_code, [f"{e['host']} {e['state']}" for e in answer.json().get("endpoints", [])]

    assert act("drain", "web-2:80") == (200, ["web-1 active", "web-2 draining"])
    assert act("resume", "127.0.8.2:80") == (200, ["web-1 active", "web-2 active"])
    assert act("add", "127.0.8.1:80") == (409, [])
    assert act("drain", "web-1:81") == (404, [])
    assert act("remove", "127.0.8.2:80") == (200, ["web-1 active"])
    assert act("remove", "web-1:80") == (409, [])
    assert api.operator.delete(one).status_code == 204
    assert api.viewer.get(one).status_code == 404


@pytest.mark.parametrize("endpoint", ["web-1:99999", "nobody:80"])
def test_a_wrong_endpoint_is_the_field(hosts: Any, api: Any, endpoint: str) -> None:
    """The one that the API has, also when only its host or its port is wrong."""
    api.operator.post(URL, GOOD)
    answer = api.operator.post(f"{URL}web/add-endpoint/", {"endpoint": endpoint})

    assert (400, "endpoint") == (answer.status_code, answer.json()["errors"][0]["field"])


def test_the_removal_of_a_pool_says_that_it_listened_nowhere(hosts: Any) -> None:
    """Not "None:None"."""
    CreateService("pool", "http", None, None, [("web-1", 80)]).run(SYSTEM)
    RemoveService("pool").run(SYSTEM)

    assert [None, None] == [
        Event.objects.get(action="service.create").after["listen"],
        Event.objects.get(action="service.remove").before["listen"],
    ]


def test_a_service_does_not_lead_to_itself(hosts: Any, api: Any) -> None:
    """A request would go round for ever."""
    answer = api.operator.post(URL, {**GOOD, "listen": "127.0.8.1:80"})

    assert (400, "endpoints.0") == (answer.status_code, answer.json()["errors"][0]["field"])
    assert not Service.objects.exists()


@pytest.mark.parametrize("listen", ["127.0.0.1:8080", "0.0.0.0:8080", "[::]:8080"])
def test_one_listener_is_one_services(hosts: Any, api: Any, listen: str) -> None:
    """An address that overlaps another's is refused; another transport is another listener."""
    api.operator.post(URL, GOOD)

    assert api.operator.post(URL, {**GOOD, "name": "two", "listen": listen}).status_code == 409
    assert (
        api.operator.post(URL, {**GOOD, "name": "two", "listen": listen, "protocol": "udp"}).status_code
        == 201
    )


def test_of_two_that_want_one_listener_at_once_one_gets_it(hosts: Any) -> None:
    """The engine could not have both, and would have neither."""
    at_once(
        *(
            lambda n=n: CreateService(f"s{n}", "http", "127.0.0.1", 8080, [("web-1", 80)]).run(SYSTEM)
            for n in range(4)
        )
    )

    assert Service.objects.count() == 1


@pytest.mark.parametrize("address", ["127.0.8.2", "0.0.0.0"])
async def test_an_address_that_cannot_be_leaves_its_service_as_it_was(
    hosts: Any, tmp_path: Path, address: str
) -> None:
    """What one agent says of its host must not stop the steering of the others' services."""

    def make() -> None:
        CreateService("web", "http", "127.0.0.1", 8080, [("web-1", 80), ("web-2", 80)]).run(SYSTEM)
        CreateService("other", "http", "127.0.0.1", 8081, [("web-2", 81)]).run(SYSTEM)

    await in_thread(make)
    steerer = Steerer(picture, EnvoyEngine((Door(f"unix:{tmp_path}/xds"),)), epoch=1)
    first = await steerer.step(await in_thread(services_now), 0.0)
    assert ({"web", "other"}, "") == (set(first.services), first.guard)
    await in_thread(Host.objects.filter(name="web-1").update, address=address)

    seen = await steerer.step(await in_thread(services_now), 1.0)

    assert "web is left as it was" in seen.guard
    assert {"other"} == set(seen.services)
    await in_thread(Host.objects.filter(name="web-1").update, address="127.0.8.9")
    assert {"web", "other"} == set((await steerer.step(await in_thread(services_now), 2.0)).services)
