"""Our picker inside Envoy, as the first of a cluster's load-balancing policies (balance.py).

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
from google.protobuf import any_pb2
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


def shortest_delay(service: ServiceTarget) -> cluster_pb2.LoadBalancingPolicy.Policy:
    """The picker, told how the service's pool wants newcomers, zones and priorities treated."""
    pool = service.settings.pool
    options = {
        "traffic": service.protocol,
        "slow_start_s": f"{pool.slow_start.window_s:.12g}",
        # At a share of the window a newcomer has that share to this power of its capacity.
        "ramp_power": f"{1.0 / pool.slow_start.aggression:.12g}",
        "least_ramp": f"{pool.slow_start.least_percent / 100:.12g}",
        "zones": "prefer" if pool.prefer_zone else "ignore",
        "spill": f"{SPILL:.12g}",
        # A priority with a healthy share below 1 / this hands on the rest.
        "overprovision": f"{pool.overprovisioning_percent / 100:.12g}",
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
    extension = extension_pb2.TypedExtensionConfig(name=PICKER, typed_config=pack(picker))
    return cluster_pb2.LoadBalancingPolicy.Policy(typed_extension_config=extension)


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
