"""What is spoken with endpoints, through a real Envoy: HTTP/2, gRPC, TLS, the line that names the client."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
import pytest_asyncio
from engine_backends import Backend
from envoy_rig import EnvoyRig, answers, eventually, url
from pool_backends import PathBackend, pooled

from console.engines.envoy import admin
from console.engines.target import EndpointTarget, ServiceTarget
from console.engines.target.pool import Check, Ejection, Pool, Upstream, UpstreamTls
from console.engines.target.secrets import Certificate

pytestmark = pytest.mark.asyncio(loop_scope="module")

Serve = Callable[[Any], Awaitable[Any]]


@pytest_asyncio.fixture(loop_scope="module")
async def echo_server() -> AsyncIterator[EndpointTarget]:
    """A gRPC server that sends back what it got: it speaks HTTP/2 and nothing else."""

    async def echo(request: bytes, _: Any) -> bytes:
        return request

    async def repeat(requests: AsyncIterator[bytes], _: Any) -> AsyncIterator[bytes]:
        async for request in requests:
            yield request

    handler = grpc.method_handlers_generic_handler(
        "Test",
        {
            "Echo": grpc.unary_unary_rpc_method_handler(echo),
            "Repeat": grpc.stream_stream_rpc_method_handler(repeat),
        },
    )
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield EndpointTarget("g1", "127.0.0.1", port)
    await server.stop(0)


async def _echo(target: ServiceTarget) -> bytes:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{target.listen_port}") as channel:
        answer: bytes = await channel.unary_unary("/Test/Echo")(b"hello", timeout=5, wait_for_ready=True)
        return answer


@pytest.mark.parametrize("protocol", ["http2", "same"])
async def test_grpc_reaches_its_server(rig: EnvoyRig, echo_server: EndpointTarget, protocol: Any) -> None:
    """With HTTP/2 to the endpoint, a gRPC call is answered, trailers and all."""
    calls = pooled("calls", "http", Pool(upstream=Upstream(protocol)), echo_server)
    await rig.publish(calls)

    assert await _echo(calls) == b"hello"


async def test_grpc_streams_both_ways(rig: EnvoyRig, echo_server: EndpointTarget) -> None:
    """Each message is answered before the next one is sent: nothing is held until the call ends, nor is it cut."""
    calls = pooled("calls", "http", Pool(upstream=Upstream("http2")), echo_server)
    await rig.publish(calls)
    answers = []
    async with grpc.aio.insecure_channel(f"127.0.0.1:{calls.listen_port}") as channel:
        stream = channel.stream_stream("/Test/Repeat")(timeout=10, wait_for_ready=True)
        for message in (b"one", b"two", b"three"):
            await stream.write(message)
            answers.append(await stream.read())
        await stream.done_writing()
        end = await stream.read()

    assert answers == [b"one", b"two", b"three"]
    assert end is grpc.aio.EOF


async def test_grpc_fails_where_http1_is_spoken(rig: EnvoyRig, echo_server: EndpointTarget) -> None:
    """The default is HTTP/1.1: the setting is what makes the difference."""
    calls = pooled("calls", "http", Pool(), echo_server)
    await rig.publish(calls)

    with pytest.raises(grpc.aio.AioRpcError):
        await _echo(calls)


async def test_same_speaks_http1_with_clients_of_http1(rig: EnvoyRig, serve: Serve) -> None:
    """One pool for both: the endpoint hears what the client speaks."""
    backend = await serve(PathBackend("web"))
    web = pooled("web", "http", Pool(upstream=Upstream("same")), backend.endpoint())
    await rig.publish(web)

    assert await answers(web, 3) == {"web": 3}


def _certificate(folder: Path, name: str, subject: str) -> tuple[Path, Path]:
    """A certificate for subject that signs itself, and its key."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}-key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
               "-keyout", str(key), "-out", str(certificate), "-days", "2", "-subj", f"/CN={subject}",
               "-addext", f"subjectAltName=DNS:{subject}"]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


def _server_side(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["http/1.1"])
    return context


@pytest.fixture(scope="module")
def tls_server(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    """A server's side of TLS for shop.test, and the certificate that signs it."""
    certificate, key = _certificate(tmp_path_factory.mktemp("tls"), "shop", "shop.test")
    return _server_side(certificate, key), certificate


async def test_tls_is_verified_unless_that_is_off(
    rig: EnvoyRig, serve: Serve, tls_server: tuple[ssl.SSLContext, Path]
) -> None:
    """A certificate that nobody known has signed is refused; without verifying it is taken, name and all."""
    context, _ = tls_server
    names: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    backend = await serve(PathBackend("web", tls=context))
    verified, trusting = (
        pooled("web", "http", Pool(upstream=Upstream(tls=tls), check=Check("off")), backend.endpoint())
        for tls in (UpstreamTls(server_name="shop.test"), UpstreamTls(server_name="shop.test", verify=False))
    )
    node = await rig.publish(verified, trusting)
    refused = await answers(verified, 2)
    why = (await admin.get(str(rig.envoy.admin_socket), f"/stats?filter=cluster.{verified.name}.ssl")).text

    assert node.rejections == ()
    assert refused == {"503": 2}
    assert f"cluster.{verified.name}.ssl.fail_verify_error: 0" not in why
    assert await answers(trusting, 3) == {"web": 3}
    assert set(names) == {"shop.test"}


async def test_authority_names_and_our_own_certificate(
    rig: EnvoyRig, serve: Serve, tls_server: tuple[ssl.SSLContext, Path]
) -> None:
    """Signed by the named authority and for the right name: taken. Another name: refused. And we show who we are."""
    folder = tls_server[1].parent
    ours, our_key = _certificate(folder, "ours", "engine.test")
    context = _server_side(tls_server[1], folder / "shop-key.pem")
    context.load_verify_locations(ours)
    context.verify_mode = ssl.CERT_REQUIRED
    backend = await serve(PathBackend("web", tls=context))
    certificates = (
        Certificate("authority", ca=tls_server[1].read_text()),
        Certificate("ours", ours.read_text(), our_key.read_text()),
    )
    found = []
    for tls in (
        UpstreamTls("authority", "shop.test", certificate="ours"),
        UpstreamTls("authority", "shop.test", names=("*.other.test", "other.test"), certificate="ours"),
        UpstreamTls("authority", "shop.test"),
    ):
        pool = Pool(upstream=Upstream(tls=tls), check=Check("off"), ejection=Ejection(on=False))
        web = pooled("web", "http", pool, backend.endpoint())
        node = await rig.publish(web, certificates=certificates)
        assert node.rejections == ()
        found.append(await answers(web, 2))

    assert found == [{"web": 2}, {"503": 2}, {"503": 2}]


async def test_what_is_preferred_is_agreed_on_in_tls(
    rig: EnvoyRig, serve: Serve, tls_server: tuple[ssl.SSLContext, Path]
) -> None:
    """auto: this server takes HTTP/1.1 by ALPN, and gets it, check included."""
    backend = await serve(PathBackend("web", tls=tls_server[0]))
    upstream = Upstream("auto", tls=UpstreamTls(verify=False))
    pool = Pool(upstream=upstream, check=Check("http", interval_s=0.2))
    web = pooled("web", "http", pool, backend.endpoint())
    await rig.publish(web)

    assert await rig.becomes(web.name, backend.endpoint().key, "healthy")
    assert await answers(web, 3) == {"web": 3}


@pytest.mark.parametrize("protocol", ["http", "tcp"])
@pytest.mark.parametrize("line", ["v1", "v2"])
async def test_the_client_is_named_to_the_endpoint(
    rig: EnvoyRig, serve: Serve, protocol: Any, line: Any
) -> None:
    """PROXY protocol: before anything else stands who the client is; the check's own connections say nobody."""
    backend = await serve(PathBackend("web", proxy_line=line))
    pool = Pool(upstream=Upstream(proxy_line=line), check=Check("off"))
    web = pooled("web", protocol, pool, backend.endpoint())
    await rig.publish(web)
    transport = httpx.AsyncHTTPTransport(local_address="127.0.0.9")
    async with httpx.AsyncClient(transport=transport) as client:
        answer = await client.get(url(web))

    assert answer.text == "web"
    said = backend.lines[0]
    if line == "v1":
        assert said.startswith(b"PROXY TCP4 127.0.0.9 127.0.0.1 ")
    else:
        assert said.startswith(b"\r\n\r\n\x00\r\nQUIT\n\x21\x11")
        assert said[16:20] == bytes([127, 0, 0, 9])


async def test_tcp_services_can_have_tls_behind(
    rig: EnvoyRig, serve: Serve, tls_server: tuple[ssl.SSLContext, Path]
) -> None:
    """Clear text in front, TLS to the endpoint, its check through TLS too."""
    backend: Backend = await serve(PathBackend("web", tls=tls_server[0]))
    pool = Pool(upstream=Upstream(tls=UpstreamTls(verify=False)), check=Check(interval_s=0.2))
    lines = pooled("lines", "tcp", pool, backend.endpoint())
    await rig.publish(lines)
    assert await rig.becomes(lines.name, backend.endpoint().key, "healthy")

    async def served() -> bool:
        return await answers(lines, 1) == {"web": 1}

    assert await eventually(served)
