"""What operators leave of the weights that are learnt: set, and the last change taken back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.actions import Actor, Conflict
from console.traffic.actions.services import ServiceAction, find_service
from console.traffic.models import Service
from console.traffic.view import seen
from console.traffic.weights import SET, UNDONE, changes, foresee, last_change


class _WeightsAction(ServiceAction):
    force: bool
    reason: str

    def _write(self, actor: Actor, service: Service, wanted: Mapping[str, int]) -> Service:
        endpoints = list(service.endpoints.select_related("host"))
        changed = changes(endpoints, wanted)
        if not changed:
            return service
        objections = foresee(service, endpoints, changed, seen()).objections
        if objections and not self.force:
            raise Conflict("cannot-carry", f"{' '.join(objections)} Force it if that is meant.")
        before = {}
        for endpoint in endpoints:
            if (key := endpoint.at) in changed:
                before[key], endpoint.weight_percent = endpoint.weight_percent, changed[key]
                endpoint.save(update_fields=["weight_percent"])
        after: dict[str, Any] = {"weights": changed}
        if objections:
            after["forced"] = list(objections)
        self.record(
            actor, "service", service.name, before={"weights": before}, after=after, reason=self.reason
        )
        return service


@dataclass
class SetWeights(_WeightsAction):
    """Leave endpoints so many per cent of the weight that is learnt of them; at 0 no new requests come.

    weights: per cent by HOST:PORT, or of a whole priority:N or LABEL:VALUE; who is not named stays as it is. Refused
    where those that would get more could not carry it, or nobody would take requests; force=True does it all the same.
    """

    service: str
    weights: Mapping[str, int]
    force: bool = False
    reason: str = ""

    NAME = SET

    def execute(self, actor: Actor) -> Service:
        return self._write(actor, find_service(self.service), self.weights)


@dataclass
class UndoWeights(_WeightsAction):
    """Take back the last change of a service's weights; done twice, it is there again."""

    service: str
    force: bool = False
    reason: str = ""

    NAME = UNDONE

    def execute(self, actor: Actor) -> Service:
        service = find_service(self.service)
        last = last_change(service)
        if last is None:
            raise Conflict("nothing-to-undo", f"nobody has changed the weights of {service.name}")
        present = {each.at: each.weight_percent for each in service.endpoints.select_related("host")}
        gone = [key for key, percent in last.after["weights"].items() if present.get(key) != percent]
        if gone:
            raise Conflict(
                "changed", f"{', '.join(gone[:3])} went, or came anew, since the last change of weights"
            )
        return self._write(actor, service, last.before["weights"])
