"""What is rendered, read back, is what the settings said: for every valid document."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_pb2
from front_reading import SAFE, least, read_filters, read_front, read_routes, unpack
from front_strategies import KEYS, http_fronts, https, tcp_fronts
from hypothesis import HealthCheck, given, settings

from console.engines.envoy.render import LISTENER, ROUTES, render
from console.engines.target import ApiKey, ServiceTarget, Settings, TrafficTarget
from console.engines.target.front import Front
from console.engines.target.http import Http, Route
from console.engines.target.matching import Match
from console.engines.target.outcomes import Destination, Rewrite
from console.engines.target.settings import document_of, settings_of
from console.engines.target.treatment import Headers, Retries

slow = settings(
    deadline=None,
    max_examples=80,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow, HealthCheck.data_too_large],
)


def rendered(service: ServiceTarget) -> tuple[dict[str, Any], Any]:
    """The listeners and the routes of a service, through their bytes."""
    keys = tuple(ApiKey(name, name * 16) for name in KEYS)
    resources = render(TrafficTarget((service,), api_keys=keys))
    found = {name: unpack(packed, listener_pb2.Listener) for name, packed in resources[LISTENER].items()}
    configuration = resources[ROUTES].get(service.name)
    return found, configuration and unpack(configuration, route_pb2.RouteConfiguration)


@slow
@given(https)
def test_requests_read_back_as_the_settings_said(http: Http) -> None:
    """Routes with their order, hosts, conditions, outcomes and treatment; compression; token providers."""
    service = ServiceTarget("web", "http", "127.0.0.1", 80, (), Settings(http=http))
    listeners, configuration = rendered(service)
    _, manager = read_front("web", listeners)

    assert expected(http) == read_routes(configuration)
    compression, providers = read_filters(manager)
    assert compression == http.compression
    if any(http.treatment(route).jwt for route in (None, *http.routes)):
        assert providers == {each.name: each for each in http.token_providers}


@slow
@given(http_fronts)
def test_http_connections_read_back_as_the_settings_said(front: Front) -> None:
    """Over up to three listeners; what is left out reads as its usual value."""
    service = ServiceTarget("web", "http", "127.0.0.1", 80, (), Settings(front=front))
    found, _ = read_front("web", rendered(service)[0])

    idle_s = 300.0 if front.idle_timeout_s is None else front.idle_timeout_s
    assert set(front.http_versions) == set(found.http_versions)
    assert _but(front, http_versions=("1.1",), idle_timeout_s=idle_s, tls=None) == _but(
        found, http_versions=("1.1",), tls=None
    )
    assert front.tls == found.tls


@slow
@given(tcp_fronts)
def test_tcp_connections_read_back_as_the_settings_said(front: Front) -> None:
    """TLS, passthrough by name, limits."""
    service = ServiceTarget("lines", "tcp", "127.0.0.1", 80, (), Settings(front=front))
    found, _ = read_front("lines", rendered(service)[0])

    assert front == found


@slow
@given(https, http_fronts)
def test_a_document_is_its_settings(http: Http, front: Front) -> None:
    """What is kept is read again as the same settings."""
    whole = Settings(front=front, http=http)

    assert whole == settings_of(document_of(whole))


def test_the_documents_of_the_guide_are_valid() -> None:
    """Every example of docs/settings.md can be used as it stands."""
    guide = (Path(__file__).parents[2] / "docs/settings.md").read_text()
    examples = re.findall(r"```json\n(.*?)```", guide, re.DOTALL)

    assert len(examples) >= 2
    for example in examples:
        document = json.loads(example)
        assert settings_of(document) == settings_of(document_of(settings_of(document)))


def _but(front: Front, **fields: Any) -> Front:
    return Front(**{**{name: getattr(front, name) for name in front.__struct_fields__}, **fields})


def expected(http: Http) -> dict[str, dict[str, Any]]:
    """Name of each route -> what reading it back must show."""
    found = {f"{place}": _expected(http, route, route) for place, route in enumerate(http.routes)}
    if http.unmatched == "serve":
        found["otherwise"] = _expected(http, None, Route(destinations=http.destinations))
    return dict(sorted(found.items()))


def _expected(http: Http, own: Route | None, route: Route) -> dict[str, Any]:
    treatment, match = http.treatment(own), route.match
    somewhere = match.path is None and match.regex is None and match.prefix is None
    said = {name: getattr(match, name) for name in match.__struct_fields__} | {"hosts": (), "methods": ()}
    found: dict[str, Any] = {
        "hosts": least(set(match.hosts or http.hosts or ("*",))),
        "match": Match(**said | ({"prefix": "/"} if somewhere else {})),
        "methods": frozenset(match.methods),
        "headers": treatment.headers or Headers(),
    }
    for name in ("jwt", "api_keys", "max_body_bytes"):
        if value := getattr(treatment, name):
            found[name] = value
    if treatment.cors is not None and treatment.cors.origins:
        found["cors"] = treatment.cors
    if treatment.fault is not None and treatment.fault.percent:
        found["fault"] = treatment.fault
    if route.redirect is not None:
        return found | {"redirect": route.redirect}
    if route.answer is not None:
        return found | {"answer": route.answer}
    websocket = treatment.websocket
    wanted = tuple(route.destinations) or (Destination("web"),)
    return found | {
        "destinations": wanted if len(wanted) > 1 else (Destination(wanted[0].service),),
        "rewrite": route.rewrite or Rewrite(),
        "timeout_s": treatment.timeout_s or 0.0,
        "stream_idle_s": treatment.stream_idle_s,
        "websocket": not treatment.max_body_bytes if websocket is None else websocket,
        "rate_limits": set(treatment.rate_limits or ()),
        "mirror": treatment.mirror if treatment.mirror is not None and treatment.mirror.percent else None,
        "retries": _retries(treatment.retries or Retries(), match.methods),
    }


def _retries(retries: Retries, methods: tuple[str, ...]) -> dict[bool, Retries | None]:
    """By whether the part is of safe methods only."""
    further = retries.attempts and (set(retries.on) - {"unsent"} or retries.statuses)
    active = retries.attempts and (retries.on or retries.statuses)
    whole = _said(retries, retries.on, retries.statuses, retries.per_try_timeout_s, retries.hedge)
    if not further or retries.any_method:
        return {False: whole if active else None}
    parts: dict[bool, Retries | None] = {}
    if not methods or set(methods) & set(SAFE):
        parts[True] = whole
    if not methods or set(methods) - set(SAFE):
        parts[False] = _said(retries, ("unsent",), (), None, False) if "unsent" in retries.on else None
    return parts


def _said(retries: Retries, on: Any, statuses: Any, per_try_timeout_s: Any, hedge: bool) -> Retries:
    return Retries(on, statuses, retries.attempts, per_try_timeout_s, hedge)
