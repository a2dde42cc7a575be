"""Nothing is open by default: who gets in, and how the first one does."""

from __future__ import annotations

import re
import socket
import stat
import uuid
from collections.abc import Iterator

import httpx
import psutil
import pytest
from django.urls import URLPattern, URLResolver, get_resolver
from product import Product

pytestmark = pytest.mark.stack

#: What a stranger may see, and what it answers him with.
OPEN = {
    "healthz": 200,
    "readyz": 200,
    "login/": 200,
    "setup/SECRET/": 410,
    "password/SECRET/": 410,
    "agent/some": 404,
    "login/oidc/": 404,
    "login/oidc/callback/": 404,
}


def test_the_setup_link_makes_one_administrator(product: Product) -> None:
    """Used once, with its CSRF token, it logs in an administrator; used again it is closed."""
    if not product.setup_link:
        pytest.fail("up printed no setup link")
    form = {"username": "first", "password": "a long enough passphrase"}
    with httpx.Client(timeout=20) as browser:
        assert browser.post(product.setup_link, data=form).status_code == 403
        page = browser.get(product.setup_link)
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
        assert token is not None
        weak = {**form, "password": "short", "csrfmiddlewaretoken": token.group(1)}
        assert browser.post(product.setup_link, data=weak).status_code == 200
        made = browser.post(product.setup_link, data={**form, "csrfmiddlewaretoken": token.group(1)})
        cookie = made.headers["set-cookie"]
        inside = browser.get(f"{product.url}/")

    assert (made.status_code, made.headers["location"]) == (302, "/")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert inside.status_code == 200
    assert httpx.get(product.setup_link).status_code == 410
    assert product.client.events(action="account.first-admin")["count"] == 1


def test_every_page_asks_for_a_login(product: Product) -> None:
    """Whatever URL there is: a stranger gets the login page, 401, or what is open on purpose."""
    paths = sorted(set(all_paths(get_resolver())))
    with httpx.Client(base_url=product.url, timeout=20) as stranger:
        answers = {path: stranger.get(f"/{path}") for path in paths}

    assert len(paths) > 40
    for path, answer in answers.items():
        if path in OPEN:
            assert answer.status_code == OPEN[path], path
        elif path.startswith("api/v1/") or path == "metrics":
            assert answer.status_code in (401, 404), path
        else:
            assert (answer.status_code, answer.headers.get("location", "").split("?")[0]) == (
                302,
                "/login/",
            ), path


def test_a_live_socket_asks_for_a_login(product: Product) -> None:
    """Neither the browsers' nor the agents' WebSocket opens for a stranger."""
    upgrade = {
        "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Origin": product.url,
    }  # fmt: skip

    assert httpx.get(f"{product.url}/ws/live/", headers=upgrade).status_code == 403
    assert httpx.get(f"{product.url}/agent/v1/link", headers=upgrade).status_code == 401


def test_everything_listens_on_loopback(product: Product) -> None:
    """No process of the product takes a connection from another machine."""
    processes = [psutil.Process(pid) for pid in product.pids().values()]
    processes += [
        psutil.Process(each.pid) for host in product.hosts.values() for each in host.processes.values()
    ]
    listening = [
        connection.laddr.ip
        for process in processes
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN or connection.type == socket.SOCK_DGRAM
    ]

    assert len(listening) >= 5
    assert {address.split(".")[0] for address in listening} == {"127"}


def test_secrets_and_sockets_belong_to_their_owner(product: Product) -> None:
    """Nobody else on the machine reads the token, the broker's password or the engine's sockets."""
    private = [product.place.cli_token, product.place.broker_url, product.place.data / "secrets/django"]

    assert [oct(stat.S_IMODE(file.stat().st_mode)) for file in private] == ["0o600"] * 3
    for folder in (product.place.run, product.place.xds_socket.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def all_paths(resolver: URLResolver, before: str = "") -> Iterator[str]:
    """Every path the console routes, its parameters filled in."""
    fillers = {"uuid": str(uuid.UUID(int=1)), "int": "1"}
    for entry in resolver.url_patterns:
        route = before + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from all_paths(entry, route)
        elif isinstance(entry, URLPattern):
            named = route.replace("<str:secret>", "SECRET")
            yield re.sub(r"<(?:(\w+):)?\w+>", lambda match: fillers.get(match.group(1), "some"), named)
