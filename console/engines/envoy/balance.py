"""How Envoy chooses between a service's endpoints."""

from __future__ import annotations

from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.core.v3 import base_pb2, extension_pb2
from envoy.extensions.load_balancing_policies.common.v3 import common_pb2
from envoy.extensions.load_balancing_policies.least_request.v3 import least_request_pb2
from envoy.extensions.load_balancing_policies.maglev.v3 import maglev_pb2
from envoy.extensions.load_balancing_policies.random.v3 import random_pb2
from envoy.extensions.load_balancing_policies.ring_hash.v3 import ring_hash_pb2
from envoy.extensions.load_balancing_policies.round_robin.v3 import round_robin_pb2
from envoy.type.v3 import percent_pb2
from google.protobuf import wrappers_pb2
from google.protobuf.message import Message

from console.engines.envoy.packing import pack, seconds
from console.engines.envoy.policy import shortest_delay
from console.engines.target import ServiceTarget
from console.engines.target.pool import Pool

ZoneAware = common_pb2.LocalityLbConfig.ZoneAwareLbConfig


def load_balancing_policy(service: ServiceTarget) -> cluster_pb2.LoadBalancingPolicy:
    """The cluster's policy for the balance of its pool."""
    pool = service.settings.pool
    match pool.balance:
        case "round_robin":
            name, built = "round_robin", _round_robin(pool)
        case "random":
            name, built = "random", random_pb2.Random(locality_lb_config=_zones(pool))
        case "hash" if pool.hash.table == "ring":
            name, built = "ring_hash", _ring(pool)
        case "hash":
            name, built = "maglev", _maglev(pool)
        case _:
            name, built = "least_request", least_request(pool)
    policies = [_policy(name, built)]
    if pool.is_picked:
        policies.insert(0, shortest_delay(service))
    return cluster_pb2.LoadBalancingPolicy(policies=policies)


def _policy(name: str, config: Message) -> cluster_pb2.LoadBalancingPolicy.Policy:
    extension = extension_pb2.TypedExtensionConfig(
        name=f"envoy.load_balancing_policies.{name}", typed_config=pack(config)
    )
    return cluster_pb2.LoadBalancingPolicy.Policy(typed_extension_config=extension)


def least_request(pool: Pool) -> least_request_pb2.LeastRequest:
    """Weighted least-request: with unequal weights, each host's share is weight / (active + 1)."""
    built = least_request_pb2.LeastRequest(
        choice_count=wrappers_pb2.UInt32Value(value=pool.least_choices),
        locality_lb_config=_zones(pool),
    )
    _add_slow_start(built, pool)
    return built


def _round_robin(pool: Pool) -> round_robin_pb2.RoundRobin:
    built = round_robin_pb2.RoundRobin(locality_lb_config=_zones(pool))
    _add_slow_start(built, pool)
    return built


def _maglev(pool: Pool) -> maglev_pb2.Maglev:
    return maglev_pb2.Maglev(consistent_hashing_lb_config=_bounded(pool))


def _ring(pool: Pool) -> ring_hash_pb2.RingHash:
    return ring_hash_pb2.RingHash(consistent_hashing_lb_config=_bounded(pool))


def _bounded(pool: Pool) -> common_pb2.ConsistentHashingLbConfig:
    built = common_pb2.ConsistentHashingLbConfig()
    if pool.hash.most_load_percent:
        built.hash_balance_factor.value = pool.hash.most_load_percent
    return built


def _zones(pool: Pool) -> common_pb2.LocalityLbConfig:
    """Which zones take part. Said in any case: an Envoy that knows its zone would else prefer it from six hosts on."""
    if not pool.prefer_zone:
        off = percent_pb2.Percent(value=0)
        return common_pb2.LocalityLbConfig(zone_aware_lb_config=ZoneAware(routing_enabled=off))
    return common_pb2.LocalityLbConfig(
        zone_aware_lb_config=ZoneAware(
            routing_enabled=percent_pb2.Percent(value=100),
            min_cluster_size=wrappers_pb2.UInt64Value(value=1),
            # Else its share of the requests is its share of the Envoys and endpoints, which it does not know.
            force_local_zone=ZoneAware.ForceLocalZone(min_size=wrappers_pb2.UInt32Value(value=1)),
        )
    )


def _add_slow_start(built: Message, pool: Pool) -> None:
    slow = pool.slow_start
    if not slow.window_s:
        return
    built.slow_start_config.CopyFrom(
        common_pb2.SlowStartConfig(
            slow_start_window=seconds(slow.window_s),
            aggression=base_pb2.RuntimeDouble(
                default_value=slow.aggression, runtime_key="steelyard.slow_start"
            ),
            min_weight_percent=percent_pb2.Percent(value=slow.least_percent),
        )
    )
