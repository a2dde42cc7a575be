"""Reading Envoy's listeners and routes back into settings, to compare with those that were rendered."""

from __future__ import annotations

import re
from typing import Any

from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_components_pb2 as rc
from envoy.config.route.v3 import route_pb2
from envoy.extensions.filters.http.api_key_auth.v3 import api_key_auth_pb2
from envoy.extensions.filters.http.buffer.v3 import buffer_pb2
from envoy.extensions.filters.http.cors.v3 import cors_pb2
from envoy.extensions.filters.http.fault.v3 import fault_pb2
from envoy.extensions.filters.http.jwt_authn.v3 import config_pb2 as jwt_pb2
from envoy.extensions.filters.http.local_ratelimit.v3 import local_rate_limit_pb2 as http_rate_pb2
from envoy.extensions.filters.listener.proxy_protocol.v3 import proxy_protocol_pb2
from envoy.extensions.filters.network.connection_limit.v3 import connection_limit_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm
from envoy.extensions.filters.network.local_ratelimit.v3 import local_rate_limit_pb2
from envoy.extensions.filters.network.tcp_proxy.v3 import tcp_proxy_pb2
from envoy.extensions.transport_sockets.quic.v3 import quic_transport_pb2
from envoy.extensions.transport_sockets.tls.v3 import tls_pb2

from console.engines.target.front import Clients, Front, Passthrough, Tls
from console.engines.target.http import Jwks, TokenProvider
from console.engines.target.matching import Match, Text
from console.engines.target.outcomes import Answer, Destination, Redirect, Rewrite
from console.engines.target.treatment import Cors, Fault, Header, Headers, Mirror, RateLimit, Retries
from console.engines.target.words import covers

SAFE = ("GET", "HEAD", "OPTIONS")
RETRY_ON = {"connect-failure": "unsent", "reset": "reset", "5xx": "5xx", "gateway-error": "gateway-error"}


def unpack(packed: Any, kind: type[Any]) -> Any:
    message = kind()
    assert packed.Unpack(message), (packed.type_url, kind)
    return message


def secs(duration: Any) -> float:
    return float(round(duration.seconds + duration.nanos / 1e9, 9))


def least(domains: set[str]) -> frozenset[str]:
    """Without those that another covers; none for all."""
    if "*" in domains:
        return frozenset()
    return frozenset(d for d in domains if not any(o != d and covers(o, d) for o in domains))


# -- routes ----------------------------------------------------------------------------------------


def read_routes(configuration: route_pb2.RouteConfiguration) -> dict[str, dict[str, Any]]:
    """Name of the route -> what it does; the routes of each host stand in the model's order."""
    limits = {}
    for packed in configuration.typed_per_filter_config.values():
        for descriptor in unpack(packed, http_rate_pb2.LocalRateLimit).descriptors:
            bucket = descriptor.token_bucket
            of = "client" if len(descriptor.entries) == 2 else "all"
            limits[descriptor.entries[0].value] = RateLimit(bucket.max_tokens, secs(bucket.fill_interval), of)
    domains: dict[str, set[str]] = {}
    parts: dict[str, dict[bool, rc.Route]] = {}
    for host in configuration.virtual_hosts:
        order = [route.name.removesuffix(".safe") for route in host.routes]
        numbers = [float("inf") if name == "otherwise" else int(name) for name in order]
        assert numbers == sorted(numbers)
        for route, name in zip(host.routes, order, strict=True):
            domains.setdefault(name, set()).update(host.domains)
            known = parts.setdefault(name, {}).setdefault(route.name.endswith(".safe"), route)
            assert known == route
    everywhere = {domain for host in configuration.virtual_hosts for domain in host.domains}
    for taken in domains.values():
        # Else a request for a host that another route names would miss this one.
        assert taken == {d for d in everywhere if any(t == "*" or covers(t, d) for t in taken)}
    return {name: _route(least(domains[name]), parts[name], limits) for name in sorted(parts)}


def _route(
    hosts: frozenset[str], parts: dict[bool, rc.Route], limits: dict[str, RateLimit]
) -> dict[str, Any]:
    fullest = parts.get(True) or parts[False]
    found = {"hosts": hosts, "match": _match(fullest), "methods": _methods(parts)}
    found |= _outcome(fullest) | _filters(fullest) | {"headers": _headers(fullest)}
    if fullest.HasField("route"):
        going = fullest.route
        found["timeout_s"] = secs(going.timeout)
        found["stream_idle_s"] = secs(going.idle_timeout) if going.HasField("idle_timeout") else None
        found["websocket"] = not going.upgrade_configs
        found["rate_limits"] = {limits[e.actions[0].generic_key.descriptor_value] for e in going.rate_limits}
        found["mirror"] = next(
            (
                Mirror(m.cluster, m.runtime_fraction.default_value.numerator / 10_000)
                for m in going.request_mirror_policies
            ),
            None,
        )
        found["retries"] = {is_safe: _retries(part.route) for is_safe, part in parts.items()}
    return found


def _match(route: rc.Route) -> Match:
    match = route.match
    kind = match.WhichOneof("path_specifier")
    where = {"path": "path", "prefix": "prefix", "path_separated_prefix": "prefix"}
    place = {"regex": match.safe_regex.regex} if kind == "safe_regex" else {where[kind]: getattr(match, kind)}
    headers = tuple(
        Text(h.name, **_string(h), absent=h.invert_match) for h in match.headers if h.name != ":method"
    )
    query = tuple(Text(q.name, **_string(q)) for q in match.query_parameters)
    return Match(**place, headers=headers, query=query, grpc=match.HasField("grpc"))


def _string(matcher: Any) -> dict[str, str]:
    if not matcher.HasField("string_match"):
        assert matcher.present_match
        return {}
    kind = matcher.string_match.WhichOneof("match_pattern")
    if kind == "safe_regex":
        return {"regex": matcher.string_match.safe_regex.regex}
    return {kind: getattr(matcher.string_match, kind)}


def _methods(parts: dict[bool, rc.Route]) -> frozenset[str]:
    """The methods that are taken, none for all."""
    found: set[str] = set()
    for route in parts.values():
        named = [h.string_match.safe_regex.regex for h in route.match.headers if h.name == ":method"]
        if not named:
            return frozenset()
        found |= set(named[0].split("|"))
    return frozenset(found)


def _outcome(route: rc.Route) -> dict[str, Any]:
    if route.HasField("direct_response"):
        return {"answer": Answer(route.direct_response.status, route.direct_response.body.inline_string)}
    if route.HasField("redirect"):
        said = route.redirect
        return {
            "redirect": Redirect(
                https=said.https_redirect,
                host=said.host_redirect or None,
                port=said.port_redirect or None,
                path=said.path_redirect or None,
                prefix=said.prefix_rewrite or _prefix(route, said.regex_rewrite),
                status=_redirect_status(said.response_code),
                keep_query=not said.strip_query,
            )
        }
    going = route.route
    clusters = going.weighted_clusters.clusters
    shares = tuple(Destination(each.name, each.weight.value) for each in clusters)
    prefix = going.prefix_rewrite or _prefix(route, going.regex_rewrite)
    regex = going.regex_rewrite.pattern.regex if not prefix else ""
    rewrite = Rewrite(
        prefix=prefix or None,
        regex=regex or None,
        substitution=going.regex_rewrite.substitution if regex else "",
        host=going.host_rewrite_literal or None,
    )
    return {"destinations": shares or (Destination(going.cluster),), "rewrite": rewrite}


def _redirect_status(code: int) -> Any:
    names = ("MOVED_PERMANENTLY", "FOUND", "SEE_OTHER", "TEMPORARY_REDIRECT", "PERMANENT_REDIRECT")
    name = rc.RedirectAction.RedirectResponseCode.Name(code)
    return dict(zip(names, (301, 302, 303, 307, 308), strict=True))[name]


def _prefix(route: rc.Route, rewrite: Any) -> str | None:
    """The prefix that a regex stands for, where it takes the slash with it."""
    old = route.match.path_separated_prefix
    if old and rewrite.pattern.regex == f"^{re.escape(old)}/?":
        return str(rewrite.substitution)
    return None


def _retries(going: rc.RouteAction) -> Retries | None:
    if not going.HasField("retry_policy"):
        return None
    policy = going.retry_policy
    words = policy.retry_on.split(",")
    return Retries(
        on=tuple(RETRY_ON[word] for word in words if word in RETRY_ON),
        statuses=tuple(policy.retriable_status_codes),
        attempts=policy.num_retries.value,
        per_try_timeout_s=secs(policy.per_try_timeout) if policy.HasField("per_try_timeout") else None,
        hedge=going.hedge_policy.hedge_on_per_try_timeout,
    )


def _headers(route: rc.Route) -> Headers:
    def changed(options: Any) -> tuple[Header, ...]:
        return tuple(Header(o.header.key, o.header.value, o.append_action == 0) for o in options)

    gone = tuple(name for name in route.request_headers_to_remove if name != "x-api-client")
    return Headers(
        changed(route.request_headers_to_add),
        gone,
        changed(route.response_headers_to_add),
        tuple(route.response_headers_to_remove),
    )


def _filters(route: rc.Route) -> dict[str, Any]:
    kinds: dict[str, tuple[str, type[Any], Any]] = {
        "cors": ("cors", cors_pb2.CorsPolicy, _cors),
        "fault": ("fault", fault_pb2.HTTPFault, _fault),
        "jwt_authn": ("jwt", jwt_pb2.PerRouteConfig, lambda m: tuple(m.requirement_name.split(","))),
        "api_key_auth": (
            "api_keys",
            api_key_auth_pb2.ApiKeyAuthPerRoute,
            lambda m: tuple(each.client for each in m.credentials),
        ),
        "buffer": ("max_body_bytes", buffer_pb2.BufferPerRoute, lambda m: m.buffer.max_request_bytes.value),
    }
    found = {}
    for name, packed in route.typed_per_filter_config.items():
        field, kind, read = kinds[name.removeprefix("envoy.filters.http.")]
        found[field] = read(unpack(packed, kind))
    return found


def _cors(policy: Any) -> Cors:
    def split(text: str) -> tuple[str, ...]:
        return tuple(text.split(", ")) if text else ()

    return Cors(
        tuple(m.exact or "*" for m in policy.allow_origin_string_match),
        split(policy.allow_methods),
        split(policy.allow_headers),
        split(policy.expose_headers),
        policy.allow_credentials.value,
        int(policy.max_age),
    )


def _fault(message: Any) -> Fault:
    delay = message.HasField("delay")
    share = message.delay.percentage if delay else message.abort.percentage
    return Fault(
        share.numerator / 10_000,
        secs(message.delay.fixed_delay) if delay else None,
        message.abort.http_status or None,
        message.headers[0].name if message.headers else None,
    )


# -- listeners -------------------------------------------------------------------------------------


def read_front(name: str, listeners: dict[str, listener_pb2.Listener]) -> tuple[Front, Any]:
    """The front that a service's listeners show, and its HTTP connection manager if it has one."""
    main = listeners[name]
    chain = main.default_filter_chain if main.HasField("default_filter_chain") else main.filter_chains[0]
    said: dict[str, Any] = {"proxy_protocol": "off"}
    for listener_filter in main.listener_filters:
        if listener_filter.name.endswith("proxy_protocol"):
            rule = unpack(listener_filter.typed_config, proxy_protocol_pb2.ProxyProtocol)
            said["proxy_protocol"] = "accepted" if rule.allow_requests_without_proxy_protocol else "required"
    if main.HasField("default_filter_chain"):
        said["sni"] = tuple(
            Passthrough(
                tuple(each.filter_chain_match.server_names),
                unpack(each.filters[-1].typed_config, tcp_proxy_pb2.TcpProxy).cluster,
            )
            for each in main.filter_chains
        )
    for network_filter in chain.filters[:-1]:
        if network_filter.name.endswith("local_ratelimit"):
            rate = unpack(network_filter.typed_config, local_rate_limit_pb2.LocalRateLimit)
            said["connections_per_s"] = rate.token_bucket.max_tokens
        else:
            limit = unpack(network_filter.typed_config, connection_limit_pb2.ConnectionLimit)
            said["max_connections"] = limit.max_connections.value
    manager = None
    if chain.filters[-1].name.endswith("tcp_proxy"):
        proxy = unpack(chain.filters[-1].typed_config, tcp_proxy_pb2.TcpProxy)
        said["idle_timeout_s"] = secs(proxy.idle_timeout) if proxy.HasField("idle_timeout") else None
        versions: tuple[str, ...] = ("1.1", "2")
    else:
        manager = unpack(chain.filters[-1].typed_config, hcm.HttpConnectionManager)
        said["idle_timeout_s"] = secs(manager.common_http_protocol_options.idle_timeout)
        said["max_header_kib"] = manager.max_request_headers_kb.value
        said["headers_timeout_s"] = secs(manager.request_headers_timeout)
        versions = {0: ("1.1", "2"), 1: ("1.1",), 2: ("2",)}[manager.codec_type]
        if f"{name}+h3" in listeners:
            versions = (*versions, "3")
            quic = listeners[f"{name}+h3"].filter_chains[0].transport_socket.typed_config
            transport = unpack(quic, quic_transport_pb2.QuicDownstreamTransport)
            assert list(transport.downstream_tls_context.common_tls_context.alpn_protocols) == ["h3"]
    said["http_versions"] = versions
    if chain.HasField("transport_socket"):
        port = None
        if f"{name}+redirect" in listeners:
            port = listeners[f"{name}+redirect"].address.socket_address.port_value
        said["tls"] = _tls(chain.transport_socket.typed_config, is_http=manager is not None, redirect=port)
    return Front(**said), manager


def _tls(packed: Any, *, is_http: bool, redirect: int | None) -> Tls:
    context = unpack(packed, tls_pb2.DownstreamTlsContext)
    common = context.common_tls_context
    clients = None
    combined = common.combined_validation_context
    ca = (
        common.validation_context_sds_secret_config.name or combined.validation_context_sds_secret_config.name
    )
    if ca:
        names = combined.default_validation_context.match_typed_subject_alt_names
        clients = Clients(
            ca.removesuffix("/ca"),
            context.require_client_certificate.value,
            tuple(each.matcher.exact for each in names),
        )
    return Tls(
        tuple(each.name for each in common.tls_certificate_sds_secret_configs),
        {3: "1.2", 4: "1.3"}[common.tls_params.tls_minimum_protocol_version],  # type: ignore[arg-type]
        clients,
        () if is_http else tuple(common.alpn_protocols),
        redirect,
    )


def read_filters(manager: Any) -> tuple[tuple[str, ...], dict[str, TokenProvider]]:
    """The compression and the token providers of a connection manager."""
    kinds = [each.name.rpartition(".")[2] for each in manager.http_filters if ".compressor." in each.name]
    found = {}
    for each in manager.http_filters:
        if each.name == "envoy.filters.http.jwt_authn":
            for name, provider in unpack(each.typed_config, jwt_pb2.JwtAuthentication).providers.items():
                found[name] = _provider(name, provider)
    return tuple(kinds), found


def _provider(name: str, provider: Any) -> TokenProvider:
    (header,) = provider.from_headers
    assert header.value_prefix == ("Bearer " if header.name == "authorization" else "")
    if provider.HasField("local_jwks"):
        jwks = Jwks(text=provider.local_jwks.inline_string)
    else:
        uri, cluster = provider.remote_jwks.http_uri.uri, provider.remote_jwks.http_uri.cluster
        keep_s = secs(provider.remote_jwks.cache_duration)
        jwks = Jwks(service=cluster, path=uri.removeprefix(f"http://{cluster}"), keep_s=keep_s)
    return TokenProvider(
        name, provider.issuer, jwks, tuple(provider.audiences), header.name, provider.forward
    )
