"""A service's host names and routes.

Envoy first finds the virtual host whose domain fits best, then the first route in it. Ours are tried in their order
whatever their host names: so each domain that is named anywhere is a virtual host with all the routes that take its
requests, and domains with the same routes share one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from envoy.config.core.v3 import base_pb2
from envoy.config.route.v3 import route_components_pb2, route_pb2
from envoy.type.matcher.v3 import regex_pb2, string_pb2

from console.engines.envoy import affinity
from console.engines.envoy.listeners.actions import SAFE_METHODS, action, is_retried_by_method
from console.engines.envoy.listeners.treatments import (
    API_KEYS,
    CLIENT_HEADER,
    RATE_LIMITS,
    per_route,
    rate_limits,
    used_filters,
)
from console.engines.envoy.packing import pack
from console.engines.target import ServiceTarget
from console.engines.target.http import Http, Route
from console.engines.target.matching import Match, Text
from console.engines.target.pool import Pool
from console.engines.target.treatment import Header, RateLimit, Treatment
from console.engines.target.words import covers

EVERY_HOST: Final = "*"
#: How the route of what no other took is called, and the limits that are the service's.
OTHERWISE: Final = "otherwise"
#: How long clients may remember that HTTP/3 is there.
REMEMBERED_S: Final = 86_400

_Option = base_pb2.HeaderValueOption


def routes(
    service: ServiceTarget, keys: Mapping[str, str], pools: Mapping[str, Pool]
) -> route_pb2.RouteConfiguration:
    """The routes of one service. keys: API key's name -> the key. pools: service's name -> how it is chosen from."""
    http = service.settings.http
    built = route_pb2.RouteConfiguration(name=service.name, ignore_port_in_host_matching=True)
    rendered = [
        (_hosts(route.match, http), _routes(service, place, route, keys, pools))
        for place, route in enumerate(http.routes)
    ]
    if http.unmatched == "serve":
        rest = Route(destinations=http.destinations)
        rendered.append((http.hosts or (EVERY_HOST,), _routes(service, None, rest, keys, pools)))
    by_routes: dict[tuple[int, ...], list[str]] = {}
    for domain in dict.fromkeys(host for hosts, _ in rendered for host in hosts):
        taking = tuple(place for place, (hosts, _) in enumerate(rendered) if _takes(hosts, domain))
        by_routes.setdefault(taking, []).append(domain)
    for taking, domains in by_routes.items():
        built.virtual_hosts.append(
            route_components_pb2.VirtualHost(
                name=service.name if EVERY_HOST in domains else domains[0],
                domains=domains,
                routes=[route for place in taking for route in rendered[place][1]],
            )
        )
    limits = limits_of(http)
    if limits:
        built.typed_per_filter_config[RATE_LIMITS].CopyFrom(pack(rate_limits(limits)))
    if "3" in service.settings.front.http_versions:
        offer = f'h3=":{service.listen_port}"; ma={REMEMBERED_S}'
        built.response_headers_to_add.append(_header(Header("alt-svc", offer)))
    return built


def limits_of(http: Http) -> dict[str, tuple[RateLimit, ...]]:
    """The rate limits by the name under which their tokens are counted: the service's, and each route's own."""
    named = {OTHERWISE: http.rate_limits or ()}
    named |= {f"{place}": route.rate_limits for place, route in enumerate(http.routes) if route.rate_limits}
    return {name: limits for name, limits in named.items() if limits}


def _hosts(match: Match, http: Http) -> tuple[str, ...]:
    return match.hosts or http.hosts or (EVERY_HOST,)


def _takes(hosts: tuple[str, ...], domain: str) -> bool:
    return any(host == EVERY_HOST or covers(host, domain) for host in hosts)


def _routes(
    service: ServiceTarget,
    place: int | None,
    route: Route,
    keys: Mapping[str, str],
    pools: Mapping[str, Pool],
) -> list[route_components_pb2.Route]:
    """A route as one of Envoy's, or as two where safe methods are retried for more reasons than others."""
    http = service.settings.http
    treatment = http.treatment(route if place is not None else None)
    name = OTHERWISE if place is None else f"{place}"
    own = place is not None and route.rate_limits is not None
    limits = (name if own else OTHERWISE, treatment.rate_limits or ())
    methods = route.match.methods
    safe = tuple(method for method in SAFE_METHODS if method in methods or not methods)
    other = tuple(method for method in methods if method not in SAFE_METHODS)
    used = used_filters(http)
    split = is_retried_by_method(route, treatment)
    found = []
    if split and safe:
        found.append((f"{name}.safe", safe, True))
    if not split or other or not methods:
        found.append((name, other if split else methods, not split))
    built = []
    for called, of_methods, is_safe in found:
        one = route_components_pb2.Route(name=called, match=_match(route.match, of_methods))
        action(one, service, route, treatment, limits, safe=is_safe)
        affinity.add_to_route(one, pools)
        _change_headers(one, treatment)
        if API_KEYS in used and not treatment.api_keys:
            # Only who showed a key has a name; what a client says of itself is dropped.
            one.request_headers_to_remove.append(CLIENT_HEADER)
        for filter_name, settings in per_route(treatment, http, keys).items():
            one.typed_per_filter_config[filter_name].CopyFrom(pack(settings))
        built.append(one)
    return built


def _match(match: Match, methods: tuple[str, ...]) -> route_components_pb2.RouteMatch:
    built = route_components_pb2.RouteMatch()
    if match.path is not None:
        built.path = match.path
    elif match.regex is not None:
        built.safe_regex.regex = match.regex
    elif match.prefix is None or match.prefix.endswith("/"):
        built.prefix = match.prefix or "/"
    else:
        built.path_separated_prefix = match.prefix
    if methods:
        one_of = string_pb2.StringMatcher(safe_regex=regex_pb2.RegexMatcher(regex="|".join(methods)))
        built.headers.append(route_components_pb2.HeaderMatcher(name=":method", string_match=one_of))
    for text in match.headers:
        header = route_components_pb2.HeaderMatcher(name=text.name, invert_match=text.absent)
        if (matcher := _string(text)) is None:
            header.present_match = True
        else:
            header.string_match.CopyFrom(matcher)
        built.headers.append(header)
    for text in match.query:
        query = route_components_pb2.QueryParameterMatcher(name=text.name)
        if (matcher := _string(text)) is None:
            query.present_match = True
        else:
            query.string_match.CopyFrom(matcher)
        built.query_parameters.append(query)
    if match.grpc:
        built.grpc.CopyFrom(route_components_pb2.RouteMatch.GrpcRouteMatchOptions())
    return built


def _string(text: Text) -> string_pb2.StringMatcher | None:
    if text.exact is not None:
        return string_pb2.StringMatcher(exact=text.exact)
    if text.prefix is not None:
        return string_pb2.StringMatcher(prefix=text.prefix)
    if text.regex is not None:
        return string_pb2.StringMatcher(safe_regex=regex_pb2.RegexMatcher(regex=text.regex))
    return None


def _change_headers(built: route_components_pb2.Route, treatment: Treatment) -> None:
    headers = treatment.headers
    if headers is None:
        return
    built.request_headers_to_add.extend(map(_header, headers.request))
    built.request_headers_to_remove.extend(headers.request_remove)
    built.response_headers_to_add.extend(map(_header, headers.response))
    built.response_headers_to_remove.extend(headers.response_remove)


def _header(header: Header) -> base_pb2.HeaderValueOption:
    how = _Option.APPEND_IF_EXISTS_OR_ADD if header.add else _Option.OVERWRITE_IF_EXISTS_OR_ADD
    value = base_pb2.HeaderValue(key=header.name, value=header.value)
    return _Option(header=value, append_action=how, keep_empty_value=True)
