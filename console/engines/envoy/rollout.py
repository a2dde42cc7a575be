"""A changed configuration goes to one node first, and to the others when that one took it and fares no worse.

Rules:
1. Endpoints and their weights go straight to every node: they change each second, and the guard stands before them.
2. Everything else is on trial at a canary until it has answered for all of it and WATCH_S went by without a rise of
   errors. Meanwhile the other nodes keep what they have. What a node runs when it connects has been proven.
3. What the canary refuses (NACK), or what raises its errors, goes back to the last good version of that resource, and
   is kept from every node. Refused, it is tried again after RETRY_S, because the cause can be outside it (a port in
   use); where errors rose, only when it changed.
4. With one node there is nobody to protect: newer configuration joins its trial at once. With several it waits.

Pure: nodes, answers, figures and times are arguments.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from google.protobuf import any_pb2

from console.engines.envoy.catalogue import Catalogue, Key
from console.engines.envoy.comparison import Counts, less, rise
from console.engines.envoy.render import CLUSTER, ENDPOINTS

STRAIGHT: Final = frozenset({ENDPOINTS})
#: How long a canary is watched after it took a change.
WATCH_S: Final = 3.0
RETRY_S: Final = 10.0
#: A canary that has not answered by then is relieved of it, where there is another node.
ANSWER_S: Final = 20.0
#: The figures of so many ticks before a trial are what it is compared with.
HISTORY: Final = 10

Held = tuple[str, any_pb2.Any]


@dataclass(frozen=True, slots=True)
class Told:
    """Something of a rollout that people should know. kind: "refused", "errors-rose" or "passed"; keys: of what."""

    kind: str
    node: str
    keys: tuple[Key, ...]
    text: str = ""


@dataclass(slots=True)
class _Trial:
    """changes: what the canary gets, None: its removal. taken_at: when it had answered for all of it."""

    canary: str
    began_at: float
    changes: dict[Key, Held | None]
    before: Counts
    taken_at: float | None = None
    base: Counts = field(default_factory=dict)


class Rollout:
    """Which node shall have what. Not thread-safe; no clock of its own. watch_s: as WATCH_S."""

    def __init__(self, watch_s: float = WATCH_S) -> None:
        self._watch_s = watch_s
        self._wanted: dict[str, Catalogue] = {}
        self._good: dict[str, dict[Key, Held]] = {}
        self._straight: dict[Key, Held] = {}
        self._proven: set[tuple[Key, str | None]] = set()
        self._ran: dict[str, set[Key]] = {}
        self._refused: dict[Key, tuple[str | None, float]] = {}
        self._undone: dict[Key, str] = {}
        self._said: dict[Key, tuple[str | None, str]] = {}
        self._unfit: set[str] = set()
        self._trial: _Trial | None = None
        self._history: dict[str, deque[Counts]] = {}

    @property
    def canary(self) -> str | None:
        """The node that tries something out now."""
        return self._trial.canary if self._trial else None

    def want(self, wanted: Mapping[str, Catalogue], now: float) -> None:
        """What each connected node shall have in the end."""
        self._wanted = dict(wanted)
        self._remember_straight()
        if self._trial and self._trial.canary in wanted and len(wanted) == 1:
            fresh = self._unproven(self._trial.canary, now)
            if fresh.keys() - self._trial.changes.keys() or any(
                _number(fresh[key]) != _number(self._trial.changes[key]) for key in fresh
            ):
                self._trial.changes = fresh
                self._trial.taken_at = None
        if len(self._proven) > 4 * sum(len(self._keys(node)) for node in wanted) + 1000:
            self._forget()

    def meet(self, node: str, wanted: Catalogue, acked: Mapping[str, Mapping[str, str]]) -> None:
        """A node says what it runs: as far as that is wanted, it is proven."""
        self._unfit.discard(node)
        self._wanted[node] = wanted
        self._ran[node] = {(kind, name) for kind, named in acked.items() for name in named}
        trying = self._trial.changes.keys() if self._trial else ()
        for type_url, named in wanted.versions.items():
            has = acked.get(type_url, {})
            for name, number in named.items():
                if has.get(name) == number and (type_url, name) not in trying:
                    self._proven.add(((type_url, name), number))

    def refused(self, node: str, key: Key, number: str | None, text: str, now: float) -> Told | None:
        """A node refused one resource (number: its version, None: its removal). What is to be told, if it is news."""
        if self._trial is not None and node == self._trial.canary and key in self._trial.changes:
            del self._trial.changes[key]
            self._refused[key] = (number, now + RETRY_S)
        if self._said.get(key) == (number, text):
            return None
        self._said[key] = (number, text)
        return Told("refused", node, (key,), text)

    def tick(self, now: float, settled: Callable[[str], bool], counts: Callable[[str], Counts]) -> list[Told]:
        """Go on: begin a trial, end one. settled: has the node answered for all of catalogue(node)?"""
        for node in self._wanted:
            self._history.setdefault(node, deque(maxlen=HISTORY)).append(counts(node))
        for node in self._history.keys() - self._wanted.keys():
            del self._history[node]
        trial = self._trial
        if trial is None:
            self.begin(now)
            return []
        if trial.canary not in self._wanted:
            self._trial = None  # it left; another one tries
            return []
        if not trial.changes:
            self._trial = None  # all of it was refused
            return []
        if trial.taken_at is None:
            if settled(trial.canary):
                trial.taken_at, trial.base = now, counts(trial.canary)
            elif now - trial.began_at > ANSWER_S and len(self._wanted) > 1:
                self._unfit.add(trial.canary)
                self._trial = None
            return []
        concerned = {name for _, name in trial.changes}
        rose = rise(concerned, trial.before, less(counts(trial.canary), trial.base))
        if rose:
            for key, held in trial.changes.items():
                self._refused[key] = (_number(held), math.inf)
                self._undone[key] = trial.canary
            self._trial = None
            return [Told("errors-rose", trial.canary, tuple(trial.changes), rose)]
        if now - trial.taken_at < self._watch_s:
            return []
        self._proven.update((key, _number(held)) for key, held in trial.changes.items())
        for key in trial.changes:
            self._said.pop(key, None)
        self._trial = None
        self.begin(now)
        return [Told("passed", trial.canary, tuple(trial.changes))]

    def catalogue(self, node: str) -> Catalogue | None:
        """What this node shall have now; None while nothing is wanted of it."""
        wanted = self._wanted.get(node)
        if wanted is None:
            return None
        good = self._good.setdefault(node, {})
        trying = self._trial.changes if self._trial and self._trial.canary == node else {}
        resources = {kind: dict(named) for kind, named in wanted.resources.items()}
        versions = {kind: dict(named) for kind, named in wanted.versions.items()}
        left: set[Key] = set()
        for key in self._keys(node):
            held = _held(wanted, key)
            if key in trying:
                held = trying[key]
            elif (key, _number(held)) in self._proven:
                if held is None:
                    good.pop(key, None)
                else:
                    good[key] = held
                continue
            else:
                # What it refused it does not run, and what nobody here has the bytes of is its own; but what it took
                # and fared badly with is taken back.
                held = good.get(key)
                knows = held is not None or key not in self._ran.get(node, ())
                if not (knows and self._undone.get(key) == node):
                    left.add(key)
            kind, name = key
            if held is None:
                resources[kind].pop(name, None)
                versions[kind].pop(name, None)
            else:
                versions[kind][name], resources[kind][name] = held
        # A cluster that is still there, or there on trial, needs its endpoints as long.
        for name in versions[CLUSTER].keys() - versions[ENDPOINTS].keys():
            held = self._straight.get((ENDPOINTS, name))
            if held is not None:
                versions[ENDPOINTS][name], resources[ENDPOINTS][name] = held
        return Catalogue(wanted.epoch, resources, versions, frozenset(left))

    def _keys(self, node: str) -> set[Key]:
        """All but the straight ones that this node shall have, or had."""
        wanted = self._wanted.get(node)
        found = set(self._good.get(node, ()))
        if wanted is not None:
            found.update(
                (kind, name)
                for kind, named in wanted.versions.items()
                if kind not in STRAIGHT
                for name in named
            )
        return found

    def _remember_straight(self) -> None:
        """The endpoints last wanted of every cluster that some node may still have."""
        present = {name for good in self._good.values() for kind, name in good if kind == CLUSTER}
        present.update(name for kind, name in (self._trial.changes if self._trial else ()) if kind == CLUSTER)
        kept = {key: held for key, held in self._straight.items() if key[1] in present}
        for wanted in {id(each): each for each in self._wanted.values()}.values():
            for name, number in wanted.versions.get(ENDPOINTS, {}).items():
                kept[ENDPOINTS, name] = (number, wanted.resources[ENDPOINTS][name])
        self._straight = kept

    def _unproven(self, node: str, now: float) -> dict[Key, Held | None]:
        wanted, found = self._wanted[node], {}
        for key in self._keys(node):
            held = _held(wanted, key)
            if (key, _number(held)) in self._proven:
                continue
            number, until = self._refused.get(key, ("", 0.0))
            if number == _number(held) and now < until:
                continue
            found[key] = held
        return found

    def begin(self, now: float) -> None:
        """If nothing is tried and there is something to try, the fit node that has most of it becomes the canary."""
        if self._trial is not None:
            return
        most: dict[Key, Held | None] = {}
        canary = ""
        for node in sorted(self._wanted.keys() - self._unfit) or sorted(self._wanted):
            found = self._unproven(node, now)
            if len(found) > len(most):
                canary, most = node, found
        if most:
            for key in most:
                self._refused.pop(key, None)
                self._undone.pop(key, None)
            history = self._history.get(canary)
            oldest, newest = (history[0], history[-1]) if history else ({}, {})
            self._trial = _Trial(canary, now, most, less(newest, oldest))

    def _forget(self) -> None:
        """Versions that nobody wants any more: configuration that changed ten thousand times is not kept."""
        current: set[tuple[Key, str | None]] = set()
        for node in self._wanted.keys() | self._good.keys():
            for key in self._keys(node):
                current.add((key, _number(self._good.get(node, {}).get(key))))
                if node in self._wanted:
                    current.add((key, self._wanted[node].version(key)))
        self._proven &= current


def _held(catalogue: Catalogue | None, key: Key) -> Held | None:
    if catalogue is None:
        return None
    number, resource = catalogue.version(key), catalogue.resource(key)
    return None if number is None or resource is None else (number, resource)


def _number(held: Held | None) -> str | None:
    return None if held is None else held[0]
