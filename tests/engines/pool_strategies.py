"""Pools of every kind that a service of a protocol can have, for hypothesis."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

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

tokens = st.from_regex(r"[A-Za-z0-9_-]{1,20}", fullmatch=True)
labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
paths = st.from_regex(r"/[!-\"$-:<-~]{0,40}", fullmatch=True)
bools = st.booleans()


def times(least_ms: int, most_ms: int) -> st.SearchStrategy[float]:
    """Durations in seconds, to the millisecond."""
    return st.integers(least_ms, most_ms).map(lambda value_ms: value_ms / 1000)


def or_off(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.just(0), strategy)


status = st.integers(100, 599)
ranges = st.tuples(status, status).map(
    lambda pair: f"{min(pair)}-{max(pair)}" if pair[0] != pair[1] else f"{pair[0]}"
)
in_bytes = st.binary(min_size=1, max_size=20).map(bytes.hex)
PACE = {
    "port": st.integers(0, 65_535),
    "interval_s": times(100, 9000),
    "unhealthy_interval_s": or_off(times(100, 9000)),
    "timeout_s": times(10, 9000),
    "unhealthy_after": st.integers(1, 100),
    "healthy_after": st.integers(1, 100),
    "jitter_percent": st.integers(0, 100),
}
checks = {
    "auto": st.builds(Check, st.just("auto"), **PACE),
    "connect": st.builds(
        Check, st.just("connect"), send_hex=st.one_of(st.just(""), in_bytes), expect_hex=in_bytes, **PACE
    ),
    "http": st.builds(
        Check,
        st.just("http"),
        path=paths,
        host=st.one_of(st.just(""), labels),
        method=st.sampled_from(["GET", "HEAD", "OPTIONS"]),
        statuses=st.lists(ranges, min_size=1, max_size=4).map(tuple),
        **PACE,
    ),
    "grpc": st.builds(Check, st.just("grpc"), service=tokens, **PACE),
    "datagram": st.builds(Check, st.just("datagram"), send_hex=in_bytes, expect_hex=in_bytes, **PACE),
    "off": st.just(Check("off")),
}
counts = st.integers(0, 10_000)
ejections = st.one_of(
    st.just(Ejection(on=False)),
    st.builds(
        Ejection,
        errors_in_a_row=counts,
        gateway_errors_in_a_row=counts,
        failures_in_a_row=counts,
        failure_percent=st.integers(0, 100),
        success_rate_factor=or_off(st.integers(100, 10_000).map(lambda value: value / 1000)),
        least_endpoints=st.integers(1, 10_000),
        least_requests=st.integers(1, 10_000),
        window_s=times(100, 9000),
        first_s=times(100, 9000),
        most_s=times(9000, 90_000),
        jitter_s=times(0, 9000),
        most_percent=st.integers(0, 100),
        check_ends=bools,
    ),
)
limits = st.builds(
    Limits,
    connections=st.integers(1, 10_000_000),
    pending=st.integers(1, 10_000_000),
    requests=st.integers(1, 10_000_000),
    endpoint_connections=st.integers(0, 1_000_000),
    retry_percent=st.floats(0, 100),
    least_retries=st.integers(0, 1_000_000),
)
KEEPALIVE = {
    "connect_timeout_s": times(10, 9000),
    "keepalive_s": st.integers(1, 7200),
    "keepalive_interval_s": st.integers(1, 7200),
    "keepalive_probes": st.integers(1, 100),
}
connections = {
    "http": st.builds(
        Connections,
        idle_s=or_off(times(10, 9000)),
        requests_most=counts,
        age_most_s=or_off(times(10, 9000)),
        ping_s=or_off(times(100, 9000)),
        **KEEPALIVE,
    ),
    "tcp": st.one_of(
        st.just(Connections(keepalive_s=0)), st.builds(Connections, close_when_unhealthy=bools, **KEEPALIVE)
    ),
    "udp": st.just(Connections()),
}
sources = st.just(HashKey())
keys = st.one_of(
    sources,
    st.just(HashKey("path")),
    st.builds(HashKey, st.sampled_from(["header", "query"]), tokens),
    st.builds(HashKey, st.just("cookie"), tokens, or_off(times(1000, 9_000_000))),
)
stickies = st.one_of(
    st.none(),
    st.builds(
        Sticky,
        st.just("cookie"),
        st.one_of(st.just(""), tokens),
        paths,
        or_off(st.integers(1, 9000)),
        bools,
    ),
    st.builds(Sticky, st.just("header"), st.one_of(st.just(""), tokens), strict=bools),
)
names = st.one_of(labels, st.ip_addresses().map(str), labels.map(lambda label: f"spiffe://mesh/{label}"))
tls = st.one_of(
    st.none(),
    st.builds(
        UpstreamTls,
        authority=st.one_of(st.just("system"), labels),
        server_name=labels.filter(lambda label: not label.isdigit()),
        names=st.lists(names, max_size=3, unique=True).map(tuple),
        certificate=st.one_of(st.just(""), labels),
    ),
    st.builds(
        UpstreamTls,
        server_name=labels.filter(lambda label: not label.isdigit()),
        verify=st.just(False),
        certificate=st.one_of(st.just(""), labels),
    ),
)


@st.composite
def pools(draw: Any, protocol: str) -> Pool:
    """A pool that a service of this protocol can have."""
    http = protocol == "http"
    balance = draw(st.sampled_from(["steelyard", "round_robin", "least_request", "random", "hash"]))
    secured = None if protocol == "udp" else draw(tls)
    spoken = ["http1", "http2", "same", *(["auto"] if secured else [])] if http else ["http1"]
    upstream = Upstream(
        draw(st.sampled_from(spoken)),
        secured,
        "" if protocol == "udp" else draw(st.sampled_from(["", "v1", "v2"])),
    )
    kinds = {"http": ["auto", "connect", "http", "grpc", "off"], "tcp": ["auto", "connect", "http", "off"]}
    asked = draw(checks[draw(st.sampled_from(kinds.get(protocol, ["auto", "http", "datagram", "off"])))])
    if asked.kind == "grpc" and upstream.protocol == "http1":
        asked = Check()
    slow = st.builds(SlowStart, times(100, 9000), st.integers(1, 100), st.floats(0.1, 100))
    hashes = st.builds(
        Hash,
        st.lists(keys, min_size=1, max_size=3).map(tuple) if http else sources.map(lambda key: (key,)),
        st.sampled_from(["maglev", "ring"]),
        most_load_percent=or_off(st.integers(101, 10_000)),
    )  # fmt: skip
    return Pool(
        check=asked,
        ejection=Ejection() if protocol == "udp" else draw(ejections),
        limits=draw(limits),
        connections=draw(connections[protocol]),
        balance=balance,
        least_choices=draw(st.integers(2, 100)) if balance == "least_request" else 2,
        hash=draw(hashes) if balance == "hash" else Hash(),
        sticky=draw(stickies) if http else None,
        slow_start=draw(slow) if balance in ("steelyard", "round_robin", "least_request") else SlowStart(),
        panic_percent=draw(st.integers(0, 100)),
        prefer_zone=balance != "hash" and draw(bools),
        overprovisioning_percent=draw(st.integers(100, 1000)),
        drain_s=draw(st.one_of(st.none(), times(0, 9000))),
        upstream=upstream,
        sessions=Sessions(draw(times(10, 9000)), draw(bools)) if protocol == "udp" else Sessions(),
    )
