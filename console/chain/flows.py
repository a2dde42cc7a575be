"""What flows along the chain: from pools' figures, which are known, to edges', which mostly follow."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from console.chain.inputs import ServiceKnown
from console.engines.target.named import services_named


class Flow(msgspec.Struct, frozen=True):
    """Per second. share: of all that the service at its end gets (0..1), None while it gets nothing."""

    rate_per_s: float
    errors_per_s: float
    share: float | None = None


class Flows:
    """The figures of services that are known together."""

    def __init__(self, services: Sequence[ServiceKnown]) -> None:
        self._by_name = {each.name: each for each in services}
        # Pool -> the services whose requests end there, the one that listens itself among them.
        self._ways: dict[str, set[str]] = {each.name: set() for each in services}
        for each in services:
            for name in self.ends(each):
                if name in self._ways:
                    self._ways[name].add(each.name)

    def ends(self, service: ServiceKnown) -> set[str]:
        """The pools in which requests to a listener end; none of a service that has no listener."""
        if not service.listen:
            return set()
        named = {
            name
            for path, name in services_named(service.settings).items()
            if "mirror" not in path and "jwks" not in path
        }
        return named | ({service.name} if service.endpoints else set())

    def of_pool(self, service: ServiceKnown) -> Flow | None:
        """What a service's own endpoints get; None while unknown."""
        known = [each for each in service.endpoints if each.rate_per_s is not None]
        if not known:
            return None
        return Flow(
            sum(each.rate_per_s or 0.0 for each in known), sum(each.errors_per_s or 0.0 for each in known)
        )

    def between(self, source: str, target: str) -> Flow | None:
        """What source's routes lead to target; None where somebody else leads there, too."""
        if self._ways.get(target) != {source}:
            return None
        pool = self.of_pool(self._by_name[target])
        return (
            None
            if pool is None
            else Flow(pool.rate_per_s, pool.errors_per_s, 1.0 if pool.rate_per_s else None)
        )

    def through(
        self, front: ServiceKnown, engines: Collection[str], speaking: Collection[str]
    ) -> Flow | None:
        """What comes to a listener by these engines; None where it ends in pools that others lead to, too.

        speaking: the engines that carry it and whose figures are of now. Figures apart are there where several speak.
        """
        if not set(engines) & set(speaking):
            return None
        rate = errors = whole = 0.0
        for name in self.ends(front):
            pool = self._by_name.get(name)
            flow = None if pool is None or self._ways[name] != {front.name} else self.of_pool(pool)
            if pool is None or flow is None:
                return None
            whole += flow.rate_per_s
            by_engine = [each.by_engine for each in pool.endpoints if each.by_engine]
            if not by_engine and not set(speaking) <= set(engines):
                return None
            here = sum(rates.get(engine, 0.0) for rates in by_engine for engine in engines)
            part = here if by_engine else flow.rate_per_s
            rate += part
            errors += flow.errors_per_s * (part / flow.rate_per_s if flow.rate_per_s else 1.0)
        if not self.ends(front):
            return None
        return Flow(rate, errors, rate / whole if whole else None)
