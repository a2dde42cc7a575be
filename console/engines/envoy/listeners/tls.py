"""Where TLS ends. Certificates are resources of their own: a renewed one changes no listener and cuts no connection."""

from __future__ import annotations

from typing import Final

from envoy.config.core.v3 import base_pb2
from envoy.extensions.transport_sockets.quic.v3 import quic_transport_pb2
from envoy.extensions.transport_sockets.tls.v3 import common_pb2, secret_pb2, tls_pb2
from envoy.type.matcher.v3 import string_pb2
from google.protobuf import wrappers_pb2

from console.engines.envoy.packing import over_ads, pack
from console.engines.target.front import HttpVersion, Tls
from console.engines.target.secrets import Certificate

#: After a certificate's name: the CA kept with it. No name has a "/".
CA: Final = "/ca"

_LEAST = {"1.2": common_pb2.TlsParameters.TLSv1_2, "1.3": common_pb2.TlsParameters.TLSv1_3}
_ALPN: Final[dict[HttpVersion, str]] = {"2": "h2", "1.1": "http/1.1"}


def secrets(certificate: Certificate) -> list[secret_pb2.Secret]:
    """A certificate as the resources that listeners name."""
    found = []
    if certificate.chain:
        pair = common_pb2.TlsCertificate(
            certificate_chain=base_pb2.DataSource(inline_string=certificate.chain),
            private_key=base_pb2.DataSource(inline_string=certificate.key),
        )
        found.append(secret_pb2.Secret(name=certificate.name, tls_certificate=pair))
    if certificate.ca:
        trusted = common_pb2.CertificateValidationContext(
            trusted_ca=base_pb2.DataSource(inline_string=certificate.ca)
        )
        found.append(secret_pb2.Secret(name=certificate.name + CA, validation_context=trusted))
    return found


def alpn(versions: tuple[HttpVersion, ...]) -> list[str]:
    """The names of HTTP versions over TCP; the newest that both sides know is taken."""
    return [name for version, name in _ALPN.items() if version in versions]


def tls_socket(tls: Tls, protocols: list[str]) -> base_pb2.TransportSocket:
    """TLS over TCP. protocols: what ALPN offers."""
    return base_pb2.TransportSocket(
        name="envoy.transport_sockets.tls", typed_config=pack(_context(tls, protocols))
    )


def quic_socket(tls: Tls) -> base_pb2.TransportSocket:
    """TLS as QUIC has it."""
    transport = quic_transport_pb2.QuicDownstreamTransport(downstream_tls_context=_context(tls, ["h3"]))
    return base_pb2.TransportSocket(name="envoy.transport_sockets.quic", typed_config=pack(transport))


def _context(tls: Tls, protocols: list[str]) -> tls_pb2.DownstreamTlsContext:
    common = tls_pb2.CommonTlsContext(
        tls_params=common_pb2.TlsParameters(tls_minimum_protocol_version=_LEAST[tls.least_version]),
        tls_certificate_sds_secret_configs=[_named(name) for name in tls.certificates],
        alpn_protocols=protocols,
    )
    built = tls_pb2.DownstreamTlsContext()
    if tls.clients is not None:
        built.require_client_certificate.CopyFrom(wrappers_pb2.BoolValue(value=tls.clients.required))
        trusted = _named(tls.clients.ca + CA)
        if tls.clients.names:
            common.combined_validation_context.validation_context_sds_secret_config.CopyFrom(trusted)
            common.combined_validation_context.default_validation_context.match_typed_subject_alt_names.extend(
                _names(tls.clients.names)
            )
        else:
            common.validation_context_sds_secret_config.CopyFrom(trusted)
    built.common_tls_context.CopyFrom(common)
    return built


def _named(name: str) -> secret_pb2.SdsSecretConfig:
    return secret_pb2.SdsSecretConfig(name=name, sds_config=over_ads())


def _names(names: tuple[str, ...]) -> list[common_pb2.SubjectAltNameMatcher]:
    kinds = common_pb2.SubjectAltNameMatcher
    return [
        kinds(
            san_type=kinds.URI if "://" in name else kinds.DNS, matcher=string_pb2.StringMatcher(exact=name)
        )
        for name in names
    ]
