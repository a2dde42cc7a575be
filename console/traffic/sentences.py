"""A service's settings in words, for people who look at its page. Usual values are not mentioned."""

from __future__ import annotations

from collections.abc import Iterator

from console.engines.target.front import Front
from console.engines.target.http import Http, Route
from console.engines.target.matching import Match, Text
from console.engines.target.outcomes import Destination, Redirect
from console.engines.target.settings import Settings
from console.engines.target.treatment import Treatment


def sentences(settings: Settings) -> list[tuple[str, str]]:
    """(topic, sentence), in the order in which a connection and its requests meet them."""
    return [*_front(settings.front), *_http(settings.http), *_routes(settings.http)]


def _front(front: Front) -> Iterator[tuple[str, str]]:
    tls = front.tls
    if tls is not None:
        yield "TLS", f"Ends here, from TLS {tls.least_version}, with {_list(tls.certificates)}."
        if tls.clients is not None:
            must = "must show" if tls.clients.required else "may show"
            only = f", named {_list(tls.clients.names)}" if tls.clients.names else ""
            yield "Clients", f"They {must} a certificate signed by {tls.clients.ca}{only}."
        if tls.redirect_from_port is not None:
            yield "Redirect", f"Plain HTTP at port {tls.redirect_from_port} is sent to TLS."
    for each in front.sni:
        yield "Passthrough", f"TLS for {_list(each.hosts)} goes on, encrypted, to {each.service}."
    if front.http_versions != Front().http_versions:
        yield "HTTP", f"Versions {_list(front.http_versions)}."
    if front.proxy_protocol != "off":
        yield "PROXY protocol", f"The line before each connection is {front.proxy_protocol}."
    if front.max_connections is not None:
        yield "Connections", f"At most {front.max_connections:,} at once."
    if front.connections_per_s is not None:
        yield "Connections", f"At most {front.connections_per_s:,} new ones a second."
    if front.idle_timeout_s is not None:
        ends = f"end after {front.idle_timeout_s:g} s" if front.idle_timeout_s else "never end"
        yield "Connections", f"Silent ones {ends}."


def _http(http: Http) -> Iterator[tuple[str, str]]:
    if http.hosts:
        yield "Host names", f"Answers to {_list(http.hosts)}, and to no other."
    for treated in _treatment(http):
        yield "Requests", treated
    if http.compression:
        yield "Requests", f"Long texts are compressed ({_list(http.compression)})."
    for provider in http.token_providers:
        yield "Tokens", f"{provider.name} signs them as {provider.issuer}."


def _routes(http: Http) -> Iterator[tuple[str, str]]:
    for place, route in enumerate(http.routes, start=1):
        treated = "".join(f" {each}" for each in _treatment(route))
        yield f"Route {route.name or place}", f"{_match(route.match)} {_outcome(route)}.{treated}"
    if http.unmatched == "not-found":
        yield "Otherwise", "Answers 404."
    elif http.destinations:
        yield "Otherwise", f"{_shares(http.destinations).capitalize()}."
    elif http.routes:
        yield "Otherwise", "To the endpoints below."


def _match(match: Match) -> str:
    said = [f"host {_list(match.hosts, 'or')}"] if match.hosts else []
    said += [f"path {match.path}"] if match.path is not None else []
    said += [f"paths below {match.prefix}"] if match.prefix is not None else []
    said += [f"paths like {match.regex}"] if match.regex is not None else []
    said += [_list(match.methods, "or")] if match.methods else []
    said += [f"header {_text(each)}" for each in match.headers]
    said += [f"query {_text(each)}" for each in match.query]
    said += ["gRPC"] if match.grpc else []
    return f"{', '.join(said) or 'everything'}:".capitalize() if not said else f"{', '.join(said)}:"


def _text(text: Text) -> str:
    value = next(
        (v for v in (text.exact, text.prefix and f"{text.prefix}…", text.regex) if v is not None), None
    )
    said = text.name if value is None else f"{text.name}={value}"
    return f"{said} not there" if text.absent else said


def _outcome(route: Route) -> str:
    if route.redirect is not None:
        return f"redirected ({route.redirect.status}) to {_elsewhere(route.redirect)}"
    if route.answer is not None:
        return f"answered {route.answer.status}"
    return _shares(route.destinations) if route.destinations else "to the endpoints below"


def _elsewhere(redirect: Redirect) -> str:
    said = ["https"] if redirect.https else []
    said += [each for each in (redirect.host, redirect.path, redirect.prefix) if each]
    return " ".join([*said, f"port {redirect.port}"] if redirect.port else said)


def _shares(destinations: tuple[Destination, ...]) -> str:
    whole = sum(each.weight for each in destinations)
    if len(destinations) == 1:
        return f"to {destinations[0].service}"
    return "to " + ", ".join(f"{each.service} {100 * each.weight / whole:.3g} %" for each in destinations)


def _treatment(treated: Treatment) -> Iterator[str]:
    if treated.timeout_s:
        yield f"End after {treated.timeout_s:g} s."
    if treated.retries is not None:
        again = treated.retries
        reasons = _list((*again.on, *map(str, again.statuses)), "or")
        yield (
            f"Tried again up to {again.attempts} times on {reasons}."
            if again.attempts
            else "Never tried again."
        )
    if treated.max_body_bytes:
        yield f"At most {treated.max_body_bytes:,} bytes."
    for limit in treated.rate_limits or ():
        whose = "of each client" if limit.of == "client" else "in all"
        yield f"At most {limit.requests:,} in {limit.per_s:g} s {whose}."
    if treated.jwt:
        yield f"Need a token of {_list(treated.jwt, 'or')}."
    if treated.api_keys:
        yield f"Need the key of {_list(treated.api_keys, 'or')}."
    if treated.cors is not None and treated.cors.origins:
        yield f"Pages of {_list(treated.cors.origins)} may ask."
    if treated.mirror is not None and treated.mirror.percent:
        yield f"{treated.mirror.percent:g} % are copied to {treated.mirror.service}."
    if treated.fault is not None and treated.fault.percent:
        yield f"{treated.fault.percent:g} % get trouble made on purpose."
    if treated.headers is not None:
        yield "Headers are changed."


def _list(items: tuple[str, ...], last: str = "and") -> str:
    *before, end = items
    return f"{', '.join(before)} {last} {end}" if before else end
