"""Traffic that is not answered, not answered well, or not answered in time."""

from __future__ import annotations

from console.alerts.rules.rule import CRITICAL, Findings, Found, RuleBase
from console.alerts.sight import Sight

#: Fewer requests a second than this are no rate: one error of two is not half of the traffic.
LEAST_RATE_PER_S = 1.0
WELL = ("healthy", "unknown")


class _OfServices(RuleBase):
    SUBJECT = "service"

    def find(self, sight: Sight, level: float) -> Findings:
        if sight.traffic is None or not any(engine.connected for engine in sight.traffic.engines):
            return Findings(blind=True)
        return Findings(self.found(sight, level))

    def found(self, sight: Sight, level: float) -> dict[str, Found]:
        """With an engine that says what it sees."""
        raise NotImplementedError


class ServiceDown(_OfServices):
    """Every endpoint of the service is out: whoever asks gets an error."""

    NAME = "service-down"
    TITLE = "Service without healthy endpoints"
    SEVERITY = CRITICAL
    RAISE_AFTER_S = 5.0
    CLEAR_AFTER_S = 15.0

    def found(self, sight: Sight, level: float) -> dict[str, Found]:
        services = sight.traffic.services if sight.traffic else {}
        found = {}
        for name, service in services.items():
            if service.endpoints and not any(each.health in WELL for each in service.endpoints):
                out = len(service.endpoints)
                found[name] = Found(1.0, f"None of the {out} endpoints of {name} is healthy.")
        return found


class EndpointFailing(_OfServices):
    """An engine leaves an endpoint out: it fails its check, or its requests."""

    NAME = "endpoint-failing"
    TITLE = "Endpoint ejected or failing"
    SUBJECT = "endpoint"
    RAISE_AFTER_S = 15.0

    def found(self, sight: Sight, level: float) -> dict[str, Found]:
        services = sight.traffic.services if sight.traffic else {}
        return {
            f"{name} {each.host}:{each.port}": Found(
                1.0, f"{each.host}:{each.port} of {name} is {each.health}.", sight.domain(each.host)
            )
            for name, service in services.items()
            for each in service.endpoints
            if each.health in ("ejected", "unhealthy")
        }


class ErrorRate(_OfServices):
    """Too many of a service's requests fail."""

    NAME = "service-errors"
    TITLE = "Error rate"
    SEVERITY = CRITICAL
    UNIT = "share"
    THRESHOLD = 0.05
    CLEAR_AT = 0.5
    RAISE_AFTER_S = 30.0

    def found(self, sight: Sight, level: float) -> dict[str, Found]:
        services = sight.traffic.services if sight.traffic else {}
        found = {}
        for name, service in services.items():
            if service.rate_per_s >= LEAST_RATE_PER_S:
                share = min(service.errors_per_s / service.rate_per_s, 1.0)
                if share >= level:
                    found[name] = Found(share, f"{share:.1%} of the requests of {name} fail.")
        return found


class SlowService(_OfServices):
    """One request of a hundred takes longer than the bound."""

    NAME = "service-slow"
    TITLE = "p99 over its bound"
    UNIT = "ms"
    THRESHOLD = 1000.0
    CLEAR_AT = 0.8
    RAISE_AFTER_S = 60.0

    def found(self, sight: Sight, level: float) -> dict[str, Found]:
        services = sight.traffic.services if sight.traffic else {}
        return {
            name: Found(service.p99_ms, f"The p99 of {name} is {service.p99_ms:,.0f} ms.")
            for name, service in services.items()
            if service.p99_ms is not None and service.p99_ms >= level
        }
