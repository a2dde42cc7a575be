"""A service's weights as they are now, and what others would come to: for page, API and actions alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from console.actions import Invalid, Unknown
from console.engines.target import InvalidTarget
from console.engines.target.settings import settings_of
from console.events.models import Event
from console.fleet.models import Host
from console.traffic.models import WHOLE_PERCENT, Endpoint, Service
from console.traffic.outlook import Outcome, Part, outcome
from console.traffic.view import Seen

SET = "service.set-weights"
UNDONE = "service.undo-weights"


def takes_requests(endpoint: Endpoint, health: str) -> bool:
    """Whether it gets new requests, but for its weight. health: the engines' word, "" where there is none."""
    drains = endpoint.state != Endpoint.State.ACTIVE or endpoint.host.state == Host.State.DRAINING
    return not drains and health in ("", "healthy", "unknown")


def changes(endpoints: Sequence[Endpoint], wanted: Mapping[str, int]) -> dict[str, int]:
    """What of wanted is not so already, by HOST:PORT. wanted: hosts by name or address; priority:N and LABEL:VALUE for
    all endpoints of that priority, or on hosts with that label, but for those that are named themselves.

    Raises Unknown and Invalid.
    """
    by_key = {f"{each.host.address}:{each.port}": each for each in endpoints}
    by_key |= {each.at: each for each in endpoints}
    of_groups: dict[str, int] = {}
    of_each: dict[str, int] = {}
    for key, percent in wanted.items():
        if type(percent) is not int or not 0 <= percent <= WHOLE_PERCENT:
            raise Invalid(
                f"weights.{key}", "out-of-range", f"per cent of what is learnt: 0 to {WHOLE_PERCENT}"
            )
        if key in by_key:
            of_each[by_key[key].at] = percent
        elif named := [each.at for each in endpoints if key in groups_of(each)]:
            of_groups |= dict.fromkeys(named, percent)
        else:
            raise Unknown("endpoint", key)
    asked = of_groups | of_each
    return {
        each.at: asked[each.at]
        for each in endpoints
        if each.at in asked and asked[each.at] != each.weight_percent
    }


def groups_of(endpoint: Endpoint) -> list[str]:
    """What weights can be set of at once that it belongs to: priority:N, and LABEL:VALUE of its host."""
    labels = endpoint.host.labels
    return [f"priority:{endpoint.priority}", *(f"{key}:{value}" for key, value in labels.items())]


def foresee(service: Service, endpoints: Sequence[Endpoint], wanted: Mapping[str, int], now: Seen) -> Outcome:
    """What the wanted weights would come to; with none, what the present ones do."""
    parts = []
    for endpoint in endpoints:
        known = None if now.is_stale else now.endpoints.get((service.name, endpoint.host.name, endpoint.port))
        parts.append(
            Part(
                key=endpoint.at,
                percent=endpoint.weight_percent,
                learnt=known.learnt or known.weight if known else 1,
                capacity_per_s=known.capacity_per_s if known else None,
                takes=takes_requests(endpoint, known.health if known else ""),
                priority=endpoint.priority,
            )
        )
    current = None if now.is_stale else now.service(service.name)
    found = outcome(parts, wanted, current.rate_per_s if current else 0.0)
    notes, objections = found.notes, found.objections
    if current is None and wanted:
        objections += ("The controller has not spoken lately: nobody knows what the others can carry.",)
    if why := _ignored(service):
        notes += (why,)
    return Outcome(found.outlooks, objections, notes)


def last_change(service: Service) -> Event | None:
    """The change that undo would take back."""
    return Event.objects.filter(
        subject_kind="service",
        subject=service.name,
        action__in=(SET, UNDONE),
        at__gte=service.created_at,
    ).first()


def _ignored(service: Service) -> str:
    """Why the pool would not look at weights; "" where it does."""
    try:
        pool = settings_of(service.settings).pool
    except InvalidTarget:
        return ""
    if pool.balance == "random":
        return "This pool chooses at random and looks at no weight; only 0 % has an effect."
    if pool.balance == "hash" and not pool.hash.by_weight:
        return (
            "This pool chooses by hash and looks at no weight (pool.hash.by_weight); only 0 % has an effect."
        )
    if pool.balance == "steelyard":
        return "While endpoints idle, the fastest of them get more than these shares; under load all come to them."
    return ""
