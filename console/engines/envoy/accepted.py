"""What a relay stands between: what its control plane wants of an Envoy, and what that Envoy took.

Rules:
1. A response from above is answered when Envoy has answered for all of it: with Envoy's words if it refused any.
2. What Envoy refused is wanted no more: it, and a successor of it, gets the last version that was taken.
3. What it never asked for (endpoints of no cluster) counts as taken once nothing is on its way to it.

Pure: no input, output or clock of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from envoy.service.discovery.v3 import discovery_pb2
from google.protobuf import any_pb2

from console.engines.envoy.catalogue import Catalogue, Key
from console.engines.envoy.delta import STAGES, UNNAMED, Answer, DeltaSession

Held = tuple[str, any_pb2.Any]


@dataclass(slots=True)
class _Unanswered:
    type_url: str
    nonce: str
    versions: dict[str, str | None]


class Accepted:
    """kept: what an earlier relay had on disk; None where there is nothing."""

    def __init__(self, kept: Catalogue | None) -> None:
        types = [type_url for stage in STAGES for type_url in stage]
        self._epoch = kept.epoch if kept else 0
        self._taken: dict[Key, Held] = {}
        if kept is not None:
            for type_url, named in kept.resources.items():
                for name, resource in named.items():
                    self._taken[type_url, name] = (kept.versions[type_url][name], resource)
        self._types = tuple(dict.fromkeys((*types, *(kept.resources if kept else ()))))
        self._wanted = dict(self._taken)
        self._refused: dict[Key, tuple[str | None, str]] = {}
        self._unanswered: list[_Unanswered] = []
        #: What the control plane took away in so many words.
        self.removed: set[Key] = set()
        #: Raised by whatever changes what Envoy took.
        self.changes = 0

    def subscriptions(self) -> list[discovery_pb2.DeltaDiscoveryRequest]:
        """The first requests of a stream: all of every type, and what Envoy has of it already."""
        self._unanswered.clear()
        return [
            discovery_pb2.DeltaDiscoveryRequest(
                type_url=type_url,
                resource_names_subscribe=["*"],
                initial_resource_versions={
                    name: number for (kind, name), (number, _) in self._taken.items() if kind == type_url
                },
            )
            for type_url in self._types
        ]

    def receive(self, response: discovery_pb2.DeltaDiscoveryResponse) -> None:
        """Take what the control plane sends; it is answered when Envoy was asked."""
        versions: dict[str, str | None] = {}
        type_url = response.type_url
        for resource in response.resources:
            versions[resource.name] = resource.version
            self._wanted[type_url, resource.name] = (resource.version, resource.resource)
            self._refused.pop((type_url, resource.name), None)
            self.removed.discard((type_url, resource.name))
        for name in response.removed_resources:
            versions[name] = None
            self._wanted.pop((type_url, name), None)
            self._refused.pop((type_url, name), None)
            self.removed.add((type_url, name))
        if response.system_version_info.isdecimal():
            self._epoch = int(response.system_version_info)
        self._unanswered.append(_Unanswered(type_url, response.nonce, versions))

    def answered(self, answer: Answer) -> None:
        """Envoy took something, or refused one thing."""
        for name, number in answer.versions.items():
            key = (answer.type_url, name)
            held = self._wanted.get(key)
            if answer.refused:
                if _number(held) == number:
                    self._refused[key] = (number, answer.refused)
                    self._go_back(key)
            elif number is None:
                self.changes += self._taken.pop(key, None) is not None
            elif held is not None and held[0] == number:
                self.changes += self._taken.get(key, ("", None))[0] != number
                self._taken[key] = held

    def replies(self, session: DeltaSession | None) -> list[discovery_pb2.DeltaDiscoveryRequest]:
        """The answers that are due upstream now. session: Envoy's, None while it is not there."""
        due: list[discovery_pb2.DeltaDiscoveryRequest] = []
        if session is None or not self._unanswered:
            return due
        rest = []
        settled = session.settled(self.wanted())
        for each in self._unanswered:
            refusals = [
                f"{name}: {self._refused[each.type_url, name][1]}"
                for name in each.versions
                if (each.type_url, name) in self._refused
            ]
            if not all(
                self._has(session, each.type_url, name, settled)
                for name in each.versions
                if (each.type_url, name) not in self._refused
            ):
                rest.append(each)
                continue
            reply = discovery_pb2.DeltaDiscoveryRequest(type_url=each.type_url, response_nonce=each.nonce)
            if refusals:
                single = len(each.versions) == 1
                text = refusals[0].partition(": ")[2] if single else "; ".join(refusals)
                reply.error_detail.code = 3
                reply.error_detail.message = text
            for name in each.versions:
                self._settle((each.type_url, name), session)
            due.append(reply)
        self._unanswered = rest
        return due

    def wanted(self) -> Catalogue:
        """What Envoy shall have."""
        return self._catalogue(self._wanted)

    def taken(self) -> Catalogue:
        """What Envoy took: what is kept on disk."""
        return self._catalogue(self._taken)

    def resources(self, type_url: str) -> Mapping[str, any_pb2.Any]:
        """What Envoy took of one type."""
        return {name: held[1] for (kind, name), held in self._taken.items() if kind == type_url}

    def _has(self, session: DeltaSession, type_url: str, name: str, settled: bool) -> bool:
        held = self._wanted.get((type_url, name))
        if session.acked.get(type_url, {}).get(name) == _number(held):
            return True
        if held is None and type_url not in UNNAMED:
            return True  # it goes with what names it, perhaps after a long drain
        # Endpoints, routes and secrets are asked for by whatever names them, and that may be on its way.
        return settled and not session.wants(type_url, name)

    def _settle(self, key: Key, session: DeltaSession) -> None:
        """What Envoy had before it was asked, and what it let go: of these it sends no word."""
        held = self._wanted.get(key)
        if held is None:
            self.changes += self._taken.pop(key, None) is not None
        elif session.acked.get(key[0], {}).get(key[1]) == held[0] != _number(self._taken.get(key)):
            self._taken[key] = held
            self.changes += 1

    def _go_back(self, key: Key) -> None:
        taken = self._taken.get(key)
        if taken is None:
            self._wanted.pop(key, None)
        else:
            self._wanted[key] = taken

    def _catalogue(self, held: Mapping[Key, Held]) -> Catalogue:
        resources: dict[str, dict[str, any_pb2.Any]] = {type_url: {} for type_url in self._types}
        versions: dict[str, dict[str, str]] = {type_url: {} for type_url in self._types}
        for (type_url, name), (number, resource) in held.items():
            resources[type_url][name] = resource
            versions[type_url][name] = number
        return Catalogue(self._epoch, resources, versions)


def _number(held: Held | None) -> str | None:
    return None if held is None else held[0]
