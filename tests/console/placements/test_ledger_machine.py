"""Whatever is done in whatever order, the ledger says what the placements hold."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    rule,
    run_state_machine_as_test,
)

from balancer_core.placement import Load, Spread
from console.actions import SYSTEM, Conflict
from console.fleet.actions.join import ChangeCapacity
from console.fleet.actions.lifecycle import Cordon, Drain, Uncordon
from console.live.picture import picture
from console.placements import ledger
from console.placements.actions.commit import FitsNowhere
from console.placements.actions.place import Place
from console.placements.actions.place_many import PlaceMany
from console.placements.actions.release import Release
from console.placements.actions.together import PlaceGang, PlaceReplicas
from console.placements.models import Ledger, Placement

HOSTS = ["web-1", "web-2", "web-3"]
TWO_A_HOST = (Spread("host", {}, max_per_domain=2),)
AMOUNTS = st.sampled_from([0.0, 0.1, 0.3, 1.0, 2.5])


def test_the_ledger_stays_true(cluster: Any) -> None:
    """Placing, releasing, cordoning and changing capacity: reserved is the sum of what is held,
    and placing never goes above capacity."""
    from control_rig import agent, empty

    class Machine(RuleBasedStateMachine):
        placements = Bundle("placements")

        def __init__(self) -> None:
            super().__init__()
            empty()
            picture.__init__()  # type: ignore[misc]
            for name in HOSTS:
                cluster.add(name, cpu=4.0, memory=8.0)

        @rule(target=placements, cpu=AMOUNTS, memory=AMOUNTS)
        def place(self, cpu: float, memory: float) -> Any:
            try:
                placed = Place(Load(kind="job", name="j", demand={"cpu": cpu, "memory": memory})).run(SYSTEM)
            except FitsNowhere:
                return None
            self.fits(placed)
            return placed.pk

        @rule(amounts=st.lists(AMOUNTS, min_size=1, max_size=4))
        def place_many(self, amounts: list[float]) -> None:
            loads = [Load(kind="job", name="j", demand={"cpu": amount}) for amount in amounts]
            for placed in PlaceMany(loads).run(SYSTEM):
                if isinstance(placed, Placement):
                    self.fits(placed)

        @rule(
            amounts=st.lists(AMOUNTS, min_size=1, max_size=3),
            form=st.sampled_from(["gang", "list", "replicas"]),
        )
        def place_group(self, amounts: list[float], form: str) -> None:
            loads = [Load("job", "g", {"cpu": amount}, group="g", spread=TWO_A_HOST) for amount in amounts]
            try:
                if form == "list":
                    results = PlaceMany(loads).run(SYSTEM)
                elif form == "gang":
                    results = PlaceGang(loads).run(SYSTEM).placements
                    assert len(results) == len(loads)
                else:
                    results = PlaceReplicas(loads[0], len(loads)).run(SYSTEM).placements
            except FitsNowhere:
                return
            for placed in results:
                if isinstance(placed, Placement):
                    self.fits(placed)

        @rule()
        def release_one_of_the_group(self) -> None:
            if found := Placement.objects.filter(group="g", state="held").first():
                Release(found.pk).run(SYSTEM)

        @rule(placement=consumes(placements))
        def release(self, placement: Any) -> None:
            if placement is not None:
                Release(placement).run(SYSTEM)

        @rule(name=st.sampled_from(HOSTS), action=st.sampled_from([Cordon, Drain, Uncordon]))
        def take_out_or_back(self, name: str, action: Any) -> None:
            try:
                action(name).run(SYSTEM)
            except Conflict:
                return
            picture.load()

        @rule(name=st.sampled_from(HOSTS), cpu=st.sampled_from([0.0, 1.0, 4.0]), memory=st.booleans())
        def change_capacity(self, name: str, cpu: float, memory: bool) -> None:
            ChangeCapacity({"cpu": cpu, **({"memory": 8.0} if memory else {})}).run(agent(name))
            picture.load()

        def fits(self, placed: Placement) -> None:
            for line in Ledger.objects.filter(host=placed.host):
                if placed.demand.get(line.resource):
                    assert line.reserved <= line.capacity * (1 + ledger.ROUNDING)
            assert placed.host.__class__.objects.get(pk=placed.host.pk).state == "active"

        @invariant()
        def nothing_drifts(self) -> None:
            assert ledger.drift() == {}

        @invariant()
        def no_host_has_more_than_two_of_the_group(self) -> None:
            hosts = Placement.objects.filter(group="g", state="held").values_list("host__name", flat=True)
            assert all(count <= 2 for count in Counter(hosts).values())

        @invariant()
        def the_picture_agrees(self) -> None:
            snapshot, _ = picture.view()
            for line in Ledger.objects.select_related("host"):
                place = snapshot.rows[line.host.name], snapshot.dimensions.index(line.resource)
                assert abs(snapshot.reserved[place] - line.reserved) < 1e-6

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=15, stateful_step_count=20, deadline=None, database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
