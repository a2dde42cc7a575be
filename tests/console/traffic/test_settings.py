"""A service's settings: checked with the field's path, changed by one action, shown and previewed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from console.actions import SYSTEM
from console.controller.steer import Steerer
from console.controller.targets import services_now
from console.engines.envoy.doors import Door
from console.engines.envoy.engine import EnvoyEngine
from console.engines.target.settings import settings_of
from console.events.models import Event
from console.fleet.models import Host
from console.live.picture import picture
from console.live.threads import in_thread
from console.nodes.models import NodeToken
from console.traffic import view
from console.traffic.actions.services import CreateService
from console.traffic.actions.settings import ConfigureService, merged
from console.traffic.models import Service
from console.traffic.secrets import SecretsReader
from console.traffic.view import EngineSeen, Seen, TrafficSeen

URL = "/api/v1/services/"
WEB = f"{URL}web/settings/"


@pytest.fixture
def web(cluster: Any) -> Any:
    """Services web and canary (a pool), and lines (tcp), on two hosts."""
    for number in (1, 2):
        cluster.add(f"web-{number}", address=f"127.0.8.{number}")
    CreateService("web", "http", "127.0.0.1", 8080, [("web-1", 80)]).run(SYSTEM)
    CreateService("canary", "http", None, None, [("web-2", 80)]).run(SYSTEM)
    CreateService("lines", "tcp", "127.0.0.1", 9000, [("web-2", 90)]).run(SYSTEM)
    return cluster


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"http": {"routes": [{"match": {"regex": "("}}]}}, "http.routes[0].match.regex"),
        ({"http": {"routes": [{"match": {"regex": "a*+"}}]}}, "http.routes[0].match.regex"),
        (
            {"http": {"routes": [{"match": {"prefix": "/" + "a" * 90}, "rewrite": {"prefix": "/"}}]}},
            "http.routes[0].rewrite.prefix",
        ),
        ({"http": {"routes": [{"match": {"regex": "(?>a)"}}]}}, "http.routes[0].match.regex"),
        ({"http": {"routes": [{"match": {"regex": "(a)\\1"}}]}}, "http.routes[0].match.regex"),
        ({"http": {"routes": [{"match": {"regex": "/a{96}"}}]}}, "http.routes[0].match.regex"),
        ({"http": {"routes": [{"match": {"regex": "(?=a)"}}]}}, "http.routes[0].match.regex"),
        ({"http": {"routes": [{"match": {"regex": "[[:foo:]]"}}]}}, "http.routes[0].match.regex"),
        ({"http": {"routes": [{"match": {"regex": "(?x) a b"}}]}}, "http.routes[0].match.regex"),
        ({"http": {"routes": [{"match": {"regex": "(?a)x"}}]}}, "http.routes[0].match.regex"),
        ({"http": {"routes": [{"match": {"regex": "(a{500}){500}"}}]}}, "http.routes[0].match.regex"),
        ({"http": {"routes": [{"match": {"path": "shop"}}]}}, "http.routes[0].match.path"),
        ({"http": {"routes": [{"match": {"path": "/a", "prefix": "/b"}}]}}, "http.routes[0].match.prefix"),
        ({"http": {"routes": [{"match": {"hosts": ["a b"]}}]}}, "http.routes[0].match.hosts[0]"),
        (
            {"http": {"hosts": ["a.test"], "routes": [{"match": {"hosts": ["b.test"]}}]}},
            "http.routes[0].match.hosts[0]",
        ),
        ({"http": {"hosts": ["a.test", "a.test"]}}, "http.hosts"),
        (
            {"http": {"headers": {"request": [{"name": "x-a", "value": "a\r\nb: c"}]}}},
            "http.headers.request[0].value",
        ),
        ({"http": {"headers": {"request": [{"name": "X A", "value": ""}]}}}, "http.headers.request[0].name"),
        (
            {"http": {"headers": {"request": [{"name": "host", "value": "a"}]}}},
            "http.headers.request[0].name",
        ),
        (
            {"http": {"headers": {"response": [{"name": "x-a", "value": "%REQ(x)%"}]}}},
            "http.headers.response[0].value",
        ),
        ({"http": {"destinations": [{"service": "nobody"}]}}, "http.destinations[0].service"),
        ({"http": {"destinations": [{"service": "lines"}]}}, "http.destinations[0].service"),
        ({"http": {"destinations": [{"service": "canary", "weight": 0}]}}, "http.destinations"),
        ({"http": {"mirror": {"service": "web"}}}, "http.mirror.service"),
        ({"http": {"jwt": ["people"]}}, "http.jwt[0]"),
        ({"http": {"api_keys": ["ada"]}}, "http.api_keys[0]"),
        ({"http": {"timeout_s": -1}}, "http.timeout_s"),
        ({"http": {"timeout_s": "soon"}}, "http.timeout_s"),
        ({"http": {"retries": {"hedge": True}}}, "http.retries.hedge"),
        ({"http": {"cors": {"origins": ["*"], "credentials": True}}}, "http.cors.credentials"),
        ({"http": {"max_body_bytes": 10, "websocket": True}}, "http.websocket"),
        ({"front": {"tls": {"certificates": ["none"]}}}, "front.tls.certificates[0]"),
        ({"front": {"tls": {"certificates": []}}}, "front.tls.certificates"),
        ({"front": {"http_versions": ["1.1", "3"]}}, "front.http_versions"),
        ({"front": {"sni": [{"hosts": ["a.test"], "service": "lines"}]}}, "front.sni"),
        (
            {"front": {"tls": {"certificates": ["a"], "redirect_from_port": 8080}}},
            "front.tls.redirect_from_port",
        ),
        ({"nothing": 1}, "settings"),
        ([], "settings"),
    ],
)
def test_a_wrong_document_names_the_field_and_changes_nothing(
    web: Any, api: Any, document: Any, field: str
) -> None:
    """Whatever is wrong in it, down to the item of a list."""
    answer = api.operator.put(WEB, document)

    assert (400, field) == (answer.status_code, answer.json()["errors"][0]["field"]), answer.json()
    assert Service.objects.get(name="web").settings == {}
    assert api.viewer.post(f"{URL}web/preview/", {"settings": document}).status_code == 400


def test_settings_are_replaced_and_patched(web: Any, api: Any) -> None:
    """PUT is the whole, PATCH a merge patch; usual values are not kept; the audit trail has before and after."""
    shares = [{"service": "web", "weight": 95}, {"service": "canary", "weight": 5}]
    put = api.operator.put(WEB, {"http": {"destinations": shares, "timeout_s": 5, "compression": []}})
    patch = api.operator.patch(WEB, {"http": {"timeout_s": None, "hosts": ["a.test"]}})

    assert (200, 200) == (put.status_code, patch.status_code)
    assert put.json() == {"http": {"destinations": shares, "timeout_s": 5.0}}
    assert patch.json() == {"http": {"destinations": shares, "hosts": ["a.test"]}}
    assert api.viewer.get(WEB).json() == patch.json()
    assert api.viewer.get(f"{URL}web/").json()["settings"] == patch.json()
    event = Event.objects.filter(action="service.configure").latest("at")
    assert (event.before, event.after) == (put.json(), patch.json())
    assert api.viewer.put(WEB, {}).status_code == 403


@pytest.mark.parametrize(
    ("target", "patch", "expected"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_a_merge_patch_is_applied_as_the_rfc_says(target: Any, patch: Any, expected: Any) -> None:
    """The examples of RFC 7396's appendix."""
    assert expected == merged(target, patch)


def test_a_service_may_be_made_with_settings_and_without_endpoints(web: Any, api: Any) -> None:
    """One that leads elsewhere needs none of its own; one that leads nowhere is refused, also later."""
    door = {"name": "door", "protocol": "http", "listen": "127.0.0.1:8081"}
    led = {"http": {"routes": [{"destinations": [{"service": "canary"}]}], "unmatched": "not-found"}}

    assert api.operator.post(URL, door).status_code == 400
    wrong = api.operator.post(URL, {**door, "settings": {"http": {"hosts": ["?"]}}})
    assert wrong.json()["errors"][0]["field"] == "settings.http.hosts[0]"
    made = api.operator.post(URL, {**door, "settings": led})
    assert (201, led, []) == (made.status_code, made.json()["settings"], made.json()["endpoints"])
    assert api.operator.put(f"{URL}door/settings/", {}).status_code == 409
    assert api.operator.post(f"{URL}door/add-endpoint/", {"endpoint": "web-1:81"}).status_code == 200
    assert api.operator.put(f"{URL}door/settings/", {}).status_code == 200


def test_a_service_that_others_lead_to_is_not_removed(web: Any, api: Any) -> None:
    """The answer names them; when their routes are gone, it goes."""
    api.operator.patch(WEB, {"http": {"mirror": {"service": "canary"}}})

    refused = api.operator.delete(f"{URL}canary/")
    api.operator.patch(WEB, {"http": {"mirror": None}})

    assert refused.status_code == 409
    assert "web" in refused.json()["detail"]
    assert api.operator.delete(f"{URL}canary/").status_code == 204


def test_every_port_that_settings_take_is_one_services(web: Any, api: Any, certificate: Any) -> None:
    """The redirecting port is a listener like any other, and HTTP/3 holds its UDP port."""
    certificate("shop")
    tls = {"certificates": ["shop"]}

    taken = api.operator.put(WEB, {"front": {"tls": {**tls, "redirect_from_port": 9000}}})
    quic = api.operator.put(WEB, {"front": {"tls": tls, "http_versions": ["1.1", "2", "3"]}})
    names = {"name": "names", "protocol": "udp", "listen": "0.0.0.0:8080", "endpoints": ["web-1:53"]}

    assert (409, 200) == (taken.status_code, quic.status_code)
    assert "lines" in taken.json()["detail"]
    assert api.operator.post(URL, names).status_code == 409
    assert api.operator.post(URL, {**names, "listen": "0.0.0.0:8053"}).status_code == 201


def test_a_preview_says_what_the_engine_would_hear(web: Any, api: Any) -> None:
    """Of other settings, of a change, or of the present ones; nothing is changed and no key is in it."""
    api.operator.post("/api/v1/api-keys/", {"name": "ada"})
    tried = api.viewer.post(
        f"{URL}web/preview/", {"patch": {"http": {"hosts": ["a.test"], "api_keys": ["ada"]}}}
    )
    present = api.viewer.post(f"{URL}web/preview/", {})

    routes = tried.json()["RouteConfiguration"]["web"]["virtualHosts"][0]
    assert routes["domains"] == ["a.test"]
    assert "not shown" in str(routes)
    assert present.json()["RouteConfiguration"]["web"]["virtualHosts"][0]["domains"] == ["*"]
    assert Service.objects.get(name="web").settings == {}


@pytest.mark.parametrize(
    ("listen", "redis", "endpoint", "what"),
    [
        ("127.0.8.1:8420", "redis://127.0.0.1:6379", "web-1:8420", "the console"),
        ("127.0.0.1:8420", "redis://:secret@127.0.8.1:7000/0", "web-1:7000", "the broker"),
        ("0.0.0.0:8420", "redis://127.0.0.1:6379", "web-1:8420", "the console"),
    ],
)
def test_no_endpoint_is_the_control_planes_own(
    web: Any, api: Any, settings: Any, listen: str, redis: str, endpoint: str, what: str
) -> None:
    """Whoever reached them through a service would steer everything."""
    settings.STEELYARD_LISTEN, settings.REDIS_URL = listen, redis

    answer = api.operator.post(f"{URL}web/add-endpoint/", {"endpoint": endpoint})

    assert answer.status_code == 400
    assert what in answer.json()["detail"]


async def test_a_host_that_moves_onto_the_console_takes_no_traffic_there(
    web: Any, settings: Any, tmp_path: Path
) -> None:
    """An agent says its host's address: the service stays as it was."""
    steerer = Steerer(picture, EnvoyEngine((Door(f"unix:{tmp_path}/xds"),)), epoch=1)
    await steerer.step(await in_thread(services_now), 0.0)
    settings.STEELYARD_LISTEN = "127.0.8.77:80"
    await in_thread(Host.objects.filter(name="web-1").update, address="127.0.8.77")

    seen = await steerer.step(await in_thread(services_now), 1.0)

    assert "web is left as it was: address: 127.0.8.77:80 is the console" in seen.guard
    assert {"canary", "lines"} == set(seen.services)


async def test_the_controller_tells_the_engine_settings_and_secrets(
    web: Any, certificate: Any, tmp_path: Path
) -> None:
    """What is configured is in the next target, with the certificate's key unsealed."""

    def configure() -> None:
        certificate("shop")
        ConfigureService("web", {"front": {"tls": {"certificates": ["shop"]}}}).run(SYSTEM)

    await in_thread(configure)
    engine = EnvoyEngine((Door(f"unix:{tmp_path}/xds"),))
    steerer = Steerer(picture, engine, epoch=1)

    seen = await steerer.step(
        await in_thread(services_now), 0.0, secrets=await in_thread(SecretsReader().now)
    )

    assert seen.guard == ""
    assert engine.target is not None
    told = {service.name: service for service in engine.target.services}
    assert told["web"].settings == settings_of({"front": {"tls": {"certificates": ["shop"]}}})
    assert told["canary"].listen_port is None
    assert "PRIVATE KEY" in engine.target.certificates[0].key


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        (URL, {"name": "typo", "protocol": "http", "listen_on": "127.0.0.1:1", "endpoints": []}, "listen_on"),
        (f"{URL}web/add-endpoint/", {"endpoint": "web-2:80", "prio": 3}, "prio"),
        (f"{URL}web/preview/", {"http": {"timeout_s": 77}}, "http"),
    ],
)
def test_a_field_that_does_not_exist_is_refused(web: Any, api: Any, path: str, body: Any, field: str) -> None:
    """What is misspelt is not left out in silence."""
    answer = api.operator.post(path, body)

    assert answer.status_code == 400
    assert field in str(answer.json())
    assert not Service.objects.filter(name="typo").exists()


@pytest.mark.parametrize(
    "value", ["1e400", "-1e999", '{"front": {"idle_timeout_s": 1e400}}', '{"a": "\\u0000"}']
)
@pytest.mark.parametrize("method", ["put", "patch"])
def test_a_number_without_bounds_is_refused(web: Any, api: Any, method: str, value: str) -> None:
    """JSON's grammar lets it be written; nothing keeps it."""
    answer = getattr(api.operator, method)(WEB, value, content_type="application/json")

    assert answer.status_code == 400
    assert Service.objects.get(name="web").settings == {}


@pytest.mark.parametrize(
    ("service", "document", "field"),
    [
        ("canary", {"http": {"destinations": [{"service": "web"}]}}, "http.destinations"),
        ("canary", {"http": {"routes": [{"match": {"path": "/a"}}]}}, "http.routes"),
        (
            "web",
            {"http": {"destinations": [{"service": "canary"}], "unmatched": "not-found"}},
            "http.destinations",
        ),
    ],
)
def test_what_nobody_would_follow_is_refused(
    web: Any, api: Any, service: str, document: Any, field: str
) -> None:
    """A pool takes no requests by itself, and what answers "not found" leads nowhere."""
    answer = api.operator.patch(f"{URL}{service}/settings/", document)

    assert (400, field) == (answer.status_code, answer.json()["errors"][0]["field"])


def test_an_engine_that_nobody_knows_is_warned_of(
    web: Any, api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may come later, so it is taken; one that has a token, or is connected, is known."""
    NodeToken.objects.create(name="later", digest="d")
    word = TrafficSeen(1, {}, [EngineSeen("here", connected=True)])
    monkeypatch.setattr(view, "seen", lambda: Seen(word, 0.0))
    answer = api.operator.patch(WEB, {"engines": ["here", "later", "edge-7"]})

    assert answer.status_code == 200
    assert ["No engine is called edge-7: nobody serves this service there."] == (
        api.viewer.get(f"{URL}web/").json()["warnings"]
    )
