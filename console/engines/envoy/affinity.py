"""What a listener or a route must do so that the pool behind it can choose by key, or keep a client where it was.

add_to_route(route, pools)   each route of HTTP    hash_policy() and session_of_route() of where it leads
session_filter()             HTTP filters          once a listener, before the router
tcp_hash_policy()            tcp_proxy             hash_policy
add_sessions(proxy, pool)    udp_proxy             sessions, hash_policies
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from envoy.config.core.v3 import extension_pb2
from envoy.config.route.v3 import route_components_pb2
from envoy.extensions.filters.http.stateful_session.v3 import stateful_session_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm
from envoy.extensions.filters.udp.udp_proxy.v3 import udp_proxy_pb2
from envoy.extensions.http.stateful_session.cookie.v3 import cookie_pb2 as cookie_state_pb2
from envoy.extensions.http.stateful_session.header.v3 import header_pb2
from envoy.type.http.v3 import cookie_pb2
from envoy.type.matcher.v3 import regex_pb2
from envoy.type.v3 import hash_policy_pb2
from google.protobuf import any_pb2

from console.engines.envoy.packing import pack, seconds
from console.engines.target.pool import HashKey, Pool, Sticky

SESSION_FILTER: Final = "envoy.filters.http.stateful_session"
#: Envoy's :path has the query, too.
_BEFORE_QUERY: Final = r"^([^?]*).*$"
#: Other sites' requests need not bring it. That scripts need not read it (HttpOnly) Envoy says by itself.
_COOKIE_ATTRIBUTES: Final = (("SameSite", "Lax"),)


def add_to_route(built: route_components_pb2.Route, pools: Mapping[str, Pool]) -> None:
    """What the pools need that built leads to; a service that is not there needs nothing.

    A route has one list of keys: where it is split between pools, the first that is chosen from by hash says them.
    """
    going = built.route
    if not built.HasField("route"):
        return
    if going.cluster:
        places = [(going.cluster, built)]
    else:
        places = [(each.name, each) for each in going.weighted_clusters.clusters]
    for name, place in places:
        pool = pools.get(name)
        if pool is None:
            continue
        if not going.hash_policy:
            going.hash_policy.extend(hash_policy(pool))
        session = session_of_route(name, pool)
        if session is not None:
            place.typed_per_filter_config[SESSION_FILTER].CopyFrom(session)


def hash_policy(pool: Pool) -> list[route_components_pb2.RouteAction.HashPolicy]:
    """What of a request decides, the first that it has; empty unless the pool is chosen from by hash."""
    return [_hash_policy(key) for key in pool.hash.keys] if pool.balance == "hash" else []


def _hash_policy(key: HashKey) -> route_components_pb2.RouteAction.HashPolicy:
    built = route_components_pb2.RouteAction.HashPolicy(terminal=True)
    match key.by:
        case "header":
            built.header.header_name = key.name
        case "cookie":
            built.cookie.name = key.name
            if key.ttl_s:
                built.cookie.ttl.CopyFrom(seconds(key.ttl_s))
                built.cookie.path = "/"
                for name, value in _COOKIE_ATTRIBUTES:
                    built.cookie.attributes.add(name=name, value=value)
        case "path":
            built.header.header_name = ":path"
            built.header.regex_rewrite.pattern.CopyFrom(regex_pb2.RegexMatcher(regex=_BEFORE_QUERY))
            built.header.regex_rewrite.substitution = r"\1"
        case "query":
            built.query_parameter.name = key.name
        case _:
            built.connection_properties.source_ip = True
    return built


def tcp_hash_policy() -> list[hash_policy_pb2.HashPolicy]:
    """Of a TCP client only its address is known. Where a pool is not chosen from by hash, nobody reads it."""
    return [hash_policy_pb2.HashPolicy(source_ip=hash_policy_pb2.HashPolicy.SourceIp())]


def add_sessions(proxy: udp_proxy_pb2.UdpProxyConfig, pool: Pool) -> None:
    """Which datagrams go to one endpoint, and for how long."""
    if pool.sessions.per_packet:
        proxy.use_per_packet_load_balancing = True
    proxy.idle_timeout.CopyFrom(seconds(pool.sessions.idle_s))
    if pool.balance == "hash":
        proxy.hash_policies.add(source_ip=True)


def session_filter() -> hcm.HttpFilter:
    """The filter by which clients stay; without a route's word it does nothing."""
    return hcm.HttpFilter(name=SESSION_FILTER, typed_config=pack(stateful_session_pb2.StatefulSession()))


def session_of_route(service: str, pool: Pool) -> any_pb2.Any | None:
    """The filter's orders for a route that leads to this pool; None where nobody stays."""
    sticky = pool.sticky
    if sticky is None:
        return None
    name = sticky.name or f"to-{service}"
    state = _cookie(name, sticky) if sticky.by == "cookie" else _header(name)
    session = stateful_session_pb2.StatefulSession(session_state=state, strict=sticky.strict)
    return pack(stateful_session_pb2.StatefulSessionPerRoute(stateful_session=session))


def _cookie(name: str, sticky: Sticky) -> extension_pb2.TypedExtensionConfig:
    cookie = cookie_pb2.Cookie(name=name, path=sticky.path)
    if sticky.ttl_s:
        cookie.ttl.CopyFrom(seconds(sticky.ttl_s))
    for attribute, value in _COOKIE_ATTRIBUTES:
        cookie.attributes.add(name=attribute, value=value)
    return extension_pb2.TypedExtensionConfig(
        name="envoy.http.stateful_session.cookie",
        typed_config=pack(cookie_state_pb2.CookieBasedSessionState(cookie=cookie)),
    )


def _header(name: str) -> extension_pb2.TypedExtensionConfig:
    return extension_pb2.TypedExtensionConfig(
        name="envoy.http.stateful_session.header",
        typed_config=pack(header_pb2.HeaderBasedSessionState(name=name)),
    )
