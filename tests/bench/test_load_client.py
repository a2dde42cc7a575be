"""What the load generator's client makes of a server's answers."""

from __future__ import annotations

import asyncio

import pytest

from bench.load.client import Answer, Pool, ProtocolError, Target

CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nx-host: c\r\n\r\n4\r\nwiki\r\n5;x=y\r\npedia\r\n0\r\n\r\n"
NAMED = b'HTTP/1.1 503 No\r\ncontent-type: application/json\r\ncontent-length: 13\r\n\r\n{"host": "b"}'


async def ask(answer: bytes, piece_bytes: int, times: int = 1) -> tuple[list[Answer], int]:
    """The answers of a server that sends these bytes in pieces each time, and over how many connections."""
    connections = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        for _ in range(times):
            try:
                await reader.readuntil(b"\r\n\r\n")
            except (asyncio.IncompleteReadError, ConnectionError):
                break
            for start in range(0, len(answer), piece_bytes):
                writer.write(answer[start : start + piece_bytes])
                await asyncio.sleep(0)
            if not answer or b"close" in answer or b"shorter" in answer:
                break
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        pool = Pool(Target.parse(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"))
        try:
            async with asyncio.timeout(10):
                return [await pool.ask() for _ in range(times)], connections
        finally:
            pool.close()


@pytest.mark.parametrize("piece_bytes", [1, 7, 10_000])
@pytest.mark.parametrize(
    ("answer", "expected", "connections"),
    [
        (CHUNKED, Answer(200, "c", 9), 1),
        (NAMED, Answer(503, "b", 13), 1),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", Answer(200, "", 0), 1),
        (b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n", Answer(204, "", 0), 3),
    ],
)
async def test_good_answers(answer: bytes, expected: Answer, connections: int, piece_bytes: int) -> None:
    """Chunked, JSON and empty answers are read whole or byte by byte; a connection is kept unless it says close."""
    assert await ask(answer, piece_bytes, times=3) == ([expected] * 3, connections)


@pytest.mark.parametrize("piece_bytes", [1, 10_000])
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"SMTP ready\r\n\r\n", ProtocolError),
        (b"HTTP/1.1 abc\r\n\r\n", ProtocolError),
        (b"HTTP/1.1 200 OK\r\n\r\nno length", ProtocolError),
        (CHUNKED.replace(b"4\r\nwiki", b"wiki"), ProtocolError),
        (NAMED.replace(b"}", b"]"), ProtocolError),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 30\r\n\r\nshorter", ConnectionResetError),
        (b"", ConnectionResetError),
    ],
)
async def test_broken_answers(answer: bytes, error: type[Exception], piece_bytes: int) -> None:
    """An answer that is cut off is a reset; one that is no HTTP with a length is a protocol error."""
    with pytest.raises(error):
        await ask(answer, piece_bytes)


async def test_more_than_the_length_is_an_error() -> None:
    """Bytes beyond the stated length belong to nobody: the answer is not believed."""
    with pytest.raises(ProtocolError, match="more came"):
        await ask(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nlonger", 10_000)


@pytest.mark.parametrize(
    "url", ["https://h/", "h:80/", "http:///x", "http://h/a b", "http://h/\r\nx: y", "http://h:x/"]
)
def test_bad_urls_are_refused(url: str) -> None:
    """What is no plain http address, or would break the request line, is refused before anything is sent."""
    with pytest.raises(ValueError):
        Target.parse(url)


def test_path_and_query_go_into_the_request() -> None:
    """The request carries path and query, and the port belongs to the host header."""
    target = Target.parse("http://10.0.0.1:81/burn?ms=5")

    assert (target.host, target.port) == ("10.0.0.1", 81)
    assert target.request.startswith(b"GET /burn?ms=5 HTTP/1.1\r\nhost: 10.0.0.1:81\r\n")
