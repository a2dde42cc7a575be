"""A pool's document: every wrong value is refused with the path of its field, and what goes with what is held."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.engines.target import InvalidTarget, ServiceTarget
from console.engines.target.pool import Pool, UpstreamTls
from console.engines.target.settings import settings_of

TLS = {"server_name": "shop.test"}


@pytest.mark.parametrize(
    ("path", "pool"),
    [
        ("pool.check.kind", {"check": {"kind": "ping"}}),
        ("pool.check.path", {"check": {"kind": "http", "path": "ready"}}),
        ("pool.check.path", {"check": {"kind": "http", "path": "/a b"}}),
        ("pool.check.path", {"check": {"kind": "http", "path": "/a\r\nx: y"}}),
        ("pool.check.path", {"check": {"kind": "connect", "path": "/ready"}}),
        ("pool.check.host", {"check": {"kind": "http", "host": "a\nb"}}),
        ("pool.check.method", {"check": {"kind": "http", "method": "POST"}}),
        ("pool.check.statuses", {"check": {"kind": "http", "statuses": ["200-"]}}),
        ("pool.check.statuses", {"check": {"kind": "http", "statuses": ["299-200"]}}),
        ("pool.check.statuses", {"check": {"kind": "http", "statuses": []}}),
        ("pool.check.statuses[0]", {"check": {"kind": "http", "statuses": [200]}}),
        ("pool.check.service", {"check": {"kind": "http", "service": "shop.Cart"}}),
        ("pool.check.send_hex", {"check": {"kind": "datagram", "send_hex": "00"}}),
        ("pool.check.send_hex", {"check": {"send_hex": "xyz"}}),
        ("pool.check.send_hex", {"check": {"kind": "http", "send_hex": "00"}}),
        ("pool.check.port", {"check": {"port": 65_536}}),
        ("pool.check.interval_s", {"check": {"interval_s": 0}}),
        ("pool.check.interval_s", {"check": {"interval_s": 1e309}}),
        ("pool.check.timeout_s", {"check": {"timeout_s": -1}}),
        ("pool.check.unhealthy_after", {"check": {"unhealthy_after": 0}}),
        ("pool.check.healthy_after", {"check": {"healthy_after": 1.5}}),
        ("pool.check.jitter_percent", {"check": {"jitter_percent": 101}}),
        ("pool.check", {"check": {"intervall_s": 1}}),
        ("pool.check.kind", {"check": {"kind": "grpc"}}),
        ("pool.ejection.most_percent", {"ejection": {"most_percent": 101}}),
        ("pool.ejection.most_s", {"ejection": {"first_s": 90}}),
        ("pool.ejection.errors_in_a_row", {"ejection": {"errors_in_a_row": -1}}),
        ("pool.ejection.success_rate_factor", {"ejection": {"success_rate_factor": 0.01}}),
        ("pool.limits.pending", {"limits": {"pending": 0}}),
        ("pool.limits.retry_percent", {"limits": {"retry_percent": 101}}),
        ("pool.limits.connections", {"limits": {"connections": True}}),
        ("pool.connections.connect_timeout_s", {"connections": {"connect_timeout_s": 0}}),
        ("pool.connections.keepalive_s", {"connections": {"keepalive_s": 2.5}}),
        ("pool.balance", {"balance": "fastest"}),
        ("pool.least_choices", {"least_choices": 3}),
        ("pool.hash", {"hash": {"table": "ring"}}),
        ("pool.hash.keys", {"balance": "hash", "hash": {"keys": []}}),
        ("pool.hash.keys[1].name", {"balance": "hash", "hash": {"keys": [{}, {"by": "header"}]}}),
        ("pool.hash.keys[0].name", {"balance": "hash", "hash": {"keys": [{"by": "header", "name": "a b"}]}}),
        ("pool.hash.keys[0].name", {"balance": "hash", "hash": {"keys": [{"by": "path", "name": "a"}]}}),
        ("pool.hash.keys[0].ttl_s", {"balance": "hash", "hash": {"keys": [{"ttl_s": 9}]}}),
        ("pool.hash.most_load_percent", {"balance": "hash", "hash": {"most_load_percent": 100}}),
        ("pool.sticky.name", {"sticky": {"name": "a;b"}}),
        ("pool.sticky.path", {"sticky": {"path": "/;Domain=.test"}}),
        ("pool.sticky.ttl_s", {"sticky": {"by": "header", "ttl_s": 60}}),
        ("pool.slow_start.window_s", {"balance": "random", "slow_start": {"window_s": 5}}),
        ("pool.slow_start.least_percent", {"slow_start": {"window_s": 5, "least_percent": 0}}),
        ("pool.panic_percent", {"panic_percent": -1}),
        ("pool.prefer_zone", {"balance": "hash", "prefer_zone": True}),
        ("pool.overprovisioning_percent", {"overprovisioning_percent": 99}),
        ("pool.drain_s", {"drain_s": -1}),
        ("pool.upstream.protocol", {"upstream": {"protocol": "http3"}}),
        ("pool.upstream.protocol", {"upstream": {"protocol": "auto"}}),
        ("pool.upstream.proxy_line", {"upstream": {"proxy_line": "v3"}}),
        ("pool.upstream.tls.server_name", {"upstream": {"tls": {}}}),
        ("pool.upstream.tls.server_name", {"upstream": {"tls": {"server_name": "10.0.0.1"}}}),
        ("pool.upstream.tls.names", {"upstream": {"tls": {"names": ["a b"]}}}),
        ("pool.upstream.tls.authority", {"upstream": {"tls": {**TLS, "authority": "/etc/ca.pem"}}}),
        ("pool.upstream.tls.certificate", {"upstream": {"tls": {**TLS, "certificate": "a/ca"}}}),
        ("pool.sessions.idle_s", {"sessions": {"idle_s": 0}}),
    ],
)
def test_a_wrong_value_is_refused_by_its_path(path: str, pool: dict[str, Any]) -> None:
    """With a sentence, and before anything is rendered."""
    with pytest.raises(InvalidTarget) as refused:
        settings_of({"pool": pool})

    assert path == refused.value.field
    assert refused.value.reason


@pytest.mark.parametrize(
    ("protocol", "path", "pool"),
    [
        ("http", "check.kind", {"check": {"kind": "datagram", "send_hex": "00", "expect_hex": "00"}}),
        ("http", "sessions", {"sessions": {"idle_s": 5}}),
        ("http", "connections.close_when_unhealthy", {"connections": {"close_when_unhealthy": False}}),
        ("tcp", "sticky", {"sticky": {}}),
        ("tcp", "upstream.protocol", {"upstream": {"protocol": "http2"}}),
        ("tcp", "connections.idle_s", {"connections": {"idle_s": 5}}),
        ("tcp", "hash.keys[0].by", {"balance": "hash", "hash": {"keys": [{"by": "path"}]}}),
        ("udp", "upstream", {"upstream": {"tls": TLS}}),
        ("udp", "upstream", {"upstream": {"proxy_line": "v1"}}),
        ("udp", "connections.keepalive_s", {"connections": {"keepalive_s": 5}}),
        ("udp", "ejection", {"ejection": {"on": False}}),
    ],
)
def test_what_a_protocol_has_no_use_for_is_refused(protocol: Any, path: str, pool: dict[str, Any]) -> None:
    """Rather than kept and read by nobody."""
    settings = settings_of({"pool": pool})

    with pytest.raises(InvalidTarget) as refused:
        ServiceTarget("web", protocol, "127.0.0.1", 80, (), settings)

    assert refused.value.field == f"settings.pool.{path}"


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from([*Pool.__struct_fields__, "kind", "by"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(Pool.__struct_fields__), json, max_size=4))
def test_any_document_is_a_pool_or_refused_by_name(document: dict[str, Any]) -> None:
    """Nothing but InvalidTarget comes of nonsense, and it names something within the pool."""
    try:
        found = settings_of({"pool": document}).pool
    except InvalidTarget as error:
        assert error.field.startswith("pool")
    else:
        assert isinstance(found, Pool)


def test_names_of_a_certificate_default_to_the_one_asked_for() -> None:
    """And are those that are given, where some are."""
    assert UpstreamTls(server_name="a.test").accepted_names == ("a.test",)
    assert UpstreamTls(server_name="a.test", names=("10.0.0.1",)).accepted_names == ("10.0.0.1",)
