"""Who may call what: every route, every method, every kind of caller, against
tests/console/route_matrix.json.

The file says, for each route and method, the least role that is let in: anonymous, viewer, operator, admin,
or agent for the agents' link. A route or method that is not in it must let nobody in; a new one fails here
until somebody has decided. The failure prints what the file would have to say.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, get_resolver

from agents import wire
from balancer_core.placement import Load
from console.actions import SYSTEM
from console.live import feed
from console.live.threads import in_thread

MATRIX = Path(__file__).parents[1] / "route_matrix.json"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
ROLES = ("anonymous", "viewer", "operator", "policy-admin", "admin")


def routes(patterns: Any = None, prefix: str = "") -> Iterator[str]:
    """Every route of the console, as it is written in the URL files.

    Those of Django's admin are tried by tests/console/breakglass: all are administrators'.
    """
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        if getattr(pattern, "namespace", None) == "tables":
            continue
        if isinstance(pattern, URLPattern):
            yield prefix + str(pattern.pattern)
        else:
            yield from routes(pattern.url_patterns, prefix + str(pattern.pattern))


@pytest.fixture
def things(cluster: Any) -> dict[str, str]:
    """One of everything, so that nobody is turned away only because a thing is missing; path parameters
    for it."""
    from console.jobs.actions.submit import Submit
    from console.placements.actions.place import Place
    from console.storage.actions.shards import CreateShard
    from console.traffic.actions.services import CreateService

    cluster.add("web-1")
    cluster.add("web-2")
    placement = Place(Load(kind="job", name="j", demand={"cpu": 1.0})).run(SYSTEM)
    job = Submit("demo.add", demand={"cpu": 1.0}).run(SYSTEM)
    CreateShard("web-1", 10, "web-1", "tree").run(SYSTEM)
    CreateService("web-1", "http", "127.0.0.1", 8080, [("web-1", 80), ("web-2", 80)]).run(SYSTEM)
    return {
        "name": "web-1",
        "key": "unknown",
        "kind": "job",
        "secret": "unknown",
        "rest": "nothing",
        "host": "web-1",
        "port": "80",
        "placement": str(placement.pk),
        "decision": str(placement.decision_id),
        "job": str(job.pk),
        "shard": "web-1",
        "service": "web-1",
        "verb": "cordon",
        "listing": "hosts",
        "form": "csv",
        "token_id": "unknown",
        "person": "999999",
    }


def filled(route: str, things: dict[str, str]) -> str:
    """The route with its parameters replaced by things."""
    path = route
    while "<" in path:
        start, end = path.index("<"), path.index(">")
        converter, _, name = path[start + 1 : end].rpartition(":")
        known = things.get(name) or (
            str(uuid.uuid4()) if converter == "uuid" else "1" if converter == "int" else None
        )
        assert known is not None, f"say in things() what {name} of {route} can be"
        path = path[:start] + known + path[end + 1 :]
    return "/" + path


def lets_in(client: Client, method: str, path: str) -> bool:
    """Whether this caller got past the door. Whatever it did there is undone."""
    with transaction.atomic():
        answer = client.generic(
            method, path, data=b"{}" if "/api/v1/" in path else b"", content_type="application/json"
        )
        transaction.set_rollback(True)
    if answer.status_code == 302 and answer["location"].startswith("/login/?next="):
        return False
    return answer.status_code not in (401, 403, 405)


@pytest.fixture
def callers(user: Any, api: Any) -> Any:
    """callers(path): a new caller of each kind, by token for the API, by session for the pages."""
    sessions = {}
    for role in ROLES[1:]:
        client = Client()
        client.force_login(user(role))
        sessions[role] = client.cookies["sessionid"].value

    def make(path: str) -> dict[str, Client]:
        found = {"anonymous": Client()}
        for role in ROLES[1:]:
            if path.startswith(("/api/v1/", "/metrics")):
                found[role] = Client(headers={"Authorization": f"Token {api.tokens[role]}"})
            else:
                found[role] = Client()
                found[role].cookies["sessionid"] = sessions[role]
        return found

    return make


@pytest.mark.parametrize("method", METHODS)
def test_every_route_lets_in_whom_the_matrix_says(
    method: str, things: dict[str, str], callers: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Pages and API; roles include each other; an agent's credential opens nothing that is closed to
    strangers."""
    caplog.set_level("ERROR")  # hundreds of refusals are as they should be
    found: dict[str, str] = {}
    for route in routes():
        path = filled(route, things)
        clients = callers(path)
        extremes = {role: lets_in(clients[role], method, path) for role in ("anonymous", "admin")}
        if extremes["anonymous"] == extremes["admin"]:  # then those between are no different
            allowed = list(ROLES) if extremes["admin"] else []
        else:
            between = {role: lets_in(clients[role], method, path) for role in ROLES[1:-1]}
            allowed = [role for role in ROLES if {**extremes, **between}[role]]
        assert allowed in ([], *(list(ROLES[n:]) for n in range(len(ROLES)))), f"{method} {route}: {allowed}"
        agent = Client(headers={"Authorization": wire.agent_bearer("web-1", "credential-of-web-1")})
        assert lets_in(agent, method, path) == ("anonymous" in allowed), f"an agent at {method} {route}"
        if allowed:
            found[route] = allowed[0]
    said = {route: who[method] for route, who in json.loads(MATRIX.read_text()).items() if method in who}
    lines = "\n".join(
        f" {json.dumps(route)}: {method} {who}" for route, who in found.items() if said.get(route) != who
    )
    gone = [route for route in said if route not in found]

    assert said == found, f"as found:\n{lines}\nlets nobody in: {gone}"


async def opens(path: str, headers: list[tuple[bytes, bytes]]) -> bool:
    """Whether a WebSocket is accepted."""
    from console.asgi import application

    scope = {
        "type": "websocket",
        "path": path,
        "headers": [(b"host", b"localhost"), *headers],
        "query_string": b"",
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "subprotocols": [],
        "extensions": {},
    }
    communicator = ApplicationCommunicator(application, scope)
    await communicator.send_input({"type": "websocket.connect"})
    accepted = (await communicator.receive_output(5))["type"] == "websocket.accept"
    await communicator.send_input({"type": "websocket.disconnect", "code": 1000})
    await communicator.wait(5)
    return accepted


async def test_every_websocket_lets_in_whom_the_matrix_says(cluster: Any, user: Any) -> None:
    """Browsers' sockets by session, agents' by credential, and neither by the other's."""
    from console.asgi import websocket_routes

    await in_thread(cluster.add, "web-1")
    feed.feed = feed.Feed()
    origin = (b"origin", b"http://localhost")

    def session(role: str) -> tuple[bytes, bytes]:
        client = Client()
        client.force_login(user(role))
        return b"cookie", f"sessionid={client.cookies['sessionid'].value}".encode()

    carried = {"anonymous": [origin]}
    for role in ROLES[1:]:
        carried[role] = [origin, await in_thread(session, role)]
    agent = [(b"authorization", wire.agent_bearer("web-1", "credential-of-web-1").encode()), origin]
    found = {}
    for path in [*("/" + str(route.pattern) for route in websocket_routes), wire.LINK_PATH]:
        allowed = [role for role, headers in carried.items() if await opens(path, headers)]
        if await opens(path, agent):
            assert allowed == []
            allowed = ["agent"]
        found[path.lstrip("/")] = {"WEBSOCKET": allowed[0]}
    expected = json.loads(MATRIX.read_text())

    assert {route: methods for route, methods in expected.items() if "WEBSOCKET" in methods} == found
    assert not await opens("/ws/live/", [(b"origin", b"http://evil.example"), carried["viewer"][1]])
