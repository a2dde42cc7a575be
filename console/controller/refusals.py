"""What nodes refuse at present, by the service that it is of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from console.engines.envoy.delta import Rejection
from console.engines.envoy.engine import EngineState
from console.engines.envoy.render import CERTIFICATE, CLUSTER, ENDPOINTS, LISTENER, ROUTES
from console.engines.target import ServiceTarget
from console.engines.target.named import certificates_named
from console.traffic.view import Refused

_WORDS: Mapping[str, str] = {
    CERTIFICATE: "certificate",
    CLUSTER: "pool",
    ENDPOINTS: "endpoints",
    LISTENER: "listener",
    ROUTES: "routes",
}


def refusals(
    states: Mapping[str, EngineState], services: Iterable[ServiceTarget]
) -> Mapping[str, list[Refused]]:
    """Service -> what nodes refuse of it, in their words. A certificate is of every service that names it."""
    users: dict[str, list[str]] = {}
    for service in services:
        for name in {name for name, _, _ in certificates_named(service.settings)}:
            users.setdefault(name, []).append(service.name)
    found: dict[str, list[Refused]] = {}
    for node, state in states.items():
        for each in state.ads.rejections:
            refused = Refused(node, _WORDS.get(each.type_url, "resource"), each.text)
            for service in _services_of(each, users):
                found.setdefault(service, []).append(refused)
    return found


def _services_of(rejection: Rejection, users: Mapping[str, list[str]]) -> list[str]:
    """A resource carries its service's name, a further listener with "+" after it, a certificate's CA with "/"."""
    if rejection.type_url == CERTIFICATE:
        return users.get(rejection.name.partition("/")[0], [])
    return [rejection.name.partition("+")[0]]
