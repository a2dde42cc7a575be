"""What would come of a change: which loads would move, where to and why, and which would have no place.

Theory of operation
- The loads that have to leave (scene.py) are taken out of the columns, and one after the other, the largest share of
  its host first, put where each costs least: the very rules and costs of placement, on a draft that counts those
  put there before it.
- Under another policy every other load is looked at once too, and moves where that costs at least a margin less
  than staying. One pass: it is what an operator would see happen, not an optimum; rebalance/ searches for that.
- A load whose request is not known any more is not guessed at: it is said to be unjudged.
- Time is bounded by go_on(), asked before each load; what was not looked at is counted as that.
Cost: for each load that has to leave, or each one under another policy, one best() of the draft: tens of
microseconds at 10,000 hosts, O(H R) for loads with preferences or company; a refusal that is explained O(H R).
When not to use: to carry anything out. What moves here is decided anew when it is placed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from balancer_core.cluster.snapshot import Snapshot
from balancer_core.draft import Draft
from balancer_core.load import InvalidLoad
from balancer_core.phrasing import figure, say_refused
from balancer_core.question import Question
from balancer_core.weighing import total_on
from balancer_core.whatif.change import Change
from balancer_core.whatif.outcome import Figures, HostLoad, Move, Outcome, Stranded
from balancer_core.whatif.scene import Held, Matrix, Scene, load_of

#: Refusals that are explained host by host; a hundred more say the same.
MOST_EXPLAINED: Final = 50

#: Loads that another policy looks at, the largest first: putting them into the draft is not cut short by time.
MOST_RECONSIDERED: Final = 10_000


def foresee(
    snapshot: Snapshot,
    held: Sequence[Held],
    change: Change,
    now: float,
    go_on: Callable[[], bool] = lambda: True,
) -> Outcome:
    """held: every placement that holds room, its host's reserved amounts being their sum. now: as in decide().

    Errors: InvalidChange.
    """
    change.check(snapshot)
    scene = Scene.of(snapshot, held, change)
    leaving = scene.leaving(makes_room=change.times > 1.0)
    stays = (scene.rows >= 0) & ~leaving
    judged = np.array([each.load is not None for each in held], dtype=bool)
    again = np.flatnonzero(stays & judged).tolist() if change.policy else []
    looked = _largest_first(scene, again)[:MOST_RECONSIDERED]
    lifted = leaving.copy()
    lifted[looked] = True
    run = _Run(scene, change, Draft(scene.without(lifted), now), go_on, unlooked=len(again) - len(looked))
    run.put_back(sorted(looked))
    run.settle(_largest_first(scene, np.flatnonzero(leaving).tolist()))
    run.reconsider([position for position in looked if position in run.stayed])
    return run.outcome(snapshot)


def _largest_first(scene: Scene, positions: list[int]) -> list[int]:
    share = np.zeros(len(scene.held))
    capacity = scene.base.capacity[scene.rows[positions]]
    shares = np.divide(
        scene.demand[positions], capacity, out=np.zeros_like(capacity), where=capacity > 0.0
    )  # fmt: skip
    share[positions] = shares.max(axis=1, initial=0.0)
    return sorted(positions, key=lambda position: (-share[position], position))


@dataclass(slots=True)
class _Run:
    scene: Scene
    change: Change
    draft: Draft
    go_on: Callable[[], bool]
    moves: list[Move] = field(default_factory=list)
    stranded: list[Stranded] = field(default_factory=list)
    stayed: set[int] = field(default_factory=set)
    moved: dict[int, int] = field(default_factory=dict)
    unlooked: int = 0
    explained: int = 0

    def put_back(self, positions: list[int]) -> None:
        """Where they are, as tickets of the draft, so that each can be taken off again."""
        for position in positions:
            question = self._question(position)
            if question is not None and self.draft.put(position, question, int(self.scene.rows[position])):
                self.stayed.add(position)
            else:
                # Its request can't be asked any more, or it fitted by a rounding that is gone: look for a place.
                self.settle([position])

    def settle(self, positions: list[int]) -> None:
        """Find a place for those that have none."""
        for position in positions:
            if not self.go_on():
                self.unlooked += 1
                continue
            question = self._question(position)
            if question is None:
                continue
            row = self.draft.best(question)
            if row is None or not self.draft.put(position, question, row):
                self._strand(position, self._why(question))
            elif row == self.scene.rows[position]:
                self.stayed.add(position)
            else:
                cost = total_on(question, row)
                self._move(
                    position, row, cost, f"{self._cause(position)}; costs least there ({figure(cost)})"
                )

    def reconsider(self, positions: list[int]) -> None:
        """Move those that would be better off by the margin."""
        for position in positions:
            if not self.go_on():
                self.unlooked += 1
                continue
            here = self.draft.take(position)
            question = self._question(position)
            if question is None:
                raise AssertionError(f"{self.scene.held[position].name} was asked a moment ago")
            row = self.draft.best(question)
            if row is not None and row != here:
                stay, go = total_on(question, here), total_on(question, row)
                better = stay - go > self.change.margin * abs(stay)
                if better and self.draft.put(position, question, row):
                    self.stayed.discard(position)
                    less = f"costs {figure(go)} there, {figure(stay - go)} less than staying"
                    self._move(position, row, go, f"{self.change.policy} prefers it: {less}")
                    continue
            self.draft.put(position, question, here)

    def _question(self, position: int) -> Question | None:
        """None, and said why, where it can't be asked."""
        try:
            load = self.scene.asked(position, self.change.policy)
            if load is not None:
                return self.draft.question(load)
            reason = self.scene.held[position].why_not or "what it asked is not known any more."
        except InvalidLoad as error:
            reason = str(error)
        each = self.scene.held[position]
        self.stranded.append(Stranded(each.key, each.kind, each.name, each.host, False, reason))
        return None

    def _why(self, question: Question) -> str:
        self.explained += 1
        if self.explained > MOST_EXPLAINED:
            return "No host can take it; the reasons are as above."
        decision = self.draft.decide(question.load, 1)
        # Not to change what was asked for is no way out.
        asked = self.change.drain | self.change.remove
        changes = [each for each in decision.changes if each.host not in asked]
        return say_refused(question.load, decision.considered, decision.rejected, changes)

    def _strand(self, position: int, reason: str) -> None:
        each = self.scene.held[position]
        self.stranded.append(Stranded(each.key, each.kind, each.name, each.host, True, reason))

    def _move(self, position: int, row: int, cost: float, reason: str) -> None:
        each = self.scene.held[position]
        self.moved[position] = row
        target = self.scene.base.names[row]
        self.moves.append(Move(each.key, each.kind, each.name, each.host, target, cost, f"{reason}."))

    def _cause(self, position: int) -> str:
        host = self.scene.held[position].host
        if host in self.change.remove:
            return f"{host} is removed"
        if host in self.change.drain:
            return f"{host} is drained"
        return f"{host} would be too full"

    def outcome(self, snapshot: Snapshot) -> Outcome:
        """The figures, beside those of the snapshot."""
        scene, base = self.scene, self.scene.base
        reserved, used = self.draft.snapshot.reserved, self._used()
        before = load_of(snapshot, snapshot.reserved, snapshot.used)
        after = load_of(base, reserved, used)
        carries = ~scene.emptied
        names = np.array(base.names, dtype=object)
        hosts = tuple(
            HostLoad(
                name,
                float(before[row]) if row < len(before) else None,
                float(after[row]) if carries[row] else None,
            )
            for row, name in enumerate(base.names)
        )
        return Outcome(
            before=Figures.of(snapshot.names, before),
            after=Figures.of(names[carries].tolist(), after[carries]),
            moves=tuple(self.moves),
            stranded=tuple(self.stranded),
            hosts=hosts,
            overfull=tuple(names[carries & (after > 1.0)].tolist()),
            unlooked=self.unlooked,
            considered=len(scene.held),
        )

    def _used(self) -> Matrix:
        """What would be measured: each load's part moves with it."""
        used = self.draft.base.used.copy()
        for position in self.stayed:
            used[self.scene.rows[position]] += self.scene.uses[position]
        for position, row in self.moved.items():
            used[row] += self.scene.uses[position]
        return used
