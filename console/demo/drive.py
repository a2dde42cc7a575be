"""The leading controller speaks for the simulated hosts: their reports, and loads that come and go on them."""

from __future__ import annotations

import logging
import uuid
from contextlib import suppress
from datetime import datetime, timedelta

import numpy as np

from agents.wire import Report
from balancer_core.placement import Load
from console.actions import SYSTEM
from console.controller.lease import fenced
from console.demo.figures import GIB, used
from console.demo.models import SimulatedHost
from console.fleet.models import Host
from console.live.ingest import take
from console.live.picture import Picture
from console.live.ticks import Tick, encode_tick
from console.placements.actions.commit import FitsNowhere
from console.placements.actions.place import Place
from console.placements.actions.release import Release
from console.placements.models import Placement

log = logging.getLogger(__name__)

#: Well within the time after which a host counts as silent.
DEMO_S = 2.0
#: Loads for each host; so many are placed at a step until they are there, then one is exchanged every CHURN_S.
LOADS_A_HOST, FILL = 1.5, 10
CHURN_S = 15.0
NAME = "demo-load"
DEMANDS = (
    {"cpu": 0.5, "memory": GIB}, {"cpu": 1.0, "memory": 4 * GIB}, {"cpu": 2.0, "memory": 2 * GIB},
    {"cpu": 4.0, "memory": 8 * GIB},
)  # fmt: skip
POLICIES = ("spread", "balanced", "pack")


class Driver:
    """Of one leadership. Where no host is simulated a step costs one small query."""

    def __init__(self, picture: Picture, epoch: int) -> None:
        self._picture, self._epoch = picture, epoch
        self._source, self._seq = uuid.uuid4().hex, 0
        self._churned_at = float("-inf")

    def step(self, now: float, at: datetime) -> bytes | None:
        """Report for all of them, as their agents would; the tick that tells the other processes, None for nobody.

        now: monotonic seconds; at: the wall clock, which their waves follow. Raises Fenced where another leads.
        """
        numbers = dict(SimulatedHost.objects.values_list("host__name", "number"))
        if not numbers:
            return None
        self._seq += 1
        rows: dict[str, dict[str, float]] = {}
        for name, number in numbers.items():
            figures = used(number, self._picture.capacity(name), at.timestamp())
            if figures and take(self._picture, name, self._seq - 1, Report(self._seq, name, figures)) is None:
                rows[name] = figures
        self._exchange(len(numbers), now, at)
        resources = list(self._picture.cluster.dimensions.names)
        table = np.array([[row.get(each, 0.0) for each in resources] for row in rows.values()], np.float32)
        return encode_tick(Tick(self._source, self._seq, resources, list(rows), table.tobytes()))

    def _exchange(self, hosts: int, now: float, at: datetime) -> None:
        held = Placement.objects.filter(
            state=Placement.State.HELD, host__simulated__isnull=False, decision__name__startswith=NAME
        ).order_by("created_at")
        missing = int(hosts * LOADS_A_HOST) - held.count()
        # What is on a host that drains ends soon: whoever tries it sees it through.
        ending = held.filter(host__state=Host.State.DRAINING).first()
        if ending is None and missing <= 0 and now - self._churned_at >= CHURN_S:
            self._churned_at = now
            ending = held.filter(created_at__lt=at - timedelta(seconds=CHURN_S)).first()
        if ending is not None:
            with fenced(self._epoch):
                Release(ending.pk, reason="demo").run(SYSTEM)
        for each in range(max(0, min(missing, FILL))):
            number = self._seq * FILL + each
            load = Load(
                "job", f"{NAME}-{number}", dict(DEMANDS[number % len(DEMANDS)]), labels={"simulated": "yes"},
                policy=POLICIES[number % len(POLICIES)],
            )  # fmt: skip
            # A full demo fleet is none that anybody must hear of.
            with suppress(FitsNowhere), fenced(self._epoch):
                Place(load).run(SYSTEM)
