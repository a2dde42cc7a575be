"""The guard's door: what it holds back is published because somebody means it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from django.utils import timezone

from console.accounts.models import Role
from console.actions import Action, Actor, Conflict
from console.live.bells import ring_services
from console.nodes.models import Force
from console.traffic.view import seen

#: A leader takes it up within a second; one that comes much later must not find an old word.
MEANT_FOR = timedelta(seconds=30)


@dataclass
class PublishByForce(Action[list[str]]):
    """Publish what the guard holds back: services that would lose all, or more than half, of their endpoints.

    services: only these; none named, all that are held back now. Returns the services concerned.
    """

    services: list[str] = field(default_factory=list)
    reason: str = ""

    NAME = "engine.publish-by-force"
    ROLE = Role.ADMIN

    def execute(self, actor: Actor) -> list[str]:
        held = {each.service: each for each in seen().traffic.held}
        wanted = self.services or sorted(held)
        unknown = sorted(set(wanted) - held.keys())
        if unknown or not wanted:
            what = f"nothing of {', '.join(unknown)}" if unknown else "nothing"
            raise Conflict("nothing-held", f"the guard holds {what} back at present")
        for name in wanted:
            Force.objects.update_or_create(service=name, defaults={"asked_by": actor.name})
            before = {"endpoints": held[name].before}
            after = {"endpoints": held[name].after}
            self.record(actor, "service", name, before=before, after=after, reason=self.reason)
        return wanted

    def committed(self, result: list[str]) -> None:
        ring_services()


def meant_now() -> frozenset[str]:
    """Services that the guard shall let pass now."""
    since = timezone.now() - MEANT_FOR
    return frozenset(Force.objects.filter(at__gte=since).values_list("service", flat=True))


def carried_out(services: frozenset[str]) -> None:
    """They were published: the word is spent. Older ones nobody heard go with them."""
    Force.objects.filter(service__in=services).delete()
    Force.objects.filter(at__lt=timezone.now() - MEANT_FOR).delete()
