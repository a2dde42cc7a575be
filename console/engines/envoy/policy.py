"""A cluster's load-balancing policy: our picker inside Envoy, or Envoy's own least request.

    [ shortest_delay of libsteelyard.so,   where the node says that it can load it
      LEAST_REQUEST, weighted ]            everywhere

Envoy takes the first policy of a list whose extension it knows; one that is known and fails to load rejects the whole
cluster, even with another policy behind it. So what a node cannot load must not be sent to it: without_picker() makes
the resource of a node that did not say it can.
"""

from __future__ import annotations

from typing import Any, Final

from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.core.v3 import extension_pb2
from envoy.extensions.load_balancing_policies.least_request.v3 import least_request_pb2
from google.protobuf import any_pb2
from google.protobuf.message import Message
from xds.type.v3 import typed_struct_pb2

from console.engines.envoy.packing import pack
from console.engines.target import ServiceTarget

PICKER: Final = "envoy.load_balancing_policies.dynamic_modules"
#: xds-protos has no message for it; Envoy takes a TypedStruct of its type as well.
_TYPES: Final = "type.googleapis.com/envoy.extensions.load_balancing_policies.dynamic_modules.v3"
#: As in picker/module.c and the name of its file, libsteelyard.so.
MODULE: Final = "steelyard"
POLICY: Final = "shortest_delay"
#: Another zone is used where the own one's delay would be more than so many times as long.
SPILL: Final = 2.0


def policy(
    service: ServiceTarget,
    *,
    fallback: Message | None = None,
    slow_start_s: float = 0.0,
    ramp_power: float = 1.0,
    least_ramp: float = 0.1,
    prefer_zone: bool = True,
    spill: float = SPILL,
    overprovision: float = 1.4,
    panic: bool = False,
) -> cluster_pb2.LoadBalancingPolicy:
    """The picker first, Envoy's least request behind it.

    fallback: the LeastRequest for nodes without the picker; weighted if left out. slow_start_s: how long a newcomer
    takes to its whole capacity, 0 for none; at a share of that time it has that share to the ramp_power, but never
    less than least_ramp. prefer_zone: the Envoy's own zone first, until its delay is more than spill times the others'.
    overprovision: a priority with a healthy share below 1 / this hands on the rest. panic: shall hosts that fail their
    checks be used when too few are left? The picker can only answer with a healthy one; Envoy's own policy serves then.
    """
    own = _policy(
        "envoy.load_balancing_policies.least_request", pack(fallback or least_request_pb2.LeastRequest())
    )
    if panic:
        return cluster_pb2.LoadBalancingPolicy(policies=[own])
    options = {
        "traffic": service.protocol,
        "slow_start_s": f"{slow_start_s:.12g}",
        "ramp_power": f"{ramp_power:.12g}",
        "least_ramp": f"{least_ramp:.12g}",
        "zones": "prefer" if prefer_zone else "ignore",
        "spill": f"{spill:.12g}",
        "overprovision": f"{overprovision:.12g}",
    }
    told = " ".join(f"{key}={value}" for key, value in options.items())
    picker = typed_struct_pb2.TypedStruct(type_url=f"{_TYPES}.DynamicModulesLoadBalancerConfig")
    fields: dict[str, Any] = {
        # Unloading code that a worker may still run is not worth the memory.
        "dynamic_module_config": {"name": MODULE, "do_not_close": True},
        "lb_policy_name": POLICY,
        "lb_policy_config": {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": told},
    }
    picker.value.update(fields)
    return cluster_pb2.LoadBalancingPolicy(policies=[_policy(PICKER, pack(picker)), own])


def without_picker(resource: any_pb2.Any) -> any_pb2.Any:
    """The cluster for a node that cannot load the picker; the same one if it has none."""
    cluster = cluster_pb2.Cluster()
    resource.Unpack(cluster)
    policies = cluster.load_balancing_policy.policies
    kept = [each for each in policies if each.typed_extension_config.name != PICKER]
    if len(kept) == len(policies):
        return resource
    del policies[:]
    policies.extend(kept)
    return pack(cluster)


def _policy(name: str, config: any_pb2.Any) -> cluster_pb2.LoadBalancingPolicy.Policy:
    extension = extension_pb2.TypedExtensionConfig(name=name, typed_config=config)
    return cluster_pb2.LoadBalancingPolicy.Policy(typed_extension_config=extension)
