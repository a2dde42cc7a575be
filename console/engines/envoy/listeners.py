"""A service's Envoy listener, and for HTTP its routes.

HTTP routes are a resource apart from the listener: a changed route then takes effect at once,
where a changed listener would drain every connection it has.
"""

from __future__ import annotations

from typing import Final

from envoy.config.core.v3 import address_pb2, backoff_pb2, protocol_pb2
from envoy.config.listener.v3 import listener_components_pb2, listener_pb2, udp_listener_config_pb2
from envoy.config.route.v3 import route_components_pb2, route_pb2
from envoy.extensions.filters.http.router.v3 import router_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm
from envoy.extensions.filters.network.tcp_proxy.v3 import tcp_proxy_pb2
from envoy.extensions.filters.udp.udp_proxy.v3 import route_pb2 as udp_route_pb2
from envoy.extensions.filters.udp.udp_proxy.v3 import udp_proxy_pb2
from envoy.extensions.retry.host.previous_hosts.v3 import previous_hosts_pb2
from envoy.type.matcher.v3 import regex_pb2, string_pb2
from google.protobuf import wrappers_pb2
from google.protobuf.message import Message
from xds.core.v3 import extension_pb2
from xds.type.matcher.v3 import matcher_pb2

from console.engines.envoy.access_logs import access_logs
from console.engines.envoy.packing import over_ads, pack, seconds
from console.engines.target import ServiceTarget

#: Methods that HTTP itself calls safe: doing them twice is doing them once.
SAFE_METHODS: Final = "GET|HEAD|OPTIONS"
#: The request never reached an application, whatever its method.
RETRY_UNSENT: Final = "connect-failure,refused-stream"
RETRY_SAFE: Final = f"{RETRY_UNSENT},reset"
MOST_RETRIES: Final = 3
#: How often the choice is repeated when it falls on a host tried already; then that host is tried again.
MOST_CHOICES: Final = 10
#: Attempts to connect, each at an endpoint chosen anew, before a TCP client is turned away. TCP has no rule
#: against endpoints tried already, and an ejection takes some 50 ms to reach the workers: attempts must outlast it.
MOST_CONNECTS: Final = 10


def listener(service: ServiceTarget) -> listener_pb2.Listener:
    """The listener of one service."""
    udp = service.protocol == "udp"
    built = listener_pb2.Listener(
        name=service.name,
        stat_prefix=service.name,
        address=address_pb2.Address(
            socket_address=address_pb2.SocketAddress(
                protocol=address_pb2.SocketAddress.UDP if udp else address_pb2.SocketAddress.TCP,
                address=service.listen_address,
                port_value=service.listen_port,
            )
        ),
    )
    if udp:
        built.udp_listener_config.CopyFrom(udp_listener_config_pb2.UdpListenerConfig())
        built.listener_filters.append(
            listener_components_pb2.ListenerFilter(
                name="envoy.filters.udp_listener.udp_proxy", typed_config=pack(_udp_proxy(service))
            )
        )
        return built
    filters = {
        "http": ("envoy.filters.network.http_connection_manager", _http_connections),
        "tcp": ("envoy.filters.network.tcp_proxy", _tcp_proxy),
    }
    name, build = filters[service.protocol]
    network_filter = listener_components_pb2.Filter(name=name, typed_config=pack(build(service)))
    built.filter_chains.append(listener_components_pb2.FilterChain(filters=[network_filter]))
    return built


def routes(service: ServiceTarget) -> route_pb2.RouteConfiguration:
    """Every host name and path to the service; what may be retried depends on the method."""
    safe = route_components_pb2.RouteMatch(
        prefix="/",
        headers=[
            route_components_pb2.HeaderMatcher(
                name=":method",
                string_match=string_pb2.StringMatcher(safe_regex=regex_pb2.RegexMatcher(regex=SAFE_METHODS)),
            )
        ],
    )
    other = route_components_pb2.RouteMatch(prefix="/")
    return route_pb2.RouteConfiguration(
        name=service.name,
        virtual_hosts=[
            route_components_pb2.VirtualHost(
                name=service.name,
                domains=["*"],
                routes=[
                    _route("safe", service, safe, RETRY_SAFE),
                    _route("other", service, other, RETRY_UNSENT),
                ],
            )
        ],
    )


def _route(
    name: str, service: ServiceTarget, match: route_components_pb2.RouteMatch, retry_on: str
) -> route_components_pb2.Route:
    retry = route_components_pb2.RetryPolicy(
        retry_on=retry_on,
        num_retries=wrappers_pb2.UInt32Value(value=MOST_RETRIES),
        retry_host_predicate=[
            route_components_pb2.RetryPolicy.RetryHostPredicate(
                name="envoy.retry_host_predicates.previous_hosts",
                typed_config=pack(previous_hosts_pb2.PreviousHostsPredicate()),
            )
        ],
        host_selection_retry_max_attempts=MOST_CHOICES,
        retry_back_off=route_components_pb2.RetryPolicy.RetryBackOff(
            # Another host is tried, so there is little to wait for.
            base_interval=seconds(0.005),
            max_interval=seconds(0.1),
        ),
    )
    action = route_components_pb2.RouteAction(
        cluster=service.name,
        # The default ends every request after 15 s. A stream that is silent for five minutes still ends.
        timeout=seconds(0),
        retry_policy=retry,
    )
    return route_components_pb2.Route(name=name, match=match, route=action)


def _http_connections(service: ServiceTarget) -> hcm.HttpConnectionManager:
    """HTTP/1.0, 1.1 and 2 in clear text, hardened as Envoy's guide for an edge proxy says."""
    return hcm.HttpConnectionManager(
        stat_prefix=service.name,
        codec_type=hcm.HttpConnectionManager.AUTO,
        rds=hcm.Rds(config_source=over_ads(), route_config_name=service.name),
        http_filters=[
            hcm.HttpFilter(
                name="envoy.filters.http.router",
                # x-envoy-* answers tell strangers about the inside.
                typed_config=pack(router_pb2.Router(suppress_envoy_headers=True)),
            )
        ],
        server_header_transformation=hcm.HttpConnectionManager.PASS_THROUGH,
        use_remote_address=wrappers_pb2.BoolValue(value=True),
        # Nobody counts as internal: a client's x-envoy-* headers could else change what is retried.
        internal_address_config=hcm.HttpConnectionManager.InternalAddressConfig(),
        normalize_path=wrappers_pb2.BoolValue(value=True),
        request_headers_timeout=seconds(30),
        common_http_protocol_options=protocol_pb2.HttpProtocolOptions(idle_timeout=seconds(300)),
        http_protocol_options=protocol_pb2.Http1ProtocolOptions(accept_http_10=True),
        http2_protocol_options=protocol_pb2.Http2ProtocolOptions(
            max_concurrent_streams=wrappers_pb2.UInt32Value(value=100),
            initial_stream_window_size=wrappers_pb2.UInt32Value(value=64 * 1024),
            initial_connection_window_size=wrappers_pb2.UInt32Value(value=1024 * 1024),
        ),
        access_log=access_logs(service),
        upgrade_configs=[hcm.HttpConnectionManager.UpgradeConfig(upgrade_type="websocket")],
    )


def _tcp_proxy(service: ServiceTarget) -> Message:
    return tcp_proxy_pb2.TcpProxy(
        stat_prefix=service.name,
        cluster=service.name,
        max_connect_attempts=wrappers_pb2.UInt32Value(value=MOST_CONNECTS),
        backoff_options=backoff_pb2.BackoffStrategy(base_interval=seconds(0.01), max_interval=seconds(0.1)),
    )


def _udp_proxy(service: ServiceTarget) -> Message:
    """One session a client address and port, idle after a minute; its endpoint stays until unhealthy."""
    action = extension_pb2.TypedExtensionConfig(
        name="route", typed_config=pack(udp_route_pb2.Route(cluster=service.name))
    )
    return udp_proxy_pb2.UdpProxyConfig(
        stat_prefix=service.name,
        matcher=matcher_pb2.Matcher(on_no_match=matcher_pb2.Matcher.OnMatch(action=action)),
    )
