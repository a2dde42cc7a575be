"""HTTP/2 and HTTP/3 through a real Envoy. The client is a second Envoy: it speaks both, and nothing else here does."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from certificates_rig import Authority
from engine_backends import Backend, free_port
from envoy_rig import EnvoyRig, eventually, service
from front_rig import TellingBackend, having

from console.engines.envoy.process import find_envoy
from console.engines.target import Certificate

pytestmark = pytest.mark.asyncio(loop_scope="module")

Serve = Callable[[Backend], Awaitable[Backend]]
TYPES = "type.googleapis.com/envoy.extensions"


def _bootstrap(listen: int, port: int, version: str, ca: str) -> dict[str, Any]:
    """Plain HTTP/1.1 at listen, on over TLS to port as HTTP/2 or HTTP/3."""
    tls: dict[str, Any] = {
        "@type": f"{TYPES}.transport_sockets.tls.v3.UpstreamTlsContext",
        "sni": "a.test",
        "common_tls_context": {"validation_context": {"trusted_ca": {"inline_string": ca}}},
    }
    socket: dict[str, Any] = {"name": "envoy.transport_sockets.tls", "typed_config": tls}
    if version == "3":
        del tls["@type"]
        socket = {
            "name": "envoy.transport_sockets.quic",
            "typed_config": {
                "@type": f"{TYPES}.transport_sockets.quic.v3.QuicUpstreamTransport",
                "upstream_tls_context": tls,
            },
        }
    where = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    if version == "3":
        where["socket_address"]["protocol"] = "UDP"
    cluster = {
        "name": "on",
        "connect_timeout": "2s",
        "load_assignment": {
            "cluster_name": "on",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": where}}]}],
        },
        "transport_socket": socket,
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": f"{TYPES}.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {f"http{version}_protocol_options": {}},
            }
        },
    }
    route = {"match": {"prefix": "/"}, "route": {"cluster": "on", "host_rewrite_literal": "a.test"}}
    manager = {
        "@type": f"{TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "in",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{TYPES}.filters.http.router.v3.Router"},
            }
        ],
    }
    filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    listener = {
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": listen}},
        "filter_chains": [{"filters": filters}],
    }
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


@asynccontextmanager
async def client(folder: Path, port: int, version: str, ca: str) -> AsyncIterator[str]:
    """The URL of an Envoy that asks port for us."""
    listen = free_port()
    config = folder / "client.json"
    config.write_text(json.dumps(_bootstrap(listen, port, version, ca)))
    arguments = ["--config-path", str(config), "--concurrency", "1", "--log-level", "error"]
    process = await asyncio.create_subprocess_exec(
        str(find_envoy()), *arguments, "--disable-hot-restart", "--use-dynamic-base-id", stderr=sys.stderr
    )
    try:
        yield f"http://127.0.0.1:{listen}/"
    finally:
        process.terminate()
        await process.wait()


@pytest.mark.parametrize("version", ["2", "3"])
async def test_newer_versions_of_http_carry_requests(
    rig: EnvoyRig, serve: Serve, tmp_path: Path, version: str
) -> None:
    """One service on one port of TCP and UDP; over TCP it says that HTTP/3 is there; a pool's route is the same."""
    first, authority = TellingBackend("first"), Authority()
    await serve(first)
    pair = authority.issue("a.test")
    front = {"tls": {"certificates": ["a"]}, "http_versions": ["1.1", "2", "3"]}
    web = having(
        service("web", "http", first.endpoint()),
        front=front,
        http={"hosts": ["a.test"], "headers": {"response": [{"name": "x-out", "value": "1"}]}},
    )
    state = await rig.publish(web, certificates=(Certificate("a", pair.chain, pair.key),))
    assert state.rejections == ()

    found: list[httpx.Response] = []
    async with (
        client(tmp_path, web.listen_port or 0, version, authority.ca) as url,
        httpx.AsyncClient(trust_env=False) as http,
    ):

        async def answered() -> bool:
            try:
                found.append(await http.get(url))
            except httpx.TransportError:
                return False
            return found[-1].status_code == 200

        assert await eventually(answered), [each.text for each in found[-1:]]
    answer = found[-1]

    assert answer.json()["name"] == "first"
    assert answer.json()["headers"]["x-forwarded-proto"] == "https"
    assert answer.headers["x-out"] == "1"
    assert answer.headers["alt-svc"] == f'h3=":{web.listen_port}"; ma=86400'
