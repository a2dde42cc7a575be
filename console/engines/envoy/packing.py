"""The small protobuf phrases that every rendered resource uses."""

from __future__ import annotations

from envoy.config.core.v3 import config_source_pb2
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message


def pack(message: Message) -> any_pb2.Any:
    """message in an Any with deterministic bytes (map fields are otherwise in arbitrary order)."""
    packed = any_pb2.Any()
    packed.Pack(message, deterministic=True)
    return packed


def over_ads() -> config_source_pb2.ConfigSource:
    """Where a resource comes from: the stream that is open already."""
    return config_source_pb2.ConfigSource(
        ads=config_source_pb2.AggregatedConfigSource(), resource_api_version=config_source_pb2.V3
    )


def seconds(value_s: float) -> duration_pb2.Duration:
    """value_s as protobuf has it, to the nanosecond."""
    nanos = round(value_s * 1e9)
    return duration_pb2.Duration(seconds=nanos // 10**9, nanos=nanos % 10**9)
