"""Requests: routes, and what is done to a request on its way.

A request is taken by the first route that matches it. What no route takes goes to the service's destinations, or to
its own endpoints where none are named; or nowhere (404) with unmatched="not-found".
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from console.engines.target.checks import InvalidTarget, check_unique
from console.engines.target.jwks import check_jwks
from console.engines.target.matching import Match
from console.engines.target.outcomes import Answer, Destination, Redirect, Rewrite
from console.engines.target.treatment import Treatment
from console.engines.target.words import (
    check_between,
    check_header,
    check_hosts,
    check_label,
    check_path,
    covers,
)

MOST_ROUTES: Final = 1000
MOST_DESTINATIONS: Final = 50
#: A prefix whose slash goes with it is replaced by a regex, of which engines take so much.
LONGEST_REPLACED: Final = 90

Compression = Literal["gzip", "brotli"]


class Route(Treatment, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One route. One of destinations, redirect and answer; none of them: the service's own endpoints.

    name: for people and statistics.
    """

    name: str = ""
    match: Match = Match()
    destinations: tuple[Destination, ...] = ()
    rewrite: Rewrite | None = None
    redirect: Redirect | None = None
    answer: Answer | None = None

    def __post_init__(self) -> None:
        Treatment.__post_init__(self)
        if self.name:
            check_label("name", self.name)
        said = [f for f in ("destinations", "redirect", "answer") if getattr(self, f)]
        if len(said) > 1:
            raise InvalidTarget(said[1], f"{said[0]} is there already; one of them")
        check_destinations(self.destinations)
        if self.rewrite is not None and (self.redirect or self.answer):
            raise InvalidTarget("rewrite", "nothing is asked of an endpoint here")
        for field, whose in (("rewrite", self.rewrite), ("redirect", self.redirect)):
            if whose is not None and whose.prefix is not None and self.match.regex is not None:
                raise InvalidTarget(f"{field}.prefix", "goes with a route that matches by path or prefix")
            if (
                whose is not None
                and whose.prefix is not None
                and self.match.path is None
                and (self.match.prefix or "/").endswith("/")
                and not whose.prefix.endswith("/")
            ):
                raise InvalidTarget(f"{field}.prefix", "ends with '/', as what it replaces does")
        old = self.match.prefix or "/"
        if (
            self.rewrite is not None
            and (self.rewrite.prefix or "").endswith("/")
            and not old.endswith("/")
            and len(old) > LONGEST_REPLACED
        ):
            raise InvalidTarget(
                "rewrite.prefix",
                f"ends with '/', and what it replaces has more than {LONGEST_REPLACED} characters and does not",
            )


class Jwks(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Where a token provider's public keys are: in the text, or at a path of a service that is asked again in time."""

    text: str | None = None
    service: str | None = None
    path: str = "/.well-known/jwks.json"
    keep_s: float = 300.0

    def __post_init__(self) -> None:
        if (self.text is None) == (self.service is None):
            raise InvalidTarget("text", "one of text and service")
        if self.text is not None:
            check_jwks("text", self.text)
        if self.service is not None:
            check_label("service", self.service)
        check_path("path", self.path)
        check_between("keep_s", self.keep_s, 1, 86_400)


class TokenProvider(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Who signs tokens (JWT), and which of its tokens count; one without an end never does.

    header: where a token stands, after "Bearer " in Authorization, alone in any other. forward: whether endpoints
    see it. audiences: any of them; empty: not looked at.
    """

    name: str
    issuer: str
    jwks: Jwks
    audiences: tuple[str, ...] = ()
    header: str = "authorization"
    forward: bool = False

    def __post_init__(self) -> None:
        check_label("name", self.name)
        if not 0 < len(self.issuer) <= 512 or not self.issuer.isprintable():
            raise InvalidTarget("issuer", "1 to 512 printable characters")
        if len(self.audiences) > 100 or any(not 0 < len(each) <= 512 for each in self.audiences):
            raise InvalidTarget("audiences", "at most 100 of 1 to 512 characters")
        check_unique("audiences", self.audiences)
        check_header("header", self.header)


class Http(Treatment, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A service's requests. hosts: the host names it answers to, empty for all; others get 404.

    compression: of answers that say a text's content type, where the client takes it; the first it takes.
    """

    hosts: tuple[str, ...] = ()
    routes: tuple[Route, ...] = ()
    destinations: tuple[Destination, ...] = ()
    unmatched: Literal["serve", "not-found"] = "serve"
    compression: tuple[Compression, ...] = ()
    token_providers: tuple[TokenProvider, ...] = ()
    api_key_header: str = "x-api-key"

    def __post_init__(self) -> None:
        Treatment.__post_init__(self)
        check_hosts("hosts", self.hosts)
        if len(self.routes) > MOST_ROUTES:
            raise InvalidTarget("routes", f"{len(self.routes)} are more than {MOST_ROUTES}")
        check_unique("routes", (route.name for route in self.routes if route.name))
        check_destinations(self.destinations)
        if self.destinations and self.unmatched == "not-found":
            raise InvalidTarget(
                "destinations", 'nobody gets there: unmatched="not-found" answers what no route takes'
            )
        check_unique("compression", self.compression)
        check_unique("token_providers", (each.name for each in self.token_providers))
        check_header("api_key_header", self.api_key_header)
        known = {each.name for each in self.token_providers}
        places: list[tuple[str, Treatment]] = [("", self)]
        places += [(f"routes[{place}].", route) for place, route in enumerate(self.routes)]
        for where, treatment in places:
            for place, name in enumerate(treatment.jwt or ()):
                if name not in known:
                    raise InvalidTarget(f"{where}jwt[{place}]", f"no token provider is called {name}")
        for place, route in enumerate(self.routes):
            most = self.max_body_bytes if route.max_body_bytes is None else route.max_body_bytes
            if most and (self.websocket if route.websocket is None else route.websocket):
                raise InvalidTarget(
                    f"routes[{place}].websocket", "does not go with max_body_bytes; say false"
                )
            for number, host in enumerate(route.match.hosts):
                if self.hosts and not any(covers(each, host) for each in self.hosts):
                    raise InvalidTarget(
                        f"routes[{place}].match.hosts[{number}]", f"{host} is none of the service's hosts"
                    )

    def services(self) -> dict[str, str]:
        """Field path -> each other service that requests are led to, copied to, or asked for keys."""
        found = {f"destinations[{n}].service": each.service for n, each in enumerate(self.destinations)}
        for place, route in enumerate(self.routes):
            for number, each in enumerate(route.destinations):
                found[f"routes[{place}].destinations[{number}].service"] = each.service
            if route.mirror is not None:
                found[f"routes[{place}].mirror.service"] = route.mirror.service
        if self.mirror is not None:
            found["mirror.service"] = self.mirror.service
        for place, provider in enumerate(self.token_providers):
            if provider.jwks.service is not None:
                found[f"token_providers[{place}].jwks.service"] = provider.jwks.service
        return found

    def treatment(self, route: Route | None) -> Treatment:
        """What is done on a route: what it says itself, else what the service says."""
        whose = (self,) if route is None else (route, self)
        values = {
            field: next((found for each in whose if (found := getattr(each, field)) is not None), None)
            for field in Treatment.__struct_fields__
        }
        return Treatment(**values)


def check_destinations(destinations: tuple[Destination, ...]) -> None:
    """Not too many, none twice, and somebody gets something."""
    if len(destinations) > MOST_DESTINATIONS:
        raise InvalidTarget("destinations", f"{len(destinations)} are more than {MOST_DESTINATIONS}")
    check_unique("destinations", (each.service for each in destinations))
    if destinations and not any(each.weight for each in destinations):
        raise InvalidTarget("destinations", "every weight is 0; nobody would get a request")
