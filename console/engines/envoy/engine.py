"""Envoy as an engine: any number of nodes, each an Envoy with its relay, configured and heard over one server."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from console.engines import guard
from console.engines.envoy import readings, reports
from console.engines.envoy.access_logs import RequestSeen
from console.engines.envoy.ads import AdsServer, NodeState
from console.engines.envoy.catalogue import Catalogue
from console.engines.envoy.comparison import Counts
from console.engines.envoy.delta import Answer, DeltaSession
from console.engines.envoy.doors import Admit, Door
from console.engines.envoy.render import render
from console.engines.envoy.reports import NodeReport, Received
from console.engines.envoy.rollout import WATCH_S, Rollout, Told
from console.engines.envoy.stats import ServiceStats
from console.engines.target import ServiceTarget, TrafficTarget
from console.engines.target.named import with_its_secrets

log = logging.getLogger(__name__)

#: A trial's progress is looked at so often.
TICK_S: Final = 0.25
IDLE_TICK_S: Final = 1.0
#: What a node said longer ago than this is not what it does now.
SILENT_AFTER_S: Final = 5.0
#: A node that left counts as one of a service's pickers for so long: most come back at once.
AWAY_S: Final = 60.0
MOST_TOLD: Final = 200
MOST_LOGGED: Final = 1000


class StaleTarget(Exception):
    """A target of an epoch older than the published one: its author is a leader no more."""


@dataclass(frozen=True, slots=True)
class EngineState:
    """One node. ads: what it took and refused. desired, applied: of how many resources, and how many of them it has;
    lacks_s: for how long it has not had all of them.

    on_trial: it tries out what the others do not have yet. report: its last word; report_age_s: since then.
    refusal: the last one ever, in Envoy's words. acked, refused: answers that it gave, over all its streams.
    """

    ads: NodeState
    desired: int
    applied: int
    lacks_s: float
    on_trial: bool
    report: NodeReport | None
    report_age_s: float | None
    refusal: str
    acked: int
    refused: int


@dataclass(slots=True)
class _Known:
    """What is kept of a node over its streams."""

    report: NodeReport | None = None
    reported_at: float = 0.0
    refusal: str = ""
    acked: int = 0
    refused: int = 0
    #: When it was last seen to have all that it shall have, or first at all.
    whole_at: float | None = None


class EnvoyEngine:
    """Steers and observes every node that comes in by one of the doors.

    baseline: the target that an earlier leader applied, for the guard to compare the first one with.
    admit: whose token is this, for doors on a network. watch_s: how long a canary is watched after it took a change.
    clock: monotonic seconds.
    """

    def __init__(
        self,
        doors: Sequence[Door],
        *,
        baseline: TrafficTarget | None = None,
        admit: Admit | None = None,
        watch_s: float = WATCH_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.ads = AdsServer(doors, admit=admit, heard=self._heard, clock=clock)
        self.target = baseline
        self._told: deque[Told] = deque(maxlen=MOST_TOLD)
        self._requests: deque[tuple[str, RequestSeen]] = deque(maxlen=MOST_LOGGED)
        self._admit, self._clock = admit, clock
        self._published = False
        self._rollout = Rollout(watch_s)
        self._known: dict[str, _Known] = {}
        self._whole: dict[frozenset[str], Catalogue] = {}
        self._catalogues: dict[str, Catalogue | None] = {}
        self._live: frozenset[str] = frozenset()
        self._ticking: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen for nodes; OSError if a door cannot be opened."""
        await self.ads.start(reports.accept(self._reported, self._admit))
        self._ticking = asyncio.create_task(self._tick_on())

    def apply(self, target: TrafficTarget, *, force: bool = False, meant: Collection[str] = ()) -> None:
        """Make target what the nodes shall do; returns before they do (see AdsServer.settled()).

        Raises GuardRefused for an empty or halved endpoint set unless force or its service is among meant, and
        StaleTarget for an epoch that went back; then nothing changed. Applying the same again sends nothing.
        """
        if self.target is not None:
            if target.epoch < self.target.epoch:
                raise StaleTarget(f"epoch {target.epoch} is older than {self.target.epoch}")
            if not force:
                guard.check(self.target, target, meant)
        same = self._published and target == self.target
        self.target, self._published = target, True
        if not same:
            self._whole.clear()
            self._go_on()

    async def observe(self) -> Mapping[str, ServiceStats]:
        """Service -> figures, summed over the nodes that reported lately."""
        return readings.summed(self.seen_by().values())

    def seen_by(self) -> dict[str, Mapping[str, ServiceStats]]:
        """Node -> service -> figures, of the nodes that reported lately."""
        now = self._clock()
        return {
            name: known.report.services
            for name, known in sorted(self._known.items())
            if known.report is not None and now - known.reported_at <= SILENT_AFTER_S
        }

    def take_told(self) -> list[Told]:
        """What the rollouts did since the last time, at most MOST_TOLD."""
        found = list(self._told)
        self._told.clear()
        return found

    def take_requests(self) -> list[tuple[str, RequestSeen]]:
        """(node, request) of the access logs since the last time, at most MOST_LOGGED."""
        found = list(self._requests)
        self._requests.clear()
        return found

    @property
    def state(self) -> Mapping[str, EngineState]:
        """Node -> its state, for every one that ever connected to this leader."""
        return {node: self._state(node, ads) for node, ads in sorted(self.ads.nodes.items())}

    def pickers(self, service: ServiceTarget) -> int:
        """How many nodes choose between a service's endpoints; one that left comes back, or counts for AWAY_S more."""
        chosen = service.settings.engines
        return max(len(self._live.intersection(chosen)) if chosen else len(self._live), 1)

    async def stop(self) -> None:
        """End the streams; the nodes go on with what they have."""
        if self._ticking is not None:
            self._ticking.cancel()
            await asyncio.gather(self._ticking, return_exceptions=True)
        await self.ads.stop()

    # -- what shall be ---------------------------------------------------------------------------

    def _go_on(self) -> None:
        """Work out anew what each node shall have."""
        if not self._published:
            return
        now = self._clock()
        live = frozenset(
            node
            for node, (since, connected) in self.ads.presence.items()
            if connected or now - since < AWAY_S
        )
        if live != self._live:
            self._live = live
            self._whole.clear()
        connected = [node for node, (_, connected) in self.ads.presence.items() if connected]
        self._rollout.want({node: self._of(node) for node in connected}, now)
        self._rollout.begin(now)
        self._catalogues = {node: self._rollout.catalogue(node) for node in connected}
        self.ads.offer(self._catalogues.get)

    def _of(self, node: str) -> Catalogue:
        """All that is wanted of a node. Nodes of the same services share one rendering."""
        assert self.target is not None  # noqa: S101 (callers have published)
        chosen = [
            each
            for each in self.target.services
            if not each.settings.engines or node in each.settings.engines
        ]
        names = frozenset(each.name for each in chosen)
        found = self._whole.get(names)
        if found is None:
            services = tuple(replace(each, pickers=self.pickers(each)) for each in chosen)
            target = with_its_secrets(replace(self.target, services=services))
            found = self._whole[names] = Catalogue.of(target.epoch, render(target))
        return found

    async def _tick_on(self) -> None:
        while True:
            await asyncio.sleep(TICK_S if self._rollout.canary else IDLE_TICK_S)
            if not self._published:
                continue
            before = self._rollout.canary
            told = self._rollout.tick(self._clock(), self.ads.is_settled, self._counts)
            self._tell(told)
            if told or self._rollout.canary != before:
                self._go_on()

    def _counts(self, node: str) -> Counts:
        known = self._known.get(node)
        if known is None or known.report is None:
            return {}
        return {name: _requests(service) for name, service in known.report.services.items()}

    def _tell(self, told: list[Told]) -> None:
        for each in told:
            level = logging.INFO if each.kind == "passed" else logging.WARNING
            log.log(
                level, "%s at %s: %s %s", each.kind, each.node, [name for _, name in each.keys], each.text
            )
            if each.kind == "errors-rose":
                self._know(each.node).refusal = each.text
        self._told.extend(told)

    # -- what nodes say --------------------------------------------------------------------------

    def _heard(self, node: str, session: DeltaSession, answer: Answer | None) -> None:
        if not self._published:
            return
        known = self._know(node)
        if answer is None:
            # What it runs already is proven, before anything is tried.
            self._rollout.meet(node, self._of(node), session.acked)
            if node not in self._catalogues:
                self._go_on()
            return
        if not answer.refused:
            known.acked += len(answer.versions)
            return
        known.refused += 1
        for name, number in answer.versions.items():
            known.refusal = f"{name}: {answer.refused}"
            key = (answer.type_url, name)
            news = self._rollout.refused(node, key, number, answer.refused, self._clock())
            self._tell([news] if news else [])
        self._go_on()

    def _reported(self, report: NodeReport) -> Received:
        known = self._know(report.node)
        known.report, known.reported_at = report, self._clock()
        self._requests.extend((report.node, each) for each in report.requests)
        # While something is tried out at one node, the others are left what they have: that is not all of it.
        whole = self._rollout.canary in (None, report.node)
        return Received(settled=whole and self.ads.is_settled(report.node))

    def _know(self, node: str) -> _Known:
        return self._known.setdefault(node, _Known())

    def _state(self, node: str, ads: NodeState) -> EngineState:
        known, now = self._know(node), self._clock()
        wanted = self._of(node) if self._published else None
        keys = [(kind, name) for kind, named in wanted.versions.items() for name in named] if wanted else []
        applied = sum(
            wanted is not None and ads.acked.get(kind, {}).get(name) == wanted.version((kind, name))
            for kind, name in keys
        )
        if applied == len(keys) or known.whole_at is None:
            known.whole_at = now
        return EngineState(
            ads=ads,
            desired=len(keys),
            applied=applied,
            lacks_s=now - known.whole_at,
            on_trial=self._rollout.canary == node,
            report=known.report,
            report_age_s=None if known.report is None else now - known.reported_at,
            refusal=known.refusal,
            acked=known.acked,
            refused=known.refused,
        )


def _requests(service: ServiceStats) -> tuple[int, int]:
    """(requests, errors) of a service at one node: what clients got where that is known, else what endpoints gave."""
    counters = service.counters
    if "downstream_rq_completed" in counters:
        errors = counters.get("downstream_rq_5xx", 0) + counters.get("no_route", 0)
        return counters["downstream_rq_completed"], errors
    endpoints = service.endpoints.values()
    return sum(each.rq_total for each in endpoints), sum(each.rq_error for each in endpoints)
