"""HTTP connections: versions, timeouts, and the filters that a service's settings ask for."""

from __future__ import annotations

from typing import Final

from envoy.config.core.v3 import base_pb2, extension_pb2, http_uri_pb2, protocol_pb2
from envoy.config.route.v3 import route_components_pb2, route_pb2
from envoy.extensions.compression.brotli.compressor.v3 import brotli_pb2
from envoy.extensions.compression.gzip.compressor.v3 import gzip_pb2
from envoy.extensions.filters.http.api_key_auth.v3 import api_key_auth_pb2
from envoy.extensions.filters.http.buffer.v3 import buffer_pb2
from envoy.extensions.filters.http.compressor.v3 import compressor_pb2
from envoy.extensions.filters.http.cors.v3 import cors_pb2
from envoy.extensions.filters.http.fault.v3 import fault_pb2
from envoy.extensions.filters.http.jwt_authn.v3 import config_pb2 as jwt_pb2
from envoy.extensions.filters.http.local_ratelimit.v3 import local_rate_limit_pb2
from envoy.extensions.filters.http.router.v3 import router_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm
from google.protobuf import wrappers_pb2
from google.protobuf.message import Message

from console.engines.envoy import affinity
from console.engines.envoy.access_logs import access_logs
from console.engines.envoy.listeners.treatments import (
    API_KEYS,
    BUFFER,
    CORS,
    FAULT,
    JWT,
    RATE_LIMITS,
    requirement,
    used_filters,
)
from console.engines.envoy.packing import over_ads, pack, seconds
from console.engines.target import ServiceTarget
from console.engines.target.front import HttpVersion
from console.engines.target.http import Compression, Http, TokenProvider

HTTP_IDLE_S: Final = 300.0
#: Smaller answers do not get smaller by it.
LEAST_COMPRESSED_BYTES: Final = 256
#: How long a token provider's service may take to give its keys.
KEYS_TIMEOUT_S: Final = 5.0

_Manager = hcm.HttpConnectionManager


def http_connections(service: ServiceTarget, *, quic: bool = False) -> hcm.HttpConnectionManager:
    """A service's HTTP connections over TCP or QUIC; its routes come as a resource of its name."""
    built = _hardened(service, service.name, _codec(service.settings.front.http_versions, quic=quic))
    built.rds.CopyFrom(hcm.Rds(config_source=over_ads(), route_config_name=service.name))
    built.http_filters.extend(_filters(service.settings.http))
    built.upgrade_configs.append(_Manager.UpgradeConfig(upgrade_type="websocket"))
    if quic:
        built.http3_protocol_options.CopyFrom(protocol_pb2.Http3ProtocolOptions())
    tls = service.settings.front.tls
    if tls is not None and tls.clients is not None:
        # Who the client proved to be, for endpoints; what a client says of itself there is dropped.
        built.forward_client_cert_details = _Manager.SANITIZE_SET
        details = _Manager.SetCurrentClientCertDetails(dns=True, uri=True)
        details.subject.value = True
        built.set_current_client_cert_details.CopyFrom(details)
    return built


def redirecting_connections(service: ServiceTarget) -> hcm.HttpConnectionManager:
    """Plain HTTP whose every request is told to come back over TLS, at the port where the service listens."""
    built = _hardened(service, f"{service.name}+redirect", _Manager.AUTO)
    again = route_components_pb2.RedirectAction(
        https_redirect=True,
        port_redirect=service.listen_port,
        response_code=route_components_pb2.RedirectAction.PERMANENT_REDIRECT,
    )
    everything = route_components_pb2.Route(match=route_components_pb2.RouteMatch(prefix="/"), redirect=again)
    names = service.settings.http.hosts or ("*",)
    host = route_components_pb2.VirtualHost(name="all", domains=names, routes=[everything])
    built.route_config.CopyFrom(
        route_pb2.RouteConfiguration(name="redirect", virtual_hosts=[host], ignore_port_in_host_matching=True)
    )
    built.http_filters.append(_router())
    return built


def _hardened(service: ServiceTarget, name: str, codec: int) -> hcm.HttpConnectionManager:
    """HTTP connections, hardened as Envoy's guide for an edge proxy says."""
    front = service.settings.front
    idle_s = HTTP_IDLE_S if front.idle_timeout_s is None else front.idle_timeout_s
    return _Manager(
        stat_prefix=name,
        codec_type=codec,
        server_header_transformation=_Manager.PASS_THROUGH,
        use_remote_address=wrappers_pb2.BoolValue(value=True),
        # Nobody counts as internal: a client's x-envoy-* headers could else change what is retried.
        internal_address_config=_Manager.InternalAddressConfig(),
        normalize_path=wrappers_pb2.BoolValue(value=True),
        max_request_headers_kb=wrappers_pb2.UInt32Value(value=front.max_header_kib),
        request_headers_timeout=seconds(front.headers_timeout_s),
        common_http_protocol_options=protocol_pb2.HttpProtocolOptions(idle_timeout=seconds(idle_s)),
        http_protocol_options=protocol_pb2.Http1ProtocolOptions(accept_http_10=True),
        http2_protocol_options=protocol_pb2.Http2ProtocolOptions(
            max_concurrent_streams=wrappers_pb2.UInt32Value(value=100),
            initial_stream_window_size=wrappers_pb2.UInt32Value(value=64 * 1024),
            initial_connection_window_size=wrappers_pb2.UInt32Value(value=1024 * 1024),
        ),
        access_log=access_logs(service),
    )


def _codec(versions: tuple[HttpVersion, ...], *, quic: bool) -> int:
    if quic:
        return int(_Manager.HTTP3)
    over_tcp = set(versions) - {"3"}
    one = {"1.1": _Manager.HTTP1, "2": _Manager.HTTP2}
    return int(one[over_tcp.pop()] if len(over_tcp) == 1 else _Manager.AUTO)


def _filters(http: Http) -> list[hcm.HttpFilter]:
    """In the order in which a request meets them. Each but compression acts only on routes that say so."""
    settings: dict[str, Message] = {
        CORS: cors_pb2.Cors(),
        FAULT: fault_pb2.HTTPFault(),
        RATE_LIMITS: local_rate_limit_pb2.LocalRateLimit(stat_prefix="requests"),
        JWT: _token_checks(http),
        API_KEYS: api_key_auth_pb2.ApiKeyAuth(),
        # The filter asks for a limit here, where it never acts.
        BUFFER: buffer_pb2.Buffer(max_request_bytes=wrappers_pb2.UInt32Value(value=1)),
    }
    used = used_filters(http)
    filters = [
        hcm.HttpFilter(name=name, typed_config=pack(message), disabled=True)
        for name, message in settings.items()
        if name in used
    ]
    return [*filters, *map(_compressor, http.compression), affinity.session_filter(), _router()]


def _router() -> hcm.HttpFilter:
    return hcm.HttpFilter(
        name="envoy.filters.http.router",
        # x-envoy-* answers tell strangers about the inside.
        typed_config=pack(router_pb2.Router(suppress_envoy_headers=True)),
    )


def _compressor(kind: Compression) -> hcm.HttpFilter:
    library = {"gzip": gzip_pb2.Gzip, "brotli": brotli_pb2.Brotli}[kind]()
    common = compressor_pb2.Compressor.CommonDirectionConfig(
        min_content_length=wrappers_pb2.UInt32Value(value=LEAST_COMPRESSED_BYTES)
    )
    settings = compressor_pb2.Compressor(
        compressor_library=extension_pb2.TypedExtensionConfig(
            name=f"envoy.compression.{kind}.compressor", typed_config=pack(library)
        ),
        response_direction_config=compressor_pb2.Compressor.ResponseDirectionConfig(common_config=common),
    )
    return hcm.HttpFilter(name=f"envoy.filters.http.compressor.{kind}", typed_config=pack(settings))


def _token_checks(http: Http) -> jwt_pb2.JwtAuthentication:
    built = jwt_pb2.JwtAuthentication()
    for provider in http.token_providers:
        built.providers[provider.name].CopyFrom(_provider(provider))
    for treatment in (http.treatment(None), *map(http.treatment, http.routes)):
        if not treatment.jwt:
            continue
        wanted = [jwt_pb2.JwtRequirement(provider_name=name) for name in treatment.jwt]
        any_of = jwt_pb2.JwtRequirement(requires_any=jwt_pb2.JwtRequirementOrList(requirements=wanted))
        built.requirement_map[requirement(treatment.jwt)].CopyFrom(wanted[0] if len(wanted) == 1 else any_of)
    return built


def _provider(provider: TokenProvider) -> jwt_pb2.JwtProvider:
    bearer = "Bearer " if provider.header == "authorization" else ""
    built = jwt_pb2.JwtProvider(
        issuer=provider.issuer,
        audiences=provider.audiences,
        forward=provider.forward,
        # A token without an end would be good for ever.
        require_expiration=True,
        from_headers=[jwt_pb2.JwtHeader(name=provider.header, value_prefix=bearer)],
    )
    keys = provider.jwks
    if keys.text is not None:
        built.local_jwks.CopyFrom(base_pb2.DataSource(inline_string=keys.text))
        return built
    built.remote_jwks.CopyFrom(
        jwt_pb2.RemoteJwks(
            http_uri=http_uri_pb2.HttpUri(
                uri=f"http://{keys.service}{keys.path}", cluster=keys.service, timeout=seconds(KEYS_TIMEOUT_S)
            ),
            cache_duration=seconds(keys.keep_s),
            # Before the first request asks for it; and a service that is away holds no listener back.
            async_fetch=jwt_pb2.JwksAsyncFetch(fast_listener=True),
        )
    )
    return built
