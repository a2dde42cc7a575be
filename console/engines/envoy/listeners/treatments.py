"""What is done to a request on the way, as each filter's settings for one route."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from envoy.config.core.v3 import base_pb2
from envoy.config.route.v3 import route_components_pb2
from envoy.extensions.common.ratelimit.v3 import ratelimit_pb2
from envoy.extensions.filters.common.fault.v3 import fault_pb2 as common_fault_pb2
from envoy.extensions.filters.http.api_key_auth.v3 import api_key_auth_pb2
from envoy.extensions.filters.http.buffer.v3 import buffer_pb2
from envoy.extensions.filters.http.cors.v3 import cors_pb2
from envoy.extensions.filters.http.fault.v3 import fault_pb2
from envoy.extensions.filters.http.jwt_authn.v3 import config_pb2 as jwt_pb2
from envoy.extensions.filters.http.local_ratelimit.v3 import local_rate_limit_pb2
from envoy.type.matcher.v3 import regex_pb2, string_pb2
from envoy.type.v3 import percent_pb2, token_bucket_pb2
from google.protobuf import wrappers_pb2
from google.protobuf.message import Message

from console.engines.envoy.packing import seconds
from console.engines.target.http import Http
from console.engines.target.treatment import Cors, Fault, RateLimit, Treatment

CORS: Final = "envoy.filters.http.cors"
FAULT: Final = "envoy.filters.http.fault"
RATE_LIMITS: Final = "envoy.filters.http.local_ratelimit"
JWT: Final = "envoy.filters.http.jwt_authn"
API_KEYS: Final = "envoy.filters.http.api_key_auth"
BUFFER: Final = "envoy.filters.http.buffer"

#: Where endpoints hear the name of the API key that a request showed.
CLIENT_HEADER: Final = "x-api-client"
#: Of client addresses whose requests are counted apart; of more, the least recently seen are forgotten.
MOST_CLIENTS: Final = 100_000
_NO_LIMIT: Final = 2**31 - 1


def used_filters(http: Http) -> set[str]:
    """The filters that anything of the service's settings asks for."""
    treatments = [http.treatment(None), *map(http.treatment, http.routes)]
    found = {name for treatment in treatments for name, _ in _asked(treatment, http, {})}
    return found | ({RATE_LIMITS} if any(each.rate_limits for each in treatments) else set())


def per_route(treatment: Treatment, http: Http, keys: Mapping[str, str]) -> dict[str, Message]:
    """Filter -> its settings for a route that is treated so. keys: API key's name -> the key."""
    return dict(_asked(treatment, http, keys))


def requirement(providers: tuple[str, ...]) -> str:
    """How "a token of any of these" is called. No name has a comma."""
    return ",".join(providers)


def _asked(treatment: Treatment, http: Http, keys: Mapping[str, str]) -> Iterator[tuple[str, Message]]:
    if treatment.cors is not None and treatment.cors.origins:
        yield CORS, _cors(treatment.cors)
    if treatment.fault is not None and treatment.fault.percent:
        yield FAULT, _fault(treatment.fault)
    if treatment.jwt:
        yield JWT, jwt_pb2.PerRouteConfig(requirement_name=requirement(treatment.jwt))
    if treatment.api_keys:
        yield (
            API_KEYS,
            api_key_auth_pb2.ApiKeyAuthPerRoute(
                credentials=[
                    api_key_auth_pb2.Credential(client=name, key=keys[name])
                    for name in treatment.api_keys
                    if name in keys
                ],
                key_sources=[api_key_auth_pb2.KeySource(header=http.api_key_header)],
                forwarding=api_key_auth_pb2.Forwarding(header=CLIENT_HEADER, hide_credentials=True),
            ),
        )
    if treatment.max_body_bytes:
        most = wrappers_pb2.UInt32Value(value=treatment.max_body_bytes)
        yield BUFFER, buffer_pb2.BufferPerRoute(buffer=buffer_pb2.Buffer(max_request_bytes=most))


def share(percent: float) -> percent_pb2.FractionalPercent:
    """A percentage to four places."""
    return percent_pb2.FractionalPercent(
        numerator=round(percent * 10_000), denominator=percent_pb2.FractionalPercent.MILLION
    )


def always() -> base_pb2.RuntimeFractionalPercent:
    return base_pb2.RuntimeFractionalPercent(default_value=share(100))


def _cors(cors: Cors) -> cors_pb2.CorsPolicy:
    anybody = string_pb2.StringMatcher(safe_regex=regex_pb2.RegexMatcher(regex=".*"))
    return cors_pb2.CorsPolicy(
        allow_origin_string_match=[
            anybody if origin == "*" else string_pb2.StringMatcher(exact=origin) for origin in cors.origins
        ],
        allow_methods=", ".join(cors.methods),
        allow_headers=", ".join(cors.headers),
        expose_headers=", ".join(cors.exposed),
        max_age=str(cors.max_age_s),
        allow_credentials=wrappers_pb2.BoolValue(value=cors.credentials),
        # A site that may not ask is told so here, not by the application.
        forward_not_matching_preflights=wrappers_pb2.BoolValue(value=False),
    )


def _fault(fault: Fault) -> fault_pb2.HTTPFault:
    built = fault_pb2.HTTPFault()
    if fault.header is not None:
        built.headers.append(route_components_pb2.HeaderMatcher(name=fault.header, present_match=True))
    if fault.delay_s is not None:
        built.delay.CopyFrom(
            common_fault_pb2.FaultDelay(fixed_delay=seconds(fault.delay_s), percentage=share(fault.percent))
        )
    if fault.abort_status is not None:
        built.abort.CopyFrom(
            fault_pb2.FaultAbort(http_status=fault.abort_status, percentage=share(fault.percent))
        )
    return built


def rate_limits(named: Mapping[str, tuple[RateLimit, ...]]) -> local_rate_limit_pb2.LocalRateLimit:
    """All limits of a service, by the name that its routes call them by (limit_actions).

    They stand together and not with each route: routes that share a limit then share its tokens.
    """
    built = local_rate_limit_pb2.LocalRateLimit(
        stat_prefix="requests",
        filter_enabled=always(),
        filter_enforced=always(),
        # Only the descriptors count.
        token_bucket=token_bucket_pb2.TokenBucket(max_tokens=_NO_LIMIT, fill_interval=seconds(3600)),
        always_consume_default_token_bucket=wrappers_pb2.BoolValue(value=False),
        max_dynamic_descriptors=wrappers_pb2.UInt32Value(value=MOST_CLIENTS),
    )
    entry = ratelimit_pb2.RateLimitDescriptor.Entry
    for name, limits in named.items():
        for limit in limits:
            entries = [entry(key="limit", value=f"{name}.{limit.of}")]
            if limit.of == "client":
                entries.append(entry(key="remote_address"))
            bucket = token_bucket_pb2.TokenBucket(
                max_tokens=limit.requests,
                tokens_per_fill=wrappers_pb2.UInt32Value(value=limit.requests),
                fill_interval=seconds(limit.per_s),
            )
            built.descriptors.append(
                ratelimit_pb2.LocalRateLimitDescriptor(entries=entries, token_bucket=bucket)
            )
    return built


def limit_actions(name: str, limits: tuple[RateLimit, ...]) -> list[route_components_pb2.RateLimit]:
    """What a route counts its requests by."""
    kinds = route_components_pb2.RateLimit.Action
    found = []
    for limit in limits:
        key = kinds.GenericKey(descriptor_key="limit", descriptor_value=f"{name}.{limit.of}")
        actions = [kinds(generic_key=key)]
        if limit.of == "client":
            actions.append(kinds(remote_address=kinds.RemoteAddress()))
        found.append(route_components_pb2.RateLimit(actions=actions))
    return found
