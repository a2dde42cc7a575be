"""The six unequal hosts that balancers are compared on: cpu quotas 10 : 6 : 4 : 2.4 : 1.6 : 1."""

from __future__ import annotations

from typing import Final

from .specs import HostSpec

#: Speeds in proportion; with SLOWEST_CORES for the last they sum to 0.625 of a core.
SPEEDS: Final = (10.0, 6.0, 4.0, 2.4, 1.6, 1.0)
SLOWEST_CORES: Final = 0.025
MEMORY_BYTES: Final = 256 * 2**20
NET_BYTES_S: Final = 25e6

#: Their specs, fastest first.
UNEQUAL: Final = tuple(
    HostSpec(f"h{number}", SLOWEST_CORES * speed, MEMORY_BYTES, NET_BYTES_S)
    for number, speed in enumerate(SPEEDS, 1)
)
