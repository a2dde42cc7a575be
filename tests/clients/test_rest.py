"""The REST client against a real HTTP server that records what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from clients.rest import ProblemError, Steelyard


class Api(ThreadingHTTPServer):
    """Answers each request with `answer`; `asked` is (method, path, token, body)."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str, str | None, Any]] = []
        self.answer: tuple[int, str, bytes] = (200, "application/json", b"{}")


class Handler(BaseHTTPRequestHandler):
    server: Api

    def _take(self) -> None:
        size = int(self.headers.get("Content-Length", 0))
        body = json.loads(self.rfile.read(size)) if size else None
        self.server.asked.append((self.command, self.path, self.headers["Authorization"], body))
        status, kind, content = self.server.answer
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Location", "/elsewhere")
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_DELETE = _take

    def log_message(self, *args: Any) -> None:
        """Silence: the test reads `asked`."""


@pytest.fixture
def api() -> Iterator[Api]:
    """A server on a free port."""
    with Api() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def steelyard(api: Api) -> Iterator[Steelyard]:
    """A client of that server."""
    with Steelyard(f"http://127.0.0.1:{api.server_port}/", "sly_1_secret") as client:
        yield client


def test_each_call_is_one_request(api: Api, steelyard: Steelyard) -> None:
    """Methods, paths, bodies and the token are the API's."""
    steelyard.place({"kind": "job", "name": "encode", "demand": {"cpu": 1}})
    steelyard.place([{"kind": "job", "name": "a"}, {"kind": "job", "name": "b"}])
    steelyard.place_gang([{"kind": "job", "name": "a"}])
    steelyard.preemption({"kind": "job", "name": "a"})
    steelyard.hosts(label="zone=a", page=None)
    steelyard.drain("h1")
    steelyard.release(7)
    steelyard.create_host_token(name="h1")
    steelyard.shard("a/../b")
    steelyard.delete("services/web/")
    asked = [(method, path, body) for method, path, _, body in api.asked]

    assert {"Token sly_1_secret"} == {token for _, _, token, _ in api.asked}
    assert asked == [
        ("POST", "/api/v1/placements/", {"kind": "job", "name": "encode", "demand": {"cpu": 1}}),
        ("POST", "/api/v1/placements/", [{"kind": "job", "name": "a"}, {"kind": "job", "name": "b"}]),
        ("POST", "/api/v1/placements/", {"gang": [{"kind": "job", "name": "a"}]}),
        ("POST", "/api/v1/placements/preemption/", {"kind": "job", "name": "a"}),
        ("GET", "/api/v1/hosts/?label=zone%3Da", None),
        ("POST", "/api/v1/hosts/h1/drain/", {}),
        ("POST", "/api/v1/placements/7/release/", {}),
        ("POST", "/api/v1/host-tokens/", {"name": "h1"}),
        ("GET", "/api/v1/shards/a%2F..%2Fb/", None),
        ("DELETE", "/api/v1/services/web/", None),
    ]


def test_a_problem_document_becomes_an_error(api: Api, steelyard: Steelyard) -> None:
    """Status, title, detail and the fields' errors are kept."""
    problem = {
        "title": "Invalid load",
        "detail": "cpu",
        "errors": [{"field": "demand.cpu", "code": "negative"}],
    }
    api.answer = (400, "application/problem+json", json.dumps(problem).encode())
    with pytest.raises(ProblemError, match="400 Invalid load: cpu") as caught:
        steelyard.place({"kind": "job"})

    assert (caught.value.status, caught.value.errors) == (400, problem["errors"])


@pytest.mark.parametrize("content", [b"<html>", b"[1]", b"", b'{"title": null}'])
def test_an_error_without_a_document_is_one_too(api: Api, steelyard: Steelyard, content: bytes) -> None:
    """Whatever a proxy answers, the status and its phrase remain."""
    api.answer = (502, "text/html", content)
    with pytest.raises(ProblemError, match="502 Bad Gateway"):
        steelyard.status()


def test_what_would_have_to_leave_is_kept(api: Api, steelyard: Steelyard) -> None:
    """A refusal's proposal, and None where it makes none."""
    for more, expected in (({"preemption": {"sentence": "s"}}, {"sentence": "s"}), ({}, None)):
        api.answer = (409, "application/problem+json", json.dumps({"title": "Conflict", **more}).encode())
        with pytest.raises(ProblemError) as caught:
            steelyard.place({"kind": "job"})
        assert caught.value.preemption == expected


def test_a_redirect_is_not_followed(api: Api, steelyard: Steelyard) -> None:
    """The token goes nowhere else."""
    api.answer = (302, "text/html", b"")
    with pytest.raises(ProblemError, match="302"):
        steelyard.status()

    assert len(api.asked) == 1


def test_an_empty_answer_is_none(api: Api, steelyard: Steelyard) -> None:
    """204 has no body; "." and ".." cannot name a host."""
    api.answer = (204, "application/json", b"")

    assert steelyard.cordon("h1") is None
    with pytest.raises(ValueError, match="names nothing"):
        steelyard.host("..")
