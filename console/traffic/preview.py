"""What an engine would be told of a service, without telling it."""

from __future__ import annotations

from typing import Any

from google.protobuf.json_format import MessageToDict

from console.engines.envoy.render import render
from console.engines.target import ApiKey, EndpointTarget, ServiceTarget, Settings, TrafficTarget
from console.traffic.models import Service

#: In the place of a key that nobody shall read.
HIDDEN = "(not shown, whatever it is)"


def preview(service: Service, settings: Settings) -> dict[str, dict[str, Any]]:
    """Kind of resource -> name -> the resource as JSON. Weights are all 1: the controller decides them.

    Certificates are not there, and API keys are hidden.
    """
    http = settings.http
    names = {name for route in (None, *http.routes) for name in http.treatment(route).api_keys or ()}
    target = ServiceTarget(
        service.name,
        service.protocol,  # type: ignore[arg-type]
        service.listen_address,
        service.listen_port,
        tuple(
            EndpointTarget(each.host.name, each.host.address, each.port)
            for each in service.endpoints.select_related("host")
        ),
        settings,
    )
    keys = tuple(ApiKey(name, f"{HIDDEN} {name}") for name in sorted(names))
    resources = render(TrafficTarget((target,), api_keys=keys))
    return {
        kind.rpartition(".")[2]: {name: MessageToDict(packed) for name, packed in named.items()}
        for kind, named in resources.items()
        if named
    }
