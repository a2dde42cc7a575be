"""What each process knows of the default policies, so that no placement asks the database for them.

Read when a process starts and at every sweep; a change is taken at once where it was made and rings the others, who
look within a tenth of a second. A placement made in between elsewhere is by the version before, and says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Max

from console.live.picture import picture
from console.policies.models import PolicyVersion


@dataclass(frozen=True)
class Default:
    """How loads of one kind are placed that name no policy. version 0: as it was built."""

    policy: str = "spread"
    options: Mapping[str, Any] = field(default_factory=dict)
    version: int = 0


BUILT_IN = Default()


class Defaults:
    """The default of each kind. Versions only grow: what was read late never undoes what is known."""

    def __init__(self) -> None:
        self._of: Mapping[str, Default] = {}

    def load(self) -> None:
        """Read the newest version of each kind."""
        newest = PolicyVersion.objects.order_by().values("kind").annotate(last=Max("pk")).values("last")
        for row in PolicyVersion.objects.filter(pk__in=newest):
            self.take(row)

    def take(self, row: PolicyVersion) -> None:
        """What was read, or just made here."""
        if row.number > self.of(row.kind).version:
            self._of = {**self._of, row.kind: Default(row.policy, row.options, row.number)}

    def of(self, kind: str) -> Default:
        return self._of.get(kind, BUILT_IN)


defaults = Defaults()


def chosen(kind: str, policy: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The Load's policy, options and default_version. Where no policy is named they are the default's; options that
    are named all the same go before those of the default."""
    if policy:
        return {"policy": policy, "options": options}
    default = defaults.of(kind)
    return {
        "policy": default.policy,
        "options": {**_known(default.options), **options},
        "default_version": default.version,
    }


def _known(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Without weights of resources that no host has any more: they weigh nothing, and must not refuse every load."""
    weights = options.get("weights")
    if not isinstance(weights, Mapping):
        return options
    resources = picture.cluster.dimensions.names
    return {**options, "weights": {name: weights[name] for name in weights if name in resources}}
