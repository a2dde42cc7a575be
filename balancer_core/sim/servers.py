"""Hosts that serve requests, what happens to them, and what their agents say."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Server:
    """One host as it is now. speed: work/s of the whole host. cores: as declared, 0 for not known.

    taken: share of the host that other work has; greedy: whether that work also takes what is left idle.
    thin: what the network leaves of the speed. stuck: what waiting for something unmeasured leaves of it.
    fails: share of requests that are answered at once, with an error. says: utilisation that its agent claims
    whatever is true, None for the truth. there: whether it belongs to the service.
    """

    name: str
    speed: float
    cores: float = 0.0
    taken: float = 0.0
    greedy: bool = False
    thin: float = 1.0
    stuck: float = 1.0
    fails: float = 0.0
    says: float | None = None
    there: bool = True

    @property
    def speed_now(self) -> float:
        """Work/s that requests get."""
        return self.speed * min(1.0 - self.taken, self.thin, self.stuck)

    def report(self, busy: float) -> tuple[float, str]:
        """Utilisation of the tightest resource and its name, as its agent says; busy: share of the time that
        requests were there."""
        if self.says is not None:
            return self.says, "cpu"
        left = self.speed_now / self.speed
        cpu = 1.0 if self.greedy else self.taken + left * busy
        net = busy * left / self.thin if self.thin < 1.0 else 0.0
        return (net, "net_out") if net > cpu else (cpu, "cpu")


@dataclass(frozen=True, slots=True)
class Change:
    """At at_s a field of a server becomes value. server: its place."""

    at_s: float
    server: int
    what: str
    value: float | bool | None


@dataclass(frozen=True, slots=True)
class Reports:
    """How agents report: every every_s (the second before), and late_s later the law knows."""

    every_s: float = 1.0
    late_s: float = 0.2
