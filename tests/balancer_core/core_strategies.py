"""Clusters and loads as hypothesis draws them, edges included: nothing declared, exactly full, never
reported, blocked."""

from __future__ import annotations

from hypothesis import strategies as st

from balancer_core.cluster import ALL_FLAGS, Cluster
from balancer_core.load import Company, Load, Preference, Spread
from balancer_core.resources import LEAST_AMOUNT, STANDARD, Dimensions

NOW = 1000.0
ZONES = ("a", "b", "c")
DIMENSIONS = Dimensions(STANDARD[:3])

#: Round amounts meet each other exactly; the edges are the least capacity and nearly the most.
amounts = st.sampled_from([0.0, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 3.0, 4.0, 1e-5, 1e17]) | st.floats(0.0, 8.0)
#: Of capacities and demands: 0 or not too little to be weighed.
weighable = amounts.map(lambda amount: amount if amount >= LEAST_AMOUNT else 0.0)
flags = st.just(0) | st.just(0) | st.integers(0, ALL_FLAGS)


def named(values: st.SearchStrategy[float]) -> st.SearchStrategy[dict[str, float]]:
    """Amounts for some of the resources."""
    return st.dictionaries(st.sampled_from(DIMENSIONS.names), values)


@st.composite
def clusters(draw: st.DrawFn) -> Cluster:
    """Up to twelve hosts in every state."""
    cluster = Cluster(DIMENSIONS)
    for number in range(draw(st.integers(0, 12))):
        name = f"host-{number}"
        labels = draw(st.dictionaries(st.just("zone"), st.sampled_from(ZONES)))
        cluster.add_host(name, draw(named(weighable)), labels, draw(flags))
        cluster.set_reserved(name, DIMENSIONS.vector(draw(named(amounts))))
        if draw(st.booleans()):
            has = dict(DIMENSIONS.mapping(cluster.snapshot().capacity[number]))
            used = draw(named(st.floats(0.0, 1.25)))
            cluster.report(
                name, {key: share * has[key] for key, share in used.items()}, NOW - draw(st.floats(0, 99))
            )
        cluster.expect(name, draw(st.just({}) | named(amounts)))
    return cluster


@st.composite
def loads(draw: st.DrawFn) -> Load:
    """A load with any mix of constraints."""
    taken = st.dictionaries(st.sampled_from([*ZONES, "host-0", "host-3"]), st.integers(0, 3))
    levels, limits = st.sampled_from(["zone", "host", "rack"]), st.none() | st.integers(1, 3)
    spreads = st.builds(Spread, levels, taken, limits, limits)
    weights = st.sampled_from([0.0, 0.1, 0.3, 1.0, 5.0])
    near = st.builds(Company, st.sampled_from(["cache", "own"]), taken, levels, st.none() | weights)
    apart = st.builds(Company, st.sampled_from(["noise", "hum"]), taken, levels, st.none() | weights)
    wishes = st.sampled_from([("zone", "a"), ("zone", "d"), ("host", "host-2")])
    prefer = st.builds(lambda wish, weight: Preference(*wish, weight), wishes, weights)
    return Load(
        kind=draw(st.sampled_from(["service", "job", "shard"])),
        name="load-1",
        demand=draw(named(weighable)),
        labels=draw(st.just({}) | st.dictionaries(st.just("zone"), st.sampled_from([*ZONES, "d"]))),
        exclude_hosts=draw(st.frozensets(st.sampled_from(["host-1", "host-2", "gone"]))),
        pin_hosts=draw(st.just(frozenset()) | st.frozensets(st.sampled_from(["host-0", "host-3", "left"]))),
        near=tuple(draw(st.just([]) | st.lists(near, max_size=2))),
        apart=tuple(draw(st.just([]) | st.lists(apart, max_size=2))),
        prefer=tuple(draw(st.just([]) | st.lists(prefer, max_size=2))),
        group=draw(st.sampled_from(["", "own"])),
        marks=draw(
            st.just({}) | st.dictionaries(st.sampled_from(["memory", "cpu"]), st.sampled_from([0.3, 0.8]))
        ),
        spread=tuple(draw(st.just([]) | st.lists(spreads, max_size=2))),
        policy=draw(st.sampled_from(["spread", "pack", "balanced", "tenant_fair"])),
        options=draw(st.just({}) | named(st.floats(0.0, 10.0)).map(lambda given: {"weights": given})),
    )
