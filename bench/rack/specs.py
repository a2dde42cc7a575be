"""What a host of the rack should be, and the checks that a machine can carry it."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

#: A DNS label, as everywhere in Steelyard; shorter, since it becomes part of a namespace's name.
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")

#: Proxy, load generator and control plane share the machine with the hosts.
#: Above this share they disturb what is measured.
MAX_QUOTA_SHARE = 0.6

#: The kernel refuses a cpu quota below 1 ms a period, and a period above 1 s.
MIN_QUOTA_US = 1_000
#: A short period makes a slow host slow evenly; a long one lets it run at full speed, then stand still.
PERIOD_US = 100_000
MAX_PERIOD_US = 1_000_000

#: Python with a few libraries starts within this; less only makes hosts that die at once.
MIN_MEMORY_BYTES = 8 << 20
#: tbf holds one burst of at least a jumbo segment; below this rate that burst lasts seconds.
MIN_NET_BYTES_S = 10_000.0


@dataclass(frozen=True, slots=True)
class HostSpec:
    """One host: cores (may be a fraction), memory in bytes, bandwidth in bytes/s in each direction.

    Raises ValueError naming the field that makes no sense.
    """

    name: str
    cores: float
    memory_bytes: int
    net_bytes_s: float
    labels: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise ValueError(f"name: {self.name!r} is not a DNS label of at most 32 characters")
        least_cores = MIN_QUOTA_US / MAX_PERIOD_US
        for name, value, least in (
            ("cores", self.cores, least_cores),
            ("memory_bytes", self.memory_bytes, MIN_MEMORY_BYTES),
            ("net_bytes_s", self.net_bytes_s, MIN_NET_BYTES_S),
        ):
            if not math.isfinite(value) or value < least:
                raise ValueError(
                    f"{name}: {value!r} of host {self.name} is not a number of at least {least:g}"
                )


def cpu_quota(cores: float) -> tuple[int, int]:
    """(quota, period) in microseconds for a number of cores: the usual period, longer only for tiny hosts."""
    period_us = min(MAX_PERIOD_US, max(PERIOD_US, math.ceil(MIN_QUOTA_US / cores)))
    return max(MIN_QUOTA_US, round(cores * period_us)), period_us


def machine_cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0))


def check_specs(specs: Sequence[HostSpec]) -> None:
    """Raise ValueError if names repeat, there are too many hosts for a /24, or their quotas exceed the machine."""
    names = [spec.name for spec in specs]
    if not names or len(set(names)) != len(names):
        raise ValueError(f"a rack needs at least one host and no name twice, not {names}")
    if len(names) > 200:
        raise ValueError(f"{len(names)} hosts do not fit one /24 network; at most 200")
    wanted = sum(spec.cores for spec in specs)
    limit = MAX_QUOTA_SHARE * machine_cores()
    if wanted > limit + 1e-9:
        raise ValueError(
            f"the hosts' quotas sum to {wanted:g} cores; above {limit:g} (60 % of this machine) "
            f"they disturb what is measured. fit_cores() scales them down in proportion"
        )


def fit_cores(specs: Sequence[HostSpec]) -> tuple[HostSpec, ...]:
    """The same hosts with cores scaled down in proportion, if need be, to what this machine can carry."""
    factor = min(1.0, MAX_QUOTA_SHARE * machine_cores() / sum(spec.cores for spec in specs))
    return tuple(replace(spec, cores=spec.cores * factor) for spec in specs)
