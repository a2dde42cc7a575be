"""How it is found out that an endpoint does not serve: by asking it, and by what its requests say."""

from __future__ import annotations

import re
from typing import Literal, get_args

import msgspec

from console.engines.target.checks import InvalidTarget, check_choice, check_integer
from console.engines.target.pool.values import (
    DAY_S,
    HEX_PATTERN,
    HOST_PATTERN,
    PATH_PATTERN,
    check_bool,
    check_number,
    check_number_or_off,
    check_text,
)

CheckKind = Literal["auto", "connect", "http", "grpc", "datagram", "off"]
CheckMethod = Literal["GET", "HEAD", "OPTIONS"]

#: What one kind alone reads, and what it has there if nothing is said.
_ONLY: dict[str, tuple[CheckKind, object]] = {
    "path": ("http", "/"),
    "host": ("http", ""),
    "method": ("http", "GET"),
    "statuses": ("http", ("200-299",)),
    "service": ("grpc", ""),
}
_STATUS_PATTERN = re.compile(r"(?P<first>[1-5][0-9]{2})(-(?P<last>[1-5][0-9]{2}))?")
_SERVICE_PATTERN = re.compile(r"[A-Za-z0-9_.-]{0,256}")
MOST_STATUSES = 32


def status_range(text: str) -> tuple[int, int]:
    """First and last status of "200" or "200-299". Raises InvalidTarget."""
    found = _STATUS_PATTERN.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise InvalidTarget("statuses", f"{text!r} is neither a status (200) nor a range (200-299)"[:300])
    first, last = int(found["first"]), int(found["last"] or found["first"])
    if last < first:
        raise InvalidTarget("statuses", f"{text!r} ends before it begins")
    return first, last


class Check(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The question that each engine asks each endpoint, again and again.

    kind: auto is connect for http and tcp, and off for udp, where nothing answers a question that it does not know.
    path, host, method, statuses: of the http check; host "" is the service's name. service: of the grpc check
    (grpc.health.v1), "" asks for the whole server. send_hex, expect_hex: bytes sent after connecting, or as a
    datagram, and bytes that the answer must contain. port: 0 is the endpoint's own.
    interval_s: between two questions, jitter_percent more or less. unhealthy_interval_s: while the endpoint does
    not serve; 0 is the same. unhealthy_after, healthy_after: answers in a row, bad or good, that change the state.
    """

    kind: CheckKind = "auto"
    path: str = "/"
    host: str = ""
    method: CheckMethod = "GET"
    statuses: tuple[str, ...] = ("200-299",)
    service: str = ""
    send_hex: str = ""
    expect_hex: str = ""
    port: int = 0
    interval_s: float = 1.0
    unhealthy_interval_s: float = 0.0
    timeout_s: float = 1.0
    unhealthy_after: int = 2
    healthy_after: int = 1
    jitter_percent: int = 10

    def __post_init__(self) -> None:
        check_choice("kind", self.kind, get_args(CheckKind))
        check_text("path", self.path, PATH_PATTERN, "a path that begins with / (no spaces, no #)")
        if self.host:
            check_text("host", self.host, HOST_PATTERN, "a host's name or address")
        check_choice("method", self.method, get_args(CheckMethod))
        if not 1 <= len(self.statuses) <= MOST_STATUSES:
            raise InvalidTarget("statuses", f"{len(self.statuses)} statuses are not 1 to {MOST_STATUSES}")
        for status in self.statuses:
            status_range(status)
        check_text("service", self.service, _SERVICE_PATTERN, "the name of a gRPC service")
        for field in ("send_hex", "expect_hex"):
            check_text(field, getattr(self, field), HEX_PATTERN, "at most 512 bytes in hex (0-9, a-f)")
        if self.kind == "datagram" and not (self.send_hex and self.expect_hex):
            raise InvalidTarget("send_hex", "a datagram check needs both send_hex and expect_hex")
        for field, (kind, usual) in _ONLY.items():
            if self.kind != kind and getattr(self, field) != usual:
                raise InvalidTarget(field, f"is of the {kind} check, and this is {self.kind}")
        if self.kind not in ("auto", "connect", "datagram") and (self.send_hex or self.expect_hex):
            raise InvalidTarget("send_hex", f"a check of the kind {self.kind} sends no bytes of your own")
        check_integer("port", self.port, 65_535, least=0)
        check_number("interval_s", self.interval_s, 0.1, 3600)
        check_number_or_off("unhealthy_interval_s", self.unhealthy_interval_s, 0.1, 3600)
        check_number("timeout_s", self.timeout_s, 0.01, 300)
        check_integer("unhealthy_after", self.unhealthy_after, 100)
        check_integer("healthy_after", self.healthy_after, 100)
        check_integer("jitter_percent", self.jitter_percent, 100, least=0)


class Ejection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """When an endpoint is left out for a while because of what happened to its requests. A number of 0 is off.

    errors_in_a_row: answers of 500 and above; gateway_errors_in_a_row: 502, 503 and 504 alone. failures_in_a_row:
    requests that got no answer, or connections that came to nothing. failure_percent: of the requests of one
    window_s. success_rate_factor: how many standard deviations below the mean of all endpoints' success rates.
    The last two look only at endpoints with least_requests in the window, and only if least_endpoints have them.
    first_s: how long the first time; each time in a row is as much longer, up to most_s, and up to jitter_s more
    by chance. most_percent: of the endpoints may be out at once. check_ends: a good answer to the check ends it.
    """

    on: bool = True
    errors_in_a_row: int = 5
    gateway_errors_in_a_row: int = 0
    failures_in_a_row: int = 3
    failure_percent: int = 60
    success_rate_factor: float = 0.0
    least_endpoints: int = 3
    least_requests: int = 20
    window_s: float = 1.0
    first_s: float = 5.0
    most_s: float = 60.0
    jitter_s: float = 0.0
    most_percent: int = 50
    check_ends: bool = False

    def __post_init__(self) -> None:
        check_bool("on", self.on)
        for field in ("errors_in_a_row", "gateway_errors_in_a_row", "failures_in_a_row"):
            check_integer(field, getattr(self, field), 10_000, least=0)
        check_integer("failure_percent", self.failure_percent, 100, least=0)
        check_number_or_off("success_rate_factor", self.success_rate_factor, 0.1, 10)
        check_integer("least_endpoints", self.least_endpoints, 10_000)
        check_integer("least_requests", self.least_requests, 1_000_000)
        check_number("window_s", self.window_s, 0.1, 3600)
        check_number("first_s", self.first_s, 0.1, DAY_S)
        check_number("most_s", self.most_s, self.first_s, DAY_S)
        check_number("jitter_s", self.jitter_s, 0, 3600)
        check_integer("most_percent", self.most_percent, 100, least=0)
        check_bool("check_ends", self.check_ends)
