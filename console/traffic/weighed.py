"""Why each endpoint of a service has its weight: the rows of page and API.

Weights are decided anew every second and are not kept one by one, so this is of now, and nothing is shown as known that
is older than three of those seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from console.fleet.models import Host
from console.fleet.seen import HostSeen
from console.pages.shown import UNKNOWN, age, figure, percent
from console.traffic.draining import is_draining
from console.traffic.models import Endpoint, Service
from console.traffic.view import EndpointSeen, Seen, joined_health, reason_of

SERVICES = Service.objects.prefetch_related("endpoints__host__ledger")
#: The controller speaks once a second: three that did not come.
UNKNOWN_AFTER_S = 3.0

Verdict = Literal["yes", "no", "unknown"]
RULES = ("wanted", "host in use", "heard of", "well")


@dataclass(frozen=True)
class Row:
    """One endpoint. ticks: (rule, verdict, words). asked, got: shares of all weights and of the requests now, None
    where unknown. apart: percentage points that it gets more or less than its weight asks for, in words. percent: what
    operators leave of learnt, the weight before that. capacity_per_s: the requests that it could serve, as learnt;
    trust: how far that rests on what was seen of it, 0 to 1; report_age_s: of its host's figures.
    """

    key: str
    host: HostSeen
    port: int
    ticks: list[tuple[str, Verdict, str]]
    percent: int
    weight: int | None
    learnt: int | None
    capacity_per_s: float | None
    trust: float | None
    report_age_s: float | None
    asked: float | None
    got: float | None
    rate_per_s: float | None
    in_flight: int | None
    latency_ms: float | None
    apart: str
    reason: str

    @property
    def shown(self) -> dict[str, Any]:
        """What the page shows of it and follows, in text; shares for its bars, None where unknown."""
        is_known = self.trust is not None
        return {
            "key": self.key,
            "weight": str(self.weight) if is_known else UNKNOWN,
            "asked": percent(self.asked),
            "got": percent(self.got),
            "apart": self.apart,
            "shares": [self.got, self.asked],
            "rate": figure(self.rate_per_s),
            "under_way": f"{self.in_flight} in flight, mean {figure(self.latency_ms)} ms"
            if is_known
            else UNKNOWN,
            "capacity": "nothing learnt yet" if is_known and self.capacity_per_s is None else self._capacity,
            "grounds": f"{percent(self.trust)} learnt here, report {self._report_age}"
            if is_known
            else UNKNOWN,
            "reason": self.reason,
            "ticks": [list(tick) for tick in self.ticks],
        }

    @property
    def _report_age(self) -> str:
        return "missing" if self.report_age_s is None else f"{age(self.report_age_s)} old"

    @property
    def _capacity(self) -> str:
        return UNKNOWN if self.capacity_per_s is None else f"{figure(self.capacity_per_s)}/s"


def is_old(now: Seen) -> bool:
    """Whether what was said last is no more the present."""
    return now.age_s is None or now.age_s > UNKNOWN_AFTER_S


def rows_of_service(found: Service, now: Seen) -> list[Row]:
    """By falling weight; where nothing is known in the order of their names."""
    endpoints = list(found.endpoints.all())
    known = {each.pk: None if is_old(now) else now.known(each) for each in endpoints}
    total = sum(
        each.weight for endpoint in endpoints if (each := known[endpoint.pk]) and _takes(endpoint, each)
    )
    rows = [_row(endpoint, known[endpoint.pk], total) for endpoint in endpoints]
    return sorted(rows, key=lambda row: -(row.asked or 0.0))


def _takes(endpoint: Endpoint, known: EndpointSeen) -> bool:
    """Whether its weight asks for requests: what drains or is not well keeps its weight, and gets nothing by it."""
    return not is_draining(endpoint) and known.health in ("healthy", "unknown")


def _row(endpoint: Endpoint, known: EndpointSeen | None, total: int) -> Row:
    host = HostSeen(endpoint.host)
    asked = got = None
    if known is not None:
        asked = known.weight / (total or 1) if _takes(endpoint, known) else 0.0
        got = known.share
    return Row(
        key=endpoint.at,
        host=host,
        port=endpoint.port,
        ticks=_ticks(endpoint, known, host),
        percent=endpoint.weight_percent,
        weight=known.weight if known else None,
        learnt=known.learnt if known else None,
        capacity_per_s=known.capacity_per_s if known else None,
        trust=known.trust if known else None,
        report_age_s=known.report_age_s if known else None,
        asked=asked,
        got=got,
        rate_per_s=known.rate_per_s if known else None,
        in_flight=known.in_flight if known else None,
        latency_ms=known.latency_ms if known else None,
        apart=_apart(asked, got),
        reason=reason_of(endpoint, known) if known else "The controller has not spoken of it lately.",
    )


def _ticks(endpoint: Endpoint, known: EndpointSeen | None, host: HostSeen) -> list[tuple[str, Verdict, str]]:
    nothing = not endpoint.weight_percent
    drained = endpoint.state != Endpoint.State.ACTIVE
    leaving = endpoint.host.state == Host.State.DRAINING
    health = joined_health(endpoint, known)
    well: Verdict = "unknown" if known is None else "yes" if known.health == "healthy" else "no"
    words = (
        ("no", f"it is {endpoint.state} by itself")
        if drained
        else ("no", "an operator leaves it nothing of its weight")
        if nothing
        else ("yes", "nobody drains it"),
        ("no", f"{host.name} is draining") if leaving else ("yes", f"{host.name} is {endpoint.host.state}"),
        ("no", "its agent is silent: its share of the cores counts")
        if host.silent
        else ("yes", "its agent reports"),
        (well, " ".join(health.reasons) or str(health.state)),
    )
    return [(rule, verdict, said) for rule, (verdict, said) in zip(RULES, words, strict=True)]  # type: ignore[misc]


def _apart(asked: float | None, got: float | None) -> str:
    if asked is None or got is None:
        return "unknown"
    points = (got - asked) * 100
    if abs(points) < 0.5:
        return "as asked"
    return f"{abs(points):.0f} points {'more' if points > 0 else 'less'}"


def sentence(rows: list[Row], stale: bool) -> str:
    """What the page says in one sentence."""
    if not rows:
        return "There is no endpoint, so there is nothing to weigh."
    if stale:
        return "The controller has not spoken lately: no weight is known."
    heaviest = rows[0]
    if not heaviest.asked:
        return "No endpoint takes new requests."
    said = f"{heaviest.key} has the largest share, {percent(heaviest.asked)}"
    others = [row for row in rows[1:] if row.asked]
    if not others:
        return f"{said}: no other endpoint takes new requests."
    second = others[0]
    times = heaviest.asked / (second.asked or 1.0)
    lead = "as much as" if times < 1.005 else f"{times:.2f} times that of"
    return f"{said}, {lead} {second.key}. {heaviest.reason}"
