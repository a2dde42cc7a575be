"""Connections that come in, through a real Envoy: TLS and who may connect."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from certificates_rig import Authority
from engine_backends import Backend, EchoBackend, free_port
from envoy_rig import EnvoyRig, eventually, service
from front_rig import TellingBackend, having

from console.engines.target import Certificate, ServiceTarget

pytestmark = pytest.mark.asyncio(loop_scope="module")

Serve = Callable[[Backend], Awaitable[Backend]]


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest_asyncio.fixture(loop_scope="module")
async def first(serve: Serve) -> TellingBackend:
    made = TellingBackend("first")
    await serve(made)
    return made


async def shown(target: ServiceTarget, context: ssl.SSLContext, name: str) -> str:
    """The first name of the certificate that the service shows to a client that asks for name; "" if it hangs up."""
    try:
        _, writer = await asyncio.open_connection(
            "127.0.0.1", target.listen_port, ssl=context, server_hostname=name
        )
    except (ssl.SSLError, ConnectionError):
        return ""
    found = writer.get_extra_info("peercert")["subjectAltName"][0][1]
    await _close(writer)
    return str(found)


async def asked(target: ServiceTarget, context: ssl.SSLContext, name: str) -> httpx.Response | None:
    """One request over TLS to a service that calls itself name; None if it does not let us in."""
    transport = httpx.AsyncHTTPTransport(verify=context)
    url = f"https://127.0.0.1:{target.listen_port}/"
    async with httpx.AsyncClient(transport=transport, trust_env=False) as client:
        try:
            return await client.get(url, headers={"host": name}, extensions={"sni_hostname": name})
        except (httpx.TransportError, ssl.SSLError):
            return None


async def becomes_known(target: ServiceTarget, context: ssl.SSLContext, name: str) -> bool:
    """Wait for the certificates: they come after the listener that names them."""

    async def there() -> bool:
        return bool(await shown(target, context, name))

    return await eventually(there)


async def test_each_name_has_its_certificate(
    rig: EnvoyRig, first: TellingBackend, authority: Authority
) -> None:
    """SNI chooses, wildcards too; who names nobody known gets the first, and refuses it."""
    pairs = {"a": authority.issue("a.test"), "b": authority.issue("b.test", "*.b.test")}
    certificates = tuple(Certificate(name, pair.chain, pair.key) for name, pair in pairs.items())
    web = having(service("web", "http", first.endpoint()), front={"tls": {"certificates": ["a", "b"]}})
    await rig.publish(web, certificates=certificates)
    context = authority.trusting()
    assert await becomes_known(web, context, "a.test")

    assert await shown(web, context, "b.test") == "b.test"
    assert await shown(web, context, "x.b.test") == "b.test"
    assert await shown(web, context, "c.test") == ""
    answer = await asked(web, context, "a.test")
    assert answer is not None
    assert answer.json()["headers"]["x-forwarded-proto"] == "https"


async def test_a_renewed_certificate_cuts_no_connection(
    rig: EnvoyRig, first: TellingBackend, authority: Authority
) -> None:
    """One resource is sent; a connection from before goes on; a new one sees the new certificate."""
    web = having(service("web", "http", first.endpoint()), front={"tls": {"certificates": ["w"]}})
    old, new = authority.issue("w.test", "old.test"), authority.issue("w.test", "new.test")
    await rig.publish(web, certificates=(Certificate("w", old.chain, old.key),))
    context = authority.trusting()
    assert await becomes_known(web, context, "w.test")
    transport = httpx.AsyncHTTPTransport(verify=context)
    async with httpx.AsyncClient(transport=transport, trust_env=False) as client:

        async def ask() -> httpx.Response:
            url = f"https://127.0.0.1:{web.listen_port}/"
            return await client.get(url, headers={"host": "w.test"}, extensions={"sni_hostname": "w.test"})

        assert (await ask()).status_code == 200
        before = rig.ads.nodes["rig"].sent_total
        after = await rig.publish(web, certificates=(Certificate("w", new.chain, new.key),))
        assert await becomes_known(web, context, "new.test")
        connections = len(transport._pool.connections)
        assert (await ask()).status_code == 200

    assert after.sent_total - before == 1
    assert connections == 1


async def test_old_tls_is_refused(rig: EnvoyRig, first: TellingBackend, authority: Authority) -> None:
    """least_version 1.3 lets no client of 1.2 in."""
    pair = authority.issue("a.test")
    web = having(
        service("web", "http", first.endpoint()),
        front={"tls": {"certificates": ["a"], "least_version": "1.3"}},
    )
    await rig.publish(web, certificates=(Certificate("a", pair.chain, pair.key),))
    new, old = authority.trusting(), authority.trusting()
    old.maximum_version = ssl.TLSVersion.TLSv1_2

    assert await becomes_known(web, new, "a.test")
    assert await shown(web, old, "a.test") == ""


@pytest.mark.parametrize(("versions", "taken"), [(["1.1", "2"], "h2"), (["1.1"], "http/1.1"), (["2"], "h2")])
async def test_the_http_versions_offered_are_those_that_are_set(
    rig: EnvoyRig, first: TellingBackend, authority: Authority, versions: list[str], taken: str
) -> None:
    """ALPN offers them, the newest first."""
    pair = authority.issue("a.test")
    front = {"tls": {"certificates": ["a"]}, "http_versions": versions}
    web = having(service("web", "http", first.endpoint()), front=front)
    await rig.publish(web, certificates=(Certificate("a", pair.chain, pair.key),))
    context = authority.trusting(alpn=("h2", "http/1.1"))
    assert await becomes_known(web, context, "a.test")

    _, writer = await asyncio.open_connection(
        "127.0.0.1", web.listen_port, ssl=context, server_hostname="a.test"
    )
    found = writer.get_extra_info("ssl_object").selected_alpn_protocol()
    await _close(writer)

    assert found == taken


@pytest.mark.parametrize("required", [True, False])
async def test_clients_show_who_they_are(
    rig: EnvoyRig, first: TellingBackend, authority: Authority, tmp_path: Path, required: bool
) -> None:
    """A certificate of the CA lets in and endpoints are told its names; of another it does not; none only if
    optional. What a client says of itself is dropped."""
    pair, stranger = authority.issue("a.test"), Authority("another")
    web = having(
        service("web", "http", first.endpoint()),
        front={"tls": {"certificates": ["a"], "clients": {"ca": "people", "required": required}}},
    )
    certificates = (Certificate("a", pair.chain, pair.key), Certificate("people", ca=authority.ca))
    await rig.publish(web, certificates=certificates)
    ada = authority.trusting(authority.issue("ada.test").into(tmp_path, "ada"))
    eve = authority.trusting(stranger.issue("ada.test").into(tmp_path, "eve"))
    assert await becomes_known(web, ada, "a.test")

    known = await asked(web, ada, "a.test")
    nobody = await asked(web, authority.trusting(), "a.test")

    assert known is not None
    assert "dns=ada.test" in known.json()["headers"]["x-forwarded-client-cert"]
    assert await asked(web, eve, "a.test") is None
    assert (nobody is None) == required


async def test_only_named_clients_come_in(
    rig: EnvoyRig, first: TellingBackend, authority: Authority, tmp_path: Path
) -> None:
    """names: a certificate of the right CA and of another name does not let in."""
    pair = authority.issue("a.test")
    clients = {"ca": "people", "names": ["ada.test", "spiffe://test/ada"]}
    web = having(
        service("web", "http", first.endpoint()), front={"tls": {"certificates": ["a"], "clients": clients}}
    )
    certificates = (Certificate("a", pair.chain, pair.key), Certificate("people", ca=authority.ca))
    await rig.publish(web, certificates=certificates)

    def client(*names: str) -> ssl.SSLContext:
        return authority.trusting(authority.issue(*names).into(tmp_path, "client"))

    assert await becomes_known(web, client("ada.test"), "a.test")
    assert await asked(web, client("other.test", "spiffe://test/ada"), "a.test") is not None
    assert await asked(web, client("eve.test"), "a.test") is None


async def test_plain_http_is_told_to_come_back_over_tls(
    rig: EnvoyRig, first: TellingBackend, authority: Authority
) -> None:
    """At redirect_from_port, with the service's port in the address."""
    pair, plain = authority.issue("a.test"), free_port()
    web = having(
        service("web", "http", first.endpoint()),
        front={"tls": {"certificates": ["a"], "redirect_from_port": plain}},
        http={"hosts": ["a.test"]},
    )
    await rig.publish(web, certificates=(Certificate("a", pair.chain, pair.key),))

    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"http://127.0.0.1:{plain}/x?q=1", headers={"host": f"a.test:{plain}"})
        other = await client.get(f"http://127.0.0.1:{plain}/", headers={"host": "b.test"})

    assert (answer.status_code, answer.headers["location"]) == (
        308,
        f"https://a.test:{web.listen_port}/x?q=1",
    )
    assert other.status_code == 404


async def test_tls_ends_before_a_tcp_service(rig: EnvoyRig, serve: Serve, authority: Authority) -> None:
    """Bytes come out of TLS; ALPN offers what is set."""
    echo, pair = await serve(EchoBackend("echo")), authority.issue("a.test")
    lines = having(
        service("lines", "tcp", echo.endpoint()), front={"tls": {"certificates": ["a"], "alpn": ["lines/1"]}}
    )
    await rig.publish(lines, certificates=(Certificate("a", pair.chain, pair.key),))
    context = authority.trusting(alpn=("lines/2", "lines/1"))
    assert await becomes_known(lines, context, "a.test")

    reader, writer = await asyncio.open_connection(
        "127.0.0.1", lines.listen_port, ssl=context, server_hostname="a.test"
    )
    writer.write(b"hello\n")

    assert await asyncio.wait_for(reader.readline(), 5) == b"echo hello\n"
    assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "lines/1"
    await _close(writer)


class TlsBackend(EchoBackend):
    """Lines over TLS, which ends only here."""

    def __init__(self, name: str, context: ssl.SSLContext) -> None:
        super().__init__(name)
        self._context = context

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, ssl=self._context)
        self.port = self._server.sockets[0].getsockname()[1]


async def test_one_port_hands_tls_on_by_name(
    rig: EnvoyRig, serve: Serve, authority: Authority, tmp_path: Path
) -> None:
    """Passthrough: each name's connections end, still encrypted, at its service; the rest at the listener's own."""
    backends = {}
    for name in ("one.test", "x.two.test", "rest.test"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*authority.issue(name).into(tmp_path, name))
        backends[name] = TlsBackend(name.replace(".", "-"), context)
        await serve(backends[name])
    one, two = (
        service(n, "tcp", backends[b].endpoint()) for n, b in (("one", "one.test"), ("two", "x.two.test"))
    )
    door = having(
        service("door", "tcp", backends["rest.test"].endpoint()),
        front={
            "sni": [
                {"hosts": ["one.test"], "service": one.name},
                {"hosts": ["*.two.test"], "service": two.name},
            ]
        },
    )
    await rig.publish(door, one, two)
    context = authority.trusting()

    assert list(backends) == [await shown(door, context, name) for name in backends]


@pytest.mark.parametrize(("mode", "plain"), [("required", False), ("accepted", True)])
async def test_the_proxy_line_says_who_the_client_is(
    rig: EnvoyRig, first: TellingBackend, mode: str, plain: bool
) -> None:
    """The endpoint hears the address in the line; a connection without one is refused, or taken as it is."""
    web = having(service("web", "http", first.endpoint()), front={"proxy_protocol": mode})
    await rig.publish(web)

    async def ask(line: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", web.listen_port)
        writer.write(line + b"GET / HTTP/1.1\r\nhost: a.test\r\nconnection: close\r\n\r\n")
        try:
            return await asyncio.wait_for(reader.read(), 5)
        except ConnectionError:
            return b""
        finally:
            await _close(writer)

    told = await ask(b"PROXY TCP4 192.0.2.7 127.0.0.1 1234 80\r\n")
    bare = await ask(b"")

    assert b'"x-forwarded-for": "192.0.2.7"' in told
    assert (b"200 OK" in bare) == plain


async def test_no_more_connections_than_allowed(rig: EnvoyRig, serve: Serve) -> None:
    """The third at once is closed; when one ends, another is let in."""
    echo = await serve(EchoBackend("echo"))
    lines = having(service("lines", "tcp", echo.endpoint()), front={"max_connections": 2})
    await rig.publish(lines)

    held = [await asyncio.open_connection("127.0.0.1", lines.listen_port) for _ in range(2)]
    assert [b"echo a\n"] * 2 == [await _line(reader, writer) for reader, writer in held]
    third = await _once(lines)
    await _close(held[0][1])

    async def let_in() -> bool:
        return await _once(lines) == b"echo a\n"

    assert third == b""
    assert await eventually(let_in)
    await _close(held[1][1])


async def test_no_more_new_connections_a_second_than_allowed(rig: EnvoyRig, serve: Serve) -> None:
    """Of ten at once, three are let in."""
    echo = await serve(EchoBackend("echo"))
    lines = having(service("lines", "tcp", echo.endpoint()), front={"connections_per_s": 3})
    await rig.publish(lines)

    said = [await _once(lines) for _ in range(10)]

    assert 3 <= said.count(b"echo a\n") <= 6
    assert said[:3] == [b"echo a\n"] * 3
    assert b"" in said


async def test_silent_connections_and_huge_headers_are_ended(rig: EnvoyRig, first: TellingBackend) -> None:
    """idle_timeout_s closes a connection that waits; more than max_header_kib is 431."""
    front = {"idle_timeout_s": 0.3, "max_header_kib": 2}
    web = having(service("web", "http", first.endpoint()), front=front)
    await rig.publish(web)

    reader, writer = await asyncio.open_connection("127.0.0.1", web.listen_port)
    silent = await asyncio.wait_for(reader.read(), 5)
    await _close(writer)
    async with httpx.AsyncClient(trust_env=False) as client:
        huge = await client.get(f"http://127.0.0.1:{web.listen_port}/", headers={"x-huge": "x" * 4000})

    assert silent == b""
    assert huge.status_code == 431


async def _once(target: ServiceTarget) -> bytes:
    """_line() on a connection of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", target.listen_port)
    said = await _line(reader, writer)
    await _close(writer)
    return said


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        await writer.wait_closed()


async def _line(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """One line there and back; b"" if the connection is closed to us."""
    try:
        writer.write(b"a\n")
        return await asyncio.wait_for(reader.readline(), 5)
    except ConnectionError:
        return b""
