"""What endpoints are protected by: how much at once, and how connections to them are made and kept."""

from __future__ import annotations

import msgspec

from console.engines.target.checks import check_integer
from console.engines.target.pool.values import DAY_S, check_bool, check_number, check_number_or_off

#: A usual engine has 1,024 here, and 3 retries at once: a trap under load, and 3 retries mean that a dying host's
#: other requests fail. Memory bounds us before this does.
MOST_CONCURRENT = 65_536


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How much of a service one engine lets be under way at once; what is above is answered 503 at once.

    connections, pending (requests that wait for a connection), requests: of all endpoints together.
    endpoint_connections: of each endpoint, 0 is no limit; what is above waits, as pending. retry_percent: of the
    requests under way may be retries, and least_retries may be in any case: without a limit, retries multiply the
    load of servers that fail from load.
    """

    connections: int = MOST_CONCURRENT
    pending: int = MOST_CONCURRENT
    requests: int = MOST_CONCURRENT
    endpoint_connections: int = 0
    retry_percent: float = 20.0
    least_retries: int = 256

    def __post_init__(self) -> None:
        # Not even one pending request would be none at all: each is pending until its connection is made.
        for field in ("connections", "pending", "requests"):
            check_integer(field, getattr(self, field), 10_000_000)
        check_integer("endpoint_connections", self.endpoint_connections, 1_000_000, least=0)
        check_number("retry_percent", self.retry_percent, 0, 100)
        check_integer("least_retries", self.least_retries, 1_000_000, least=0)


class Connections(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The connections to endpoints. A number of 0 is off.

    idle_s: an HTTP connection without a request is closed; the default is less than what servers wait (gunicorn
    2 s, others 5 s), for a POST that is sent into the moment of their closing is lost and may not be retried.
    requests_most: of one connection. age_most_s: after it, a connection takes no new request.
    keepalive_s, keepalive_interval_s, keepalive_probes: TCP's own; the default finds a peer that vanished within
    half a minute. ping_s: HTTP/2's own. close_when_unhealthy: connections of tcp services are closed when the
    endpoint's check fails, so that clients connect anew to one that serves, and at the end of a drain.
    """

    connect_timeout_s: float = 1.0
    idle_s: float = 1.5
    requests_most: int = 0
    age_most_s: float = 0.0
    keepalive_s: int = 15
    keepalive_interval_s: int = 5
    keepalive_probes: int = 3
    ping_s: float = 0.0
    close_when_unhealthy: bool = True

    def __post_init__(self) -> None:
        check_number("connect_timeout_s", self.connect_timeout_s, 0.01, 300)
        check_number_or_off("idle_s", self.idle_s, 0.01, DAY_S)
        check_integer("requests_most", self.requests_most, 10_000_000, least=0)
        check_number_or_off("age_most_s", self.age_most_s, 0.01, 30 * DAY_S)
        check_integer("keepalive_s", self.keepalive_s, 7200, least=0)
        check_integer("keepalive_interval_s", self.keepalive_interval_s, 7200)
        check_integer("keepalive_probes", self.keepalive_probes, 100)
        check_number_or_off("ping_s", self.ping_s, 0.1, DAY_S)
        check_bool("close_when_unhealthy", self.close_when_unhealthy)


class Sessions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What belongs together of a udp service: the datagrams of one client address and port.

    idle_s: a session without a datagram ends. per_packet: there are none, each datagram is shared out for itself.
    """

    idle_s: float = 60.0
    per_packet: bool = False

    def __post_init__(self) -> None:
        check_number("idle_s", self.idle_s, 0.01, DAY_S)
        check_bool("per_packet", self.per_packet)
