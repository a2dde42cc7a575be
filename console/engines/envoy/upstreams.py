"""What Envoy speaks with endpoints: the version of HTTP, TLS, and the line that names the client."""

from __future__ import annotations

from typing import Final

from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.core.v3 import base_pb2, protocol_pb2, proxy_protocol_pb2
from envoy.extensions.transport_sockets.proxy_protocol.v3 import upstream_proxy_protocol_pb2
from envoy.extensions.transport_sockets.raw_buffer.v3 import raw_buffer_pb2
from envoy.extensions.transport_sockets.tls.v3 import common_pb2, secret_pb2, tls_pb2
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2
from envoy.type.matcher.v3 import string_pb2
from google.protobuf import wrappers_pb2

from console.engines.envoy.packing import over_ads, pack, seconds
from console.engines.target.pool import Connections, Pool, UpstreamTls
from console.engines.target.pool.upstream import SYSTEM, kind_of_name

#: Where the cluster's extension options have them.
HTTP_OPTIONS: Final = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
#: An endpoint with this in the metadata that Envoy matches transports by is to be cut off.
MATCH_METADATA: Final = "envoy.transport_socket_match"
CLOSED: Final = "closed"
#: After a certificate's name: the secret with the authority kept beside it.
CA: Final = "/ca"
#: The engine's machine's own, where Debian, Ubuntu, Alpine and Arch have them. Envoy 1.40 knows a word for it
#: (system_root_certs) and refuses names beside it, as if there were no authority.
SYSTEM_AUTHORITIES: Final = "/etc/ssl/certs/ca-certificates.crt"

_NAME_KINDS = {
    "address": common_pb2.SubjectAltNameMatcher.IP_ADDRESS,
    "uri": common_pb2.SubjectAltNameMatcher.URI,
    "dns": common_pb2.SubjectAltNameMatcher.DNS,
}


def http_options(pool: Pool) -> http_protocol_options_pb2.HttpProtocolOptions:
    """How HTTP is spoken with the endpoints, and for how long on one connection."""
    connections = pool.connections
    common = protocol_pb2.HttpProtocolOptions(idle_timeout=seconds(connections.idle_s))
    if connections.requests_most:
        common.max_requests_per_connection.value = connections.requests_most
    if connections.age_most_s:
        common.max_connection_duration.CopyFrom(seconds(connections.age_most_s))
    built = http_protocol_options_pb2.HttpProtocolOptions(common_http_protocol_options=common)
    http1, http2 = protocol_pb2.Http1ProtocolOptions(), _http2(connections)
    match pool.upstream.protocol:
        case "http1":
            built.explicit_http_config.http_protocol_options.CopyFrom(http1)
        case "http2":
            built.explicit_http_config.http2_protocol_options.CopyFrom(http2)
        case "same":
            built.use_downstream_protocol_config.http_protocol_options.CopyFrom(http1)
            built.use_downstream_protocol_config.http2_protocol_options.CopyFrom(http2)
        case _:
            built.auto_config.http_protocol_options.CopyFrom(http1)
            built.auto_config.http2_protocol_options.CopyFrom(http2)
    return built


def _http2(connections: Connections) -> protocol_pb2.Http2ProtocolOptions:
    built = protocol_pb2.Http2ProtocolOptions()
    if connections.ping_s:
        built.connection_keepalive.CopyFrom(
            protocol_pb2.KeepaliveSettings(
                interval=seconds(connections.ping_s), timeout=seconds(min(connections.ping_s, 5.0))
            )
        )
    return built


def transport(pool: Pool) -> base_pb2.TransportSocket | None:
    """TLS, the client's line, both, or None for plain TCP."""
    upstream = pool.upstream
    inner = None if upstream.tls is None else _socket("tls", pack(tls(upstream.tls)))
    if not upstream.proxy_line:
        return inner
    versions = proxy_protocol_pb2.ProxyProtocolConfig
    wrapped = upstream_proxy_protocol_pb2.ProxyProtocolUpstreamTransport(
        config=versions(version=versions.V1 if upstream.proxy_line == "v1" else versions.V2),
        transport_socket=inner or plain(),
    )
    return _socket("upstream_proxy_protocol", pack(wrapped))


def transport_matches(pool: Pool) -> list[cluster_pb2.Cluster.TransportSocketMatch]:
    """The pool's transport, and for endpoints that are to be cut off one on which no check can succeed.

    Envoy closes the TCP connections of a host when the host's active check fails, and on no word of ours: neither
    draining, nor unhealthy, nor taking it away does it. So its check is made to fail: TLS with a
    certificate whose hash is all zeros, which neither a server of TLS nor one of clear text has.
    """
    impossible = tls_pb2.UpstreamTlsContext(
        common_tls_context=tls_pb2.CommonTlsContext(
            validation_context=common_pb2.CertificateValidationContext(verify_certificate_hash=["0" * 64])
        )
    )
    match = cluster_pb2.Cluster.TransportSocketMatch
    closed = match(name=CLOSED, transport_socket=_socket("tls", pack(impossible)))
    closed.match.update({CLOSED: True})
    usual = match(name="usual", transport_socket=transport(pool) or plain())
    usual.match.update({})
    return [closed, usual]


def plain() -> base_pb2.TransportSocket:
    """Clear text."""
    return _socket("raw_buffer", pack(raw_buffer_pb2.RawBuffer()))


def tls(asked: UpstreamTls) -> tls_pb2.UpstreamTlsContext:
    """TLS as a client; certificates and authorities other than the system's come as secrets of their names."""
    common = tls_pb2.CommonTlsContext()
    if asked.certificate:
        common.tls_certificate_sds_secret_configs.append(_secret(asked.certificate))
    if asked.verify:
        names = common_pb2.CertificateValidationContext(
            match_typed_subject_alt_names=[
                common_pb2.SubjectAltNameMatcher(
                    san_type=_NAME_KINDS[kind_of_name(name)], matcher=string_pb2.StringMatcher(exact=name)
                )
                for name in asked.accepted_names
            ]
        )
        if asked.authority == SYSTEM:
            names.trusted_ca.filename = SYSTEM_AUTHORITIES
            common.validation_context.CopyFrom(names)
        else:
            combined = common.combined_validation_context
            combined.default_validation_context.CopyFrom(names)
            combined.validation_context_sds_secret_config.CopyFrom(_secret(asked.authority + CA))
    else:
        common.validation_context.trust_chain_verification = (
            common_pb2.CertificateValidationContext.ACCEPT_UNTRUSTED
        )
    return tls_pb2.UpstreamTlsContext(
        common_tls_context=common,
        sni=asked.server_name,
        max_session_keys=wrappers_pb2.UInt32Value(value=1),
    )


def _secret(name: str) -> secret_pb2.SdsSecretConfig:
    return secret_pb2.SdsSecretConfig(name=name, sds_config=over_ads())


def _socket(name: str, typed_config: object) -> base_pb2.TransportSocket:
    return base_pb2.TransportSocket(name=f"envoy.transport_sockets.{name}", typed_config=typed_config)
