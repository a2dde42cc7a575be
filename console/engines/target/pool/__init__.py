"""Endpoints: how they are checked, chosen between, and protected."""

from __future__ import annotations

from typing import get_args

import msgspec

from console.engines.target.checks import InvalidTarget, check_choice, check_integer
from console.engines.target.pool.choice import Balance, Hash, HashKey, SlowStart, Sticky
from console.engines.target.pool.health import Check, Ejection
from console.engines.target.pool.limits import Connections, Limits, Sessions
from console.engines.target.pool.upstream import Upstream, UpstreamTls
from console.engines.target.pool.values import DAY_S, check_bool, check_number

__all__ = [
    "Check", "Connections", "Ejection", "Hash", "HashKey", "Limits", "Pool", "Sessions", "SlowStart", "Sticky",
    "Upstream", "UpstreamTls",
]  # fmt: skip

#: Kinds of checks that a service of each protocol can have.
_CHECKS = {
    "http": ("auto", "connect", "http", "grpc", "off"),
    "tcp": ("auto", "connect", "http", "off"),
    "udp": ("auto", "connect", "http", "datagram", "off"),
}
#: What of the connections a service of each protocol does not read.
_CONNECTIONS_OF_OTHERS = {
    "http": ("close_when_unhealthy",),
    "tcp": ("idle_s", "requests_most", "age_most_s", "ping_s"),
    "udp": Connections.__struct_fields__,
}


class Pool(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Endpoints: how they are checked, chosen between, and protected.

    balance: steelyard follows what each host can still carry. least_choices: of how many drawn at random
    least_request takes the better one. panic_percent: below so many healthy endpoints all are used again, drained
    ones too; 0: never. prefer_zone: endpoints of the engine's own zone first, others when it has none that serve.
    overprovisioning_percent: a priority's healthy endpoints are taken to carry so much of it; what is missing from
    100 goes to the next priority. drain_s: a draining endpoint's connections are closed after so long; null: never.
    """

    check: Check = Check()
    ejection: Ejection = Ejection()
    limits: Limits = Limits()
    connections: Connections = Connections()
    balance: Balance = "steelyard"
    least_choices: int = 2
    hash: Hash = Hash()
    sticky: Sticky | None = None
    slow_start: SlowStart = SlowStart()
    panic_percent: int = 0
    prefer_zone: bool = False
    overprovisioning_percent: int = 140
    drain_s: float | None = 300.0
    upstream: Upstream = Upstream()
    sessions: Sessions = Sessions()

    def __post_init__(self) -> None:
        check_choice("balance", self.balance, get_args(Balance))
        check_integer("least_choices", self.least_choices, 100, least=2)
        check_integer("panic_percent", self.panic_percent, 100, least=0)
        check_bool("prefer_zone", self.prefer_zone)
        check_integer("overprovisioning_percent", self.overprovisioning_percent, 1000, least=100)
        if self.drain_s is not None:
            check_number("drain_s", self.drain_s, 0, 30 * DAY_S)
        if self.balance != "hash" and self.hash != Hash():
            raise InvalidTarget("hash", f'is used with the balance "hash", and this is "{self.balance}"')
        if self.balance != "least_request" and self.least_choices != 2:
            raise InvalidTarget("least_choices", 'is used with the balance "least_request" only')
        if self.balance in ("random", "hash") and self.slow_start.window_s:
            raise InvalidTarget("slow_start.window_s", f'the balance "{self.balance}" has no slow start')
        if self.balance == "hash" and self.prefer_zone:
            raise InvalidTarget("prefer_zone", 'with the balance "hash", the key alone decides')
        if self.check.kind == "grpc" and self.upstream.protocol == "http1":
            raise InvalidTarget("check.kind", 'grpc needs HTTP/2: set upstream.protocol to "http2"')

    @property
    def is_picked(self) -> bool:
        """Whether our own picker chooses: it can only answer with a healthy endpoint, and a panic uses others too."""
        return self.balance == "steelyard" and not self.panic_percent

    def check_protocol(self, protocol: str) -> None:
        """Raise InvalidTarget, with the field's path, where a service of this protocol cannot have a setting."""
        if self.check.kind not in _CHECKS[protocol]:
            raise InvalidTarget("check.kind", f"a {protocol} service cannot be checked by {self.check.kind}")
        if protocol != "udp" and self.sessions != Sessions():
            raise InvalidTarget("sessions", f"only udp has them, and this is {protocol}")
        self._check_connections(protocol)
        if protocol == "udp" and self.upstream != Upstream():
            raise InvalidTarget("upstream", "with datagrams, nothing of it is spoken")
        if protocol == "udp" and self.ejection != Ejection():
            raise InvalidTarget("ejection", "of datagrams nobody knows whether they were answered")
        if protocol == "http":
            return
        if self.sticky is not None:
            raise InvalidTarget(
                "sticky", f"{protocol} has no cookies or headers; see hash for the client's address"
            )
        if self.upstream.protocol != "http1":
            raise InvalidTarget("upstream.protocol", f"nothing of HTTP is spoken for a {protocol} service")
        for number, key in enumerate(self.hash.keys):
            if key.by != "source":
                raise InvalidTarget(
                    f"hash.keys[{number}].by", f"of a {protocol} client only the source is known"
                )

    def _check_connections(self, protocol: str) -> None:
        usual = Connections()
        for field in _CONNECTIONS_OF_OTHERS[protocol]:
            if getattr(self.connections, field) != getattr(usual, field):
                raise InvalidTarget(f"connections.{field}", f"a {protocol} service has no use for it")
