"""From Envoy's messages back to the pool: written apart from what renders them."""

from __future__ import annotations

from typing import Any

from envoy.config.core.v3 import base_pb2, health_check_pb2
from envoy.extensions.filters.http.stateful_session.v3 import stateful_session_pb2
from envoy.extensions.filters.udp.udp_proxy.v3 import udp_proxy_pb2
from envoy.extensions.http.stateful_session.cookie.v3 import cookie_pb2
from envoy.extensions.http.stateful_session.header.v3 import header_pb2
from envoy.extensions.load_balancing_policies.least_request.v3 import least_request_pb2
from envoy.extensions.load_balancing_policies.maglev.v3 import maglev_pb2
from envoy.extensions.load_balancing_policies.random.v3 import random_pb2
from envoy.extensions.load_balancing_policies.ring_hash.v3 import ring_hash_pb2
from envoy.extensions.load_balancing_policies.round_robin.v3 import round_robin_pb2
from envoy.extensions.transport_sockets.proxy_protocol.v3 import upstream_proxy_protocol_pb2
from envoy.extensions.transport_sockets.tls.v3 import tls_pb2
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2
from xds.type.v3 import typed_struct_pb2

from console.engines.envoy.policy import PICKER
from console.engines.envoy.upstreams import SYSTEM_AUTHORITIES
from console.engines.target.pool import (
    Check,
    Connections,
    Ejection,
    Hash,
    HashKey,
    Limits,
    Pool,
    Sessions,
    SlowStart,
    Sticky,
    Upstream,
    UpstreamTls,
)

_POLICIES = {
    "least_request": least_request_pb2.LeastRequest,
    "round_robin": round_robin_pb2.RoundRobin,
    "random": random_pb2.Random,
    "maglev": maglev_pb2.Maglev,
    "ring_hash": ring_hash_pb2.RingHash,
}


def unpacked(packed: Any, kind: type[Any]) -> Any:
    message = kind()
    assert packed.Unpack(message), (packed.type_url, kind)
    return message


def s(duration: Any) -> float:
    return float(round(duration.seconds + duration.nanos / 1e9, 9))


def read_check(cluster: Any, port: int, name: str) -> Check:
    """The check, auto never."""
    if not cluster.health_checks:
        return Check("off")
    (built,) = cluster.health_checks
    pace: dict[str, Any] = {
        "port": port,
        "interval_s": s(built.interval),
        "unhealthy_interval_s": s(built.unhealthy_interval),
        "timeout_s": s(built.timeout),
        "unhealthy_after": built.unhealthy_threshold.value,
        "healthy_after": built.healthy_threshold.value,
        "jitter_percent": built.interval_jitter_percent,
    }
    assert built.no_traffic_healthy_interval == built.interval
    match built.WhichOneof("health_checker"):
        case "tcp_health_check":
            expected = built.tcp_health_check.receive
            texts = {"send_hex": built.tcp_health_check.send.text}
            texts["expect_hex"] = expected[0].text if expected else ""
            return Check("connect", **texts, **pace)
        case "grpc_health_check":
            return Check("grpc", service=built.grpc_health_check.service_name, **pace)
        case "custom_health_check":
            value = unpacked(built.custom_health_check.typed_config, typed_struct_pb2.TypedStruct).value
            return Check(
                "datagram", send_hex=value["send"]["text"], expect_hex=value["receive"]["text"], **pace
            )
    http = built.http_health_check
    assert (http.retriable_statuses[0].start, http.retriable_statuses[0].end) == (100, 600)
    statuses = [(each.start, each.end - 1) for each in http.expected_statuses]
    return Check(
        "http",
        path=http.path,
        host="" if http.host == name else http.host,
        method=base_pb2.RequestMethod.Name(http.method),
        statuses=tuple(f"{a}-{b}" if a != b else str(a) for a, b in statuses),
        **pace,
    )


def read_ejection(cluster: Any) -> Ejection:
    if not cluster.HasField("outlier_detection"):
        return Ejection(on=False)
    built = cluster.outlier_detection
    assert built.split_external_local_origin_errors

    def in_a_row(field: str) -> int:
        return int(getattr(built, field).value) if getattr(built, f"enforcing_{field}").value else 0

    percent = built.enforcing_failure_percentage.value
    assert percent == built.enforcing_failure_percentage_local_origin.value
    assert built.enforcing_success_rate.value == built.enforcing_local_origin_success_rate.value
    return Ejection(
        errors_in_a_row=in_a_row("consecutive_5xx"),
        gateway_errors_in_a_row=in_a_row("consecutive_gateway_failure"),
        failures_in_a_row=in_a_row("consecutive_local_origin_failure"),
        failure_percent=built.failure_percentage_threshold.value if percent else 0,
        success_rate_factor=(
            built.success_rate_stdev_factor.value / 1000 if built.enforcing_success_rate.value else 0
        ),
        least_endpoints=built.failure_percentage_minimum_hosts.value,
        least_requests=built.success_rate_request_volume.value,
        window_s=s(built.interval),
        first_s=s(built.base_ejection_time),
        most_s=s(built.max_ejection_time),
        jitter_s=s(built.max_ejection_time_jitter),
        most_percent=built.max_ejection_percent.value,
        check_ends=built.successful_active_health_check_uneject_host.value,
    )


def read_limits(cluster: Any) -> Limits:
    (whole,) = cluster.circuit_breakers.thresholds
    each = cluster.circuit_breakers.per_host_thresholds
    return Limits(
        connections=whole.max_connections.value,
        pending=whole.max_pending_requests.value,
        requests=whole.max_requests.value,
        endpoint_connections=each[0].max_connections.value if each else 0,
        retry_percent=whole.retry_budget.budget_percent.value,
        least_retries=whole.retry_budget.min_retry_concurrency.value,
    )


def read_http_options(cluster: Any) -> tuple[str, dict[str, Any]]:
    """The protocol, and what HTTP adds to the connections."""
    packed = cluster.typed_extension_protocol_options.get(
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    )
    if packed is None:
        return "http1", {}
    options = unpacked(packed, http_protocol_options_pb2.HttpProtocolOptions)
    common = options.common_http_protocol_options
    held = {
        "idle_s": s(common.idle_timeout),
        "requests_most": common.max_requests_per_connection.value,
        "age_most_s": s(common.max_connection_duration),
    }
    match options.WhichOneof("upstream_protocol_options"):
        case "explicit_http_config":
            explicit = options.explicit_http_config
            if explicit.WhichOneof("protocol_config") == "http_protocol_options":
                return "http1", held
            protocol, second = "http2", explicit.http2_protocol_options
        case "use_downstream_protocol_config":
            protocol, second = "same", options.use_downstream_protocol_config.http2_protocol_options
        case _:
            protocol, second = "auto", options.auto_config.http2_protocol_options
    return protocol, {**held, "ping_s": s(second.connection_keepalive.interval)}


def read_connections(cluster: Any, http: dict[str, Any]) -> Connections:
    kept = cluster.upstream_connection_options.tcp_keepalive
    if cluster.upstream_connection_options.HasField("tcp_keepalive"):
        http = {
            **http,
            "keepalive_s": kept.keepalive_time.value,
            "keepalive_interval_s": kept.keepalive_interval.value,
            "keepalive_probes": kept.keepalive_probes.value,
        }
    else:
        http = {**http, "keepalive_s": 0}
    return Connections(connect_timeout_s=s(cluster.connect_timeout), **http)


def read_upstream(cluster: Any, protocol: str) -> Upstream:
    socket = cluster.transport_socket
    if cluster.transport_socket_matches:
        closed, usual = cluster.transport_socket_matches
        assert (dict(closed.match), dict(usual.match)) == ({"closed": True}, {})
        socket = usual.transport_socket
    line = ""
    if socket.name == "envoy.transport_sockets.upstream_proxy_protocol":
        outer = unpacked(socket.typed_config, upstream_proxy_protocol_pb2.ProxyProtocolUpstreamTransport)
        line, socket = ("v1", "v2")[outer.config.version], outer.transport_socket
    if socket.name != "envoy.transport_sockets.tls":
        return Upstream(protocol, None, line)
    context = unpacked(socket.typed_config, tls_pb2.UpstreamTlsContext)
    common = context.common_tls_context
    shown = common.tls_certificate_sds_secret_configs
    certificate = shown[0].name if shown else ""
    plain = common.validation_context
    if plain.trust_chain_verification == plain.ACCEPT_UNTRUSTED:
        return Upstream(
            protocol, UpstreamTls(server_name=context.sni, verify=False, certificate=certificate), line
        )
    authority = "system"
    if common.HasField("combined_validation_context"):
        combined = common.combined_validation_context
        authority = combined.validation_context_sds_secret_config.name.removesuffix("/ca")
        plain = combined.default_validation_context
    else:
        assert plain.trusted_ca.filename == SYSTEM_AUTHORITIES
    names = tuple(each.matcher.exact for each in plain.match_typed_subject_alt_names)
    names = () if names == (context.sni,) else names
    return Upstream(protocol, UpstreamTls(authority, context.sni, names, True, certificate), line)


def read_policy(cluster: Any) -> tuple[str, str, Any]:
    """The balance's word, the name of Envoy's own policy and its configuration."""
    *picker, policy = cluster.load_balancing_policy.policies
    name = policy.typed_extension_config.name.rpartition(".")[2]
    built = unpacked(policy.typed_extension_config.typed_config, _POLICIES[name])
    if not picker:
        return "hash" if name in ("maglev", "ring_hash") else name, name, built
    assert [PICKER] == [each.typed_extension_config.name for each in picker]
    assert name == "least_request"
    return "steelyard", name, built


def read_hash(name: str, policy: Any, route_keys: list[Any]) -> Hash:
    found = []
    for key in route_keys:
        assert key.terminal
        match key.WhichOneof("policy_specifier"):
            case "header" if key.header.header_name == ":path":
                found.append(HashKey("path"))
            case "header":
                found.append(HashKey("header", key.header.header_name))
            case "cookie":
                found.append(HashKey("cookie", key.cookie.name, s(key.cookie.ttl)))
            case "query_parameter":
                found.append(HashKey("query", key.query_parameter.name))
            case _:
                assert key.connection_properties.source_ip
                found.append(HashKey())
    return Hash(
        tuple(found),
        "ring" if name == "ring_hash" else "maglev",
        most_load_percent=policy.consistent_hashing_lb_config.hash_balance_factor.value,
    )


def read_sticky(packed: Any, service: str) -> Sticky | None:
    if packed is None:
        return None
    session = unpacked(packed, stateful_session_pb2.StatefulSessionPerRoute).stateful_session
    state = session.session_state
    if state.name == "envoy.http.stateful_session.header":
        name = unpacked(state.typed_config, header_pb2.HeaderBasedSessionState).name
        return Sticky("header", "" if name == f"to-{service}" else name, strict=session.strict)
    cookie = unpacked(state.typed_config, cookie_pb2.CookieBasedSessionState).cookie
    name = "" if cookie.name == f"to-{service}" else cookie.name
    return Sticky("cookie", name, cookie.path, s(cookie.ttl), session.strict)


def read_pool(service: str, cluster: Any, assignment: Any, keys: list[Any], session: Any, proxy: Any) -> Pool:
    """All of it but drain_s, which engines are not told, and by_weight. proxy: of udp, else None."""
    balance, name, policy = read_policy(cluster)
    hashed = name in ("maglev", "ring_hash")
    slow, prefer = SlowStart(), False
    if not hashed:
        zones = policy.locality_lb_config.zone_aware_lb_config
        prefer = zones.routing_enabled.value == 100
        assert prefer == zones.HasField("force_local_zone")
    if not hashed and name != "random" and policy.HasField("slow_start_config"):
        start = policy.slow_start_config
        slow = SlowStart(
            s(start.slow_start_window), int(start.min_weight_percent.value), start.aggression.default_value
        )
    protocol, http = read_http_options(cluster)
    ports = {
        each.endpoint.health_check_config.port_value
        for locality in assignment.endpoints
        for each in locality.lb_endpoints
    }
    common = cluster.common_lb_config
    sticky = read_sticky(session, service)
    assert (sticky is not None) == (health_check_pb2.DRAINING in common.override_host_status.statuses)
    return Pool(
        check=read_check(cluster, ports.pop() if ports else 0, service),
        ejection=read_ejection(cluster),
        limits=read_limits(cluster),
        connections=read_connections(cluster, http),
        balance=balance,
        least_choices=policy.choice_count.value if name == "least_request" else 2,
        hash=read_hash(name, policy, keys) if hashed else Hash(),
        sticky=sticky,
        slow_start=slow,
        panic_percent=int(common.healthy_panic_threshold.value),
        prefer_zone=prefer,
        overprovisioning_percent=assignment.policy.overprovisioning_factor.value,
        drain_s=None,
        upstream=read_upstream(cluster, protocol),
        sessions=(
            Sessions()
            if proxy is None
            else Sessions(s(proxy.idle_timeout), proxy.use_per_packet_load_balancing)
        ),
    )


def udp_proxy() -> Any:
    return udp_proxy_pb2.UdpProxyConfig()
