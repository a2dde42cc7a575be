"""A service's settings: replaced, or changed in parts. The audit trail has them before and after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from console.actions import Actor, Conflict, Invalid
from console.engines.target.settings import document_of
from console.traffic.actions.services import ServiceAction, find_service
from console.traffic.models import Service
from console.traffic.references import checked_settings, leads_elsewhere


@dataclass
class ConfigureService(ServiceAction):
    """Give a service other settings: TLS, routes, limits, checks. What is under way goes on.

    document: the whole, or with patch=True a JSON merge patch (RFC 7396): what it names is changed, null takes away.
    """

    service: str
    document: Any
    patch: bool = False
    reason: str = ""

    NAME = "service.configure"

    def execute(self, actor: Actor) -> Service:
        service = find_service(self.service)
        before = service.settings
        wanted = proposed(service, self.document, patch=self.patch)
        settings = checked_settings(service, wanted)
        if not service.endpoints.exists() and not leads_elsewhere(settings):
            raise Conflict(
                "no-endpoint", f"{service.name} has no endpoint of its own, and would lead nowhere"
            )
        service.settings = document_of(settings)
        service.save(update_fields=["settings"])
        self.record(actor, "service", service.name, before=before, after=service.settings, reason=self.reason)
        return service


def proposed(service: Service, document: Any, *, patch: bool) -> dict[str, Any]:
    """The document that would be the service's. Raises Invalid where it is none."""
    wanted = merged(service.settings, document) if patch else document
    if not isinstance(wanted, dict):
        raise Invalid("settings", "invalid", "settings are a JSON object")
    return wanted


def merged(target: Any, patch: Any) -> Any:
    """target with patch applied as RFC 7396 says; target is left as it is."""
    if not isinstance(patch, dict):
        return patch
    found = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            found.pop(key, None)
        else:
            found[key] = merged(found.get(key), value)
    return found
