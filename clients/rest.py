"""The REST API of the control plane as Python calls, thin over httpx.

    with Steelyard("https://console:8000", token) as steelyard:
        decision = steelyard.place({"kind": "job", "name": "encode", "demand": {"cpu": 2, "memory": 2**30}})

Answers are what the API's JSON says. Errors come as ProblemError, a problem document (RFC 9457).
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from functools import cache
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

API = "/api/v1/"
TIMEOUT_S = 10.0


class ProblemError(Exception):
    """The API refused. errors: what the document says of single fields; hosts: of each host; preemption: of what
    would have to leave, None where it says nothing of that."""

    def __init__(
        self,
        status: int,
        title: str,
        detail: str = "",
        errors: Any = None,
        hosts: Any = None,
        preemption: Any = None,
    ) -> None:
        super().__init__(f"{status} {title}: {detail}" if detail else f"{status} {title}")
        self.status = status
        self.title = title
        self.detail = detail
        self.errors = errors if errors is not None else []
        self.hosts = hosts if hosts is not None else []
        self.preemption = preemption


@cache
def _trust() -> ssl.SSLContext:
    """Whom TLS trusts, for all clients of a process: reading the authorities takes longer than a request."""
    return httpx.create_ssl_context()


class Steelyard:
    """One console, one token. transport: another httpx transport, for tests or a unix socket."""

    def __init__(
        self,
        url: str,
        token: str,
        *,
        timeout_s: float = TIMEOUT_S,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self._http = httpx.Client(
            base_url=self.url + API,
            headers={"Authorization": f"Token {token}", "Accept": "application/json"},
            timeout=timeout_s,
            transport=transport,
            verify=_trust(),
            # A redirect would carry the token to wherever it points.
            follow_redirects=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def get(self, path: str, **query: Any) -> Any:
        """GET a path under /api/v1/, such as "hosts/". Raises ProblemError, httpx.TransportError."""
        return _answer(
            self._http.get(path, params={key: value for key, value in query.items() if value is not None})
        )

    def post(self, path: str, body: Any = None) -> Any:
        """POST JSON to a path under /api/v1/. Raises ProblemError, httpx.TransportError."""
        return _answer(self._http.post(path, json={} if body is None else body))

    def put(self, path: str, body: Any) -> Any:
        """PUT JSON to a path under /api/v1/. Raises ProblemError, httpx.TransportError."""
        return _answer(self._http.put(path, json=body))

    def patch(self, path: str, body: Any) -> Any:
        """PATCH a path under /api/v1/ with a JSON merge patch. Raises ProblemError, httpx.TransportError."""
        return _answer(self._http.patch(path, json=body))

    def delete(self, path: str) -> Any:
        """DELETE a path under /api/v1/. Raises ProblemError, httpx.TransportError."""
        return _answer(self._http.delete(path))

    def status(self) -> Any:
        return self.get("status/")

    def events(self, **query: Any) -> Any:
        return self.get("events/", **query)

    def hosts(self, **query: Any) -> Any:
        return self.get("hosts/", **query)

    def host(self, name: str) -> Any:
        return self.get(f"hosts/{_part(name)}/")

    def cordon(self, host: str) -> Any:
        """Nothing new comes to the host."""
        return self.post(f"hosts/{_part(host)}/cordon/")

    def uncordon(self, host: str) -> Any:
        return self.post(f"hosts/{_part(host)}/uncordon/")

    def drain(self, host: str) -> Any:
        """What is on the host leaves."""
        return self.post(f"hosts/{_part(host)}/drain/")

    def remove_host(self, host: str) -> Any:
        return self.post(f"hosts/{_part(host)}/remove/")

    def create_host_token(self, **fields: Any) -> Any:
        """A one-time token with which one host may join; shown once."""
        return self.post("host-tokens/", fields)

    def services(self, **query: Any) -> Any:
        return self.get("services/", **query)

    def service(self, name: str) -> Any:
        return self.get(f"services/{_part(name)}/")

    def create_service(self, service: Mapping[str, Any]) -> Any:
        return self.post("services/", dict(service))

    def settings(self, service: str) -> Any:
        """A service's settings document."""
        return self.get(f"services/{_part(service)}/settings/")

    def configure(self, service: str, patch: Mapping[str, Any]) -> Any:
        """Change what patch names in a service's settings (RFC 7396); the whole document after it."""
        return self.patch(f"services/{_part(service)}/settings/", dict(patch))

    def place(self, load: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> Any:
        """Place one load, or a list of up to 10,000; the answer has the same form.

        A load with "replicas" is answered as a gang is: {"placements": [...], "wanted": n, "refused": why or None}.
        """
        body: Any = dict(load) if isinstance(load, Mapping) else [dict(one) for one in load]
        return self.post("placements/", body)

    def place_gang(self, loads: Sequence[Mapping[str, Any]]) -> Any:
        """Place all of these loads or none of them."""
        return self.post("placements/", {"gang": [dict(one) for one in loads]})

    def preemption(self, load: Mapping[str, Any]) -> Any:
        """What would have to leave so that the load has room. Nothing leaves."""
        return self.post("placements/preemption/", dict(load))

    def placements(self, **query: Any) -> Any:
        return self.get("placements/", **query)

    def placement(self, placement_id: str | int) -> Any:
        return self.get(f"placements/{_part(placement_id)}/")

    def release(self, placement_id: str | int) -> Any:
        """Give back what a placement reserved."""
        return self.post(f"placements/{_part(placement_id)}/release/")

    def decisions(self, **query: Any) -> Any:
        return self.get("decisions/", **query)

    def decision(self, decision_id: str | int) -> Any:
        return self.get(f"decisions/{_part(decision_id)}/")

    def jobs(self, **query: Any) -> Any:
        return self.get("jobs/", **query)

    def job(self, job_id: str) -> Any:
        return self.get(f"jobs/{_part(job_id)}/")

    def create_job(self, job: Mapping[str, Any]) -> Any:
        return self.post("jobs/", dict(job))

    def shards(self, **query: Any) -> Any:
        return self.get("shards/", **query)

    def shard(self, name: str) -> Any:
        return self.get(f"shards/{_part(name)}/")

    def create_shard(self, shard: Mapping[str, Any]) -> Any:
        return self.post("shards/", dict(shard))


def _part(value: str | int) -> str:
    """A value as one segment of a path, whatever it holds; "." and ".." would be resolved away: refused."""
    text = str(value)
    if text in {"", ".", ".."}:
        raise ValueError(f"{text!r} names nothing")
    return quote(text, safe="")


def _answer(response: httpx.Response) -> Any:
    if response.is_success:
        return response.json() if response.content else None
    try:
        problem = response.json()
    except ValueError:
        problem = None
    if not isinstance(problem, dict):
        problem = {}
    raise ProblemError(
        response.status_code,
        str(problem.get("title") or response.reason_phrase),
        str(problem.get("detail") or ""),
        problem.get("errors"),
        problem.get("hosts"),
        problem.get("preemption"),
    )
