"""A simulator of the core: a day of arrivals and faults in seconds, the same every time.

    hosts = [SimulatedHost("h1", {"cpu": 8}, {"zone": "a"}), ...]
    arrivals = poisson(rng, shapes, rate_per_s=2.0, mean_s=60.0, until_s=600.0)
    failures = PROFILES["zone_lost"](hosts, 600.0, rng)
    summary = Simulation(hosts, arrivals, failures).run(600.0)

It runs the product's own Cluster and decide(), with reports as old as they would be; what it makes up is
time, loads and faults. Hosts are as fast as they say: it is about placement, not about the queues of a single
host. Those are in traffic.py (requests, pickers, and the steering law among them), with its scenes.py.
"""

from __future__ import annotations

from balancer_core.sim.arrivals import Arrival, Shape, poisson
from balancer_core.sim.profiles import PROFILES, Failure, SimulatedHost
from balancer_core.sim.simulation import Simulation
from balancer_core.sim.summary import Summary

__all__ = ["PROFILES", "Arrival", "Failure", "Shape", "SimulatedHost", "Simulation", "Summary", "poisson"]
