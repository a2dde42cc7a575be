"""Where a service listens, what it lets in, and what carries TCP and UDP."""

from __future__ import annotations

from typing import Final

from envoy.config.core.v3 import address_pb2, backoff_pb2
from envoy.config.listener.v3 import (
    listener_components_pb2,
    listener_pb2,
    quic_config_pb2,
    udp_listener_config_pb2,
)
from envoy.extensions.filters.listener.proxy_protocol.v3 import proxy_protocol_pb2
from envoy.extensions.filters.listener.tls_inspector.v3 import tls_inspector_pb2
from envoy.extensions.filters.network.connection_limit.v3 import connection_limit_pb2
from envoy.extensions.filters.network.local_ratelimit.v3 import local_rate_limit_pb2
from envoy.extensions.filters.network.tcp_proxy.v3 import tcp_proxy_pb2
from envoy.extensions.filters.udp.udp_proxy.v3 import route_pb2 as udp_route_pb2
from envoy.extensions.filters.udp.udp_proxy.v3 import udp_proxy_pb2
from envoy.type.v3 import token_bucket_pb2
from google.protobuf import wrappers_pb2
from google.protobuf.message import Message
from xds.core.v3 import extension_pb2
from xds.type.matcher.v3 import matcher_pb2

from console.engines.envoy import affinity
from console.engines.envoy.listeners.requests import http_connections, redirecting_connections
from console.engines.envoy.listeners.tls import alpn, quic_socket, tls_socket
from console.engines.envoy.packing import pack, seconds
from console.engines.target import ServiceTarget
from console.engines.target.front import Front

#: After a service's name: its further listeners. No name has a "+".
QUIC: Final = "+h3"
REDIRECT: Final = "+redirect"
#: Attempts to connect, each at an endpoint chosen anew, before a TCP client is turned away. TCP has no rule
#: against endpoints tried already, and an ejection takes some 50 ms to reach the workers: attempts must outlast it.
MOST_CONNECTS: Final = 10

_Filter = listener_components_pb2.Filter


def listeners(service: ServiceTarget) -> list[listener_pb2.Listener]:
    """The listeners of one service: none for a pool, up to three with HTTP/3 and a port that redirects."""
    if service.listen_port is None:
        return []
    if service.protocol == "udp":
        return [_udp(service)]
    found = [_tcp(service)]
    front = service.settings.front
    if front.tls is not None and "3" in front.http_versions and service.protocol == "http":
        found.append(_quic(service))
    if front.tls is not None and front.tls.redirect_from_port is not None:
        built = _listener(service, service.name + REDIRECT, front.tls.redirect_from_port)
        built.filter_chains.append(_chain(service.settings.front, _manager(redirecting_connections(service))))
        found.append(built)
    return found


def _listener(
    service: ServiceTarget, name: str, port: int | None, *, udp: bool = False
) -> listener_pb2.Listener:
    protocol = address_pb2.SocketAddress.UDP if udp else address_pb2.SocketAddress.TCP
    where = address_pb2.SocketAddress(protocol=protocol, address=service.listen_address, port_value=port)
    built = listener_pb2.Listener(
        name=name, stat_prefix=name, address=address_pb2.Address(socket_address=where)
    )
    proxied = service.settings.front.proxy_protocol
    if proxied != "off" and not udp:
        rule = proxy_protocol_pb2.ProxyProtocol(allow_requests_without_proxy_protocol=proxied == "accepted")
        _listener_filter(built, "envoy.filters.listener.proxy_protocol", rule)
    return built


def _tcp(service: ServiceTarget) -> listener_pb2.Listener:
    front = service.settings.front
    built = _listener(service, service.name, service.listen_port)
    if service.protocol == "http":
        chain = _chain(front, _manager(http_connections(service)))
        protocols = alpn(front.http_versions)
    else:
        chain = _chain(front, _tcp_proxy(service, service.name))
        protocols = list(front.tls.alpn) if front.tls is not None else []
    if front.tls is not None:
        chain.transport_socket.CopyFrom(tls_socket(front.tls, protocols))
    if not front.sni:
        built.filter_chains.append(chain)
        return built
    _listener_filter(built, "envoy.filters.listener.tls_inspector", tls_inspector_pb2.TlsInspector())
    for each in front.sni:
        named = _chain(front, _tcp_proxy(service, each.service))
        named.filter_chain_match.server_names.extend(each.hosts)
        built.filter_chains.append(named)
    built.default_filter_chain.CopyFrom(chain)
    return built


def _quic(service: ServiceTarget) -> listener_pb2.Listener:
    front = service.settings.front
    built = _listener(service, service.name + QUIC, service.listen_port, udp=True)
    built.udp_listener_config.CopyFrom(
        udp_listener_config_pb2.UdpListenerConfig(quic_options=quic_config_pb2.QuicProtocolOptions())
    )
    chain = listener_components_pb2.FilterChain(filters=[_manager(http_connections(service, quic=True))])
    if front.tls is not None:
        chain.transport_socket.CopyFrom(quic_socket(front.tls))
    built.filter_chains.append(chain)
    return built


def _udp(service: ServiceTarget) -> listener_pb2.Listener:
    """One session a client address and port, idle after a minute; its endpoint stays until unhealthy."""
    built = _listener(service, service.name, service.listen_port, udp=True)
    built.udp_listener_config.CopyFrom(udp_listener_config_pb2.UdpListenerConfig())
    action = extension_pb2.TypedExtensionConfig(
        name="route", typed_config=pack(udp_route_pb2.Route(cluster=service.name))
    )
    proxy = udp_proxy_pb2.UdpProxyConfig(
        stat_prefix=service.name,
        matcher=matcher_pb2.Matcher(on_no_match=matcher_pb2.Matcher.OnMatch(action=action)),
    )
    affinity.add_sessions(proxy, service.settings.pool)
    _listener_filter(built, "envoy.filters.udp_listener.udp_proxy", proxy)
    return built


def _listener_filter(built: listener_pb2.Listener, name: str, settings: Message) -> None:
    built.listener_filters.append(
        listener_components_pb2.ListenerFilter(name=name, typed_config=pack(settings))
    )


def _chain(front: Front, last: listener_components_pb2.Filter) -> listener_components_pb2.FilterChain:
    """What limits connections, before what carries them."""
    filters = []
    if front.connections_per_s is not None:
        bucket = token_bucket_pb2.TokenBucket(
            max_tokens=front.connections_per_s,
            tokens_per_fill=wrappers_pb2.UInt32Value(value=front.connections_per_s),
            fill_interval=seconds(1),
        )
        rate = local_rate_limit_pb2.LocalRateLimit(stat_prefix="connections", token_bucket=bucket)
        filters.append(_Filter(name="envoy.filters.network.local_ratelimit", typed_config=pack(rate)))
    if front.max_connections is not None:
        limit = connection_limit_pb2.ConnectionLimit(
            stat_prefix="connections", max_connections=wrappers_pb2.UInt64Value(value=front.max_connections)
        )
        filters.append(_Filter(name="envoy.filters.network.connection_limit", typed_config=pack(limit)))
    return listener_components_pb2.FilterChain(filters=[*filters, last])


def _manager(settings: Message) -> listener_components_pb2.Filter:
    return _Filter(name="envoy.filters.network.http_connection_manager", typed_config=pack(settings))


def _tcp_proxy(service: ServiceTarget, to: str) -> listener_components_pb2.Filter:
    proxy = tcp_proxy_pb2.TcpProxy(
        stat_prefix=service.name,
        cluster=to,
        max_connect_attempts=wrappers_pb2.UInt32Value(value=MOST_CONNECTS),
        backoff_options=backoff_pb2.BackoffStrategy(base_interval=seconds(0.01), max_interval=seconds(0.1)),
        # Of a TCP client only its address is known: it does for any service that the connection is handed on to.
        hash_policy=affinity.tcp_hash_policy(),
    )
    idle = service.settings.front.idle_timeout_s
    if idle is not None:
        proxy.idle_timeout.CopyFrom(seconds(idle))
    return _Filter(name="envoy.filters.network.tcp_proxy", typed_config=pack(proxy))
