"""What a node shall have: resources with their versions, as the delta protocol compares them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from google.protobuf import any_pb2

from console.engines.envoy.render import Resources, version

#: One resource of any type.
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """versions: type URL -> name -> version of resources[type][name].

    left: what a client that has any version of it keeps, be it wanted here or not; one that has none
    gets what is wanted.
    """

    epoch: int
    resources: Resources
    versions: Mapping[str, Mapping[str, str]]
    left: frozenset[Key] = frozenset()

    @classmethod
    def of(cls, epoch: int, resources: Resources) -> Catalogue:
        """The catalogue of rendered resources."""
        versions = {
            type_url: {name: version(resource) for name, resource in named.items()}
            for type_url, named in resources.items()
        }
        return cls(epoch, resources, versions)

    def version(self, key: Key) -> str | None:
        """Of one resource; None where there is none."""
        return self.versions.get(key[0], {}).get(key[1])

    def resource(self, key: Key) -> any_pb2.Any | None:
        """One resource, packed; None where there is none."""
        return self.resources.get(key[0], {}).get(key[1])
