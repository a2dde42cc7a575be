"""Where a request goes: to services by weight, elsewhere by a redirect, or nowhere, answered on the spot."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from console.engines.target.checks import InvalidTarget, check_integer
from console.engines.target.words import (
    check_host,
    check_label,
    check_path,
    check_regex,
    check_substitution,
)

MOST_SHARE: Final = 1_000_000
LONGEST_BODY: Final = 4096


class Destination(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A service and its share of the requests, relative to the other destinations'. 0: none for now."""

    service: str
    weight: int = 1

    def __post_init__(self) -> None:
        check_label("service", self.service)
        check_integer("weight", self.weight, MOST_SHARE, least=0)


class Rewrite(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the endpoint is asked for instead. prefix: in the place of the route's prefix or path; regex and
    substitution: every match in the path; host: the host name."""

    prefix: str | None = None
    regex: str | None = None
    substitution: str = ""
    host: str | None = None

    def __post_init__(self) -> None:
        if self.prefix is not None and self.regex is not None:
            raise InvalidTarget("regex", "prefix is there already; one of them")
        if self.prefix is not None:
            check_path("prefix", self.prefix)
        if self.regex is not None:
            check_substitution("substitution", self.substitution, check_regex("regex", self.regex))
        elif self.substitution:
            raise InvalidTarget("substitution", "goes with a regex")
        if self.host is not None:
            check_host("host", self.host)
            if self.host.startswith("*"):
                raise InvalidTarget("host", "is one name, without '*'")


class Redirect(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The client shall ask elsewhere; what is left out stays as it was asked for.

    path: the whole path; prefix: in the place of the route's.
    """

    https: bool = False
    host: str | None = None
    port: int | None = None
    path: str | None = None
    prefix: str | None = None
    status: Literal[301, 302, 303, 307, 308] = 308
    keep_query: bool = True

    def __post_init__(self) -> None:
        if self.host is not None:
            check_host("host", self.host)
            if self.host.startswith("*"):
                raise InvalidTarget("host", "is one name, without '*'")
        if self.port is not None:
            check_integer("port", self.port, 65_535)
        if self.path is not None and self.prefix is not None:
            raise InvalidTarget("prefix", "path is there already; one of them")
        for field in ("path", "prefix"):
            if getattr(self, field) is not None:
                check_path(field, getattr(self, field))
        if not (self.https or self.host or self.port or self.path or self.prefix):
            raise InvalidTarget("https", "a redirect to the same place would never end; say what changes")


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """An answer without asking anybody."""

    status: int
    body: str = ""

    def __post_init__(self) -> None:
        check_integer("status", self.status, 599, least=200)
        if len(self.body.encode()) > LONGEST_BODY:
            raise InvalidTarget("body", f"at most {LONGEST_BODY} bytes")
