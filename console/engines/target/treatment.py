"""What is done to a request on its way; said for a whole service, and otherwise for one of its routes."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from console.engines.target.checks import InvalidTarget, check_integer, check_unique
from console.engines.target.words import (
    check_between,
    check_header,
    check_label,
    check_labels,
    check_methods,
    check_seconds,
    check_settable,
    check_value,
)

RetryOn = Literal["unsent", "reset", "5xx", "gateway-error"]
LONGEST_S: Final = 86_400.0
MOST: Final = 100


class Retries(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Asking another endpoint. unsent: the request never left; reset: the connection broke under it; 5xx and
    gateway-error (502, 503, 504): the answer said so; statuses: further ones.

    What may have reached an application is asked again only for methods that HTTP calls safe, unless any_method.
    attempts: further ones after the first. per_try_timeout_s: of each; one that ran out is tried again elsewhere.
    hedge: without giving up the slow one; the first answer wins (safe methods only).
    """

    on: tuple[RetryOn, ...] = ("unsent", "reset")
    statuses: tuple[int, ...] = ()
    attempts: int = 3
    per_try_timeout_s: float | None = None
    hedge: bool = False
    any_method: bool = False

    def __post_init__(self) -> None:
        check_unique("on", self.on)
        for place, status in enumerate(self.statuses):
            check_integer(f"statuses[{place}]", status, 599, least=400)
        check_unique("statuses", map(str, self.statuses))
        check_integer("attempts", self.attempts, 10, least=0)
        check_seconds("per_try_timeout_s", self.per_try_timeout_s, LONGEST_S, least=0.001)
        if self.hedge and self.per_try_timeout_s is None:
            raise InvalidTarget("hedge", "needs per_try_timeout_s: when to ask a second endpoint")
        if self.hedge and self.any_method:
            raise InvalidTarget("hedge", "asks twice at once, which any_method does not bear")


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A header. add: beside one that is there; else in its place."""

    name: str
    value: str
    add: bool = False

    def __post_init__(self) -> None:
        check_settable("name", self.name)
        check_value("value", self.value)


class Headers(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is changed in the headers of requests on their way in and of answers on their way out."""

    request: tuple[Header, ...] = ()
    request_remove: tuple[str, ...] = ()
    response: tuple[Header, ...] = ()
    response_remove: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for field in ("request_remove", "response_remove"):
            for place, name in enumerate(getattr(self, field)):
                check_settable(f"{field}[{place}]", name)
            check_unique(field, getattr(self, field))
        for field in ("request", "response"):
            if len(getattr(self, field)) > MOST:
                raise InvalidTarget(field, f"at most {MOST}")


class Mirror(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A copy of the request to another service, whose answer nobody waits for."""

    service: str
    percent: float = 100.0

    def __post_init__(self) -> None:
        check_label("service", self.service)
        check_between("percent", self.percent, 0, 100)


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Trouble made on purpose, for tests: percent of the requests (of those with the header, where one is named)
    wait delay_s, or get abort_status, or both."""

    percent: float
    delay_s: float | None = None
    abort_status: int | None = None
    header: str | None = None

    def __post_init__(self) -> None:
        check_between("percent", self.percent, 0, 100)
        check_seconds("delay_s", self.delay_s, 600, least=0.001)
        if self.abort_status is not None:
            check_integer("abort_status", self.abort_status, 599, least=200)
        if self.header is not None:
            check_header("header", self.header)
        if self.percent and self.delay_s is None and self.abort_status is None:
            raise InvalidTarget("delay_s", "or abort_status, or both; or percent 0 for no trouble")


class Cors(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which other sites' pages may ask. origins: "https://shop.example", or "*" for all (then without credentials);
    none: no page of another site."""

    origins: tuple[str, ...]
    methods: tuple[str, ...] = ("GET", "HEAD", "POST")
    headers: tuple[str, ...] = ()
    exposed: tuple[str, ...] = ()
    credentials: bool = False
    max_age_s: int = 600

    def __post_init__(self) -> None:
        for place, origin in enumerate(self.origins):
            scheme, _, rest = origin.partition("://")
            if origin != "*" and (
                scheme not in ("http", "https")
                or not rest
                or not rest.isascii()
                or set(rest) & set("/*,? \t\r\n")
            ):
                raise InvalidTarget(
                    f"origins[{place}]", f"{origin!r} is no origin, for instance https://shop.example"
                )
        check_unique("origins", self.origins)
        if "*" in self.origins and self.credentials:
            raise InvalidTarget("credentials", "can't be given to the pages of every site")
        check_methods("methods", self.methods)
        for field in ("headers", "exposed"):
            for place, name in enumerate(getattr(self, field)):
                check_header(f"{field}[{place}]", name)
        check_integer("max_age_s", self.max_age_s, 86_400, least=0)


class RateLimit(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """At most so many requests in so many seconds, at each engine: of all clients together, or of each address."""

    requests: int
    per_s: float = 1.0
    of: Literal["all", "client"] = "all"

    def __post_init__(self) -> None:
        check_integer("requests", self.requests, 10_000_000)
        check_seconds("per_s", self.per_s, LONGEST_S, least=0.05)


class Treatment(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is done to requests. None: on a route, as the service says; on a service, what the reader expects.

    timeout_s: for the whole answer, 0 for ever (a service's usual: 0). stream_idle_s: how long both sides may be
    silent within a request, 0 for ever (usual: 300). retries: usual: what was not sent, and safe methods whose
    connection broke. max_body_bytes: of a request, which is then held until it is whole (no WebSocket, no
    streams); 0: any size. jwt: any of these token providers must vouch; api_keys: any of these keys must be shown;
    empty: none. websocket: whether connections may be upgraded (usual: yes).
    """

    timeout_s: float | None = None
    stream_idle_s: float | None = None
    retries: Retries | None = None
    headers: Headers | None = None
    mirror: Mirror | None = None
    fault: Fault | None = None
    cors: Cors | None = None
    rate_limits: tuple[RateLimit, ...] | None = None
    max_body_bytes: int | None = None
    jwt: tuple[str, ...] | None = None
    api_keys: tuple[str, ...] | None = None
    websocket: bool | None = None

    def __post_init__(self) -> None:
        check_seconds("timeout_s", self.timeout_s, LONGEST_S)
        check_seconds("stream_idle_s", self.stream_idle_s, LONGEST_S)
        if self.rate_limits is not None:
            check_unique("rate_limits", (each.of for each in self.rate_limits))
        if self.max_body_bytes is not None:
            check_integer("max_body_bytes", self.max_body_bytes, 2**30, least=0)
            if self.max_body_bytes and self.websocket:
                raise InvalidTarget(
                    "websocket", "does not go with max_body_bytes, which holds a request until it ends"
                )
        if self.jwt is not None:
            check_labels("jwt", self.jwt)
        if self.api_keys is not None:
            check_labels("api_keys", self.api_keys)
            if len(self.api_keys) > 10_000:
                raise InvalidTarget("api_keys", "at most 10000")
