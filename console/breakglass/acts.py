"""What is changed by hand, as actions: authorised and in the audit trail as all else, but not checked for sense."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Model

from console.accounts.models import Role
from console.actions import Action, Actor
from console.fleet.models import Host
from console.live import bells
from console.placements.models import Ledger

BELLS: Final = (bells.ring_hosts, bells.ring_services, bells.ring_jobs, bells.ring_shards)


def is_secret(field: str) -> bool:
    """Whether nobody is shown it, nor may set it: passwords, what is sealed, and what stands for a secret."""
    return field == "password" or field.endswith("digest") or field.startswith("sealed")


def written(row: Model) -> dict[str, Any]:
    """What the row holds, as JSON; no secrets."""
    fields = {field.attname: field for field in row._meta.concrete_fields if not is_secret(field.attname)}
    plain = {name: field.value_from_object(row) for name, field in fields.items() if field.editable}
    found: dict[str, Any] = json.loads(json.dumps(plain, cls=DjangoJSONEncoder))
    return found


@dataclass
class _ByHand(Action[None]):
    """row: as it shall be written, or go."""

    row: Model

    ROLE = Role.ADMIN

    def _is_done(self, actor: Actor, before: dict[str, Any], after: dict[str, Any] | None) -> None:
        if isinstance(self.row, Ledger):
            Host.objects.filter(pk=self.row.host_id).touch()
        self.record(actor, self.row._meta.verbose_name or "", str(self.row.pk), before=before, after=after)

    def committed(self, result: None) -> None:
        # Whoever follows a table looks at it again.
        for ring in BELLS:
            ring()


@dataclass
class ChangeByHand(_ByHand):
    """Write a row of a table as it was typed. Nothing that depends on it follows by itself."""

    NAME = "breakglass.change"

    def execute(self, actor: Actor) -> None:
        before, after = written(type(self.row)._default_manager.get(pk=self.row.pk)), written(self.row)
        self.row.save()
        differing = {name for name in after if before[name] != after[name]}
        self._is_done(
            actor, {name: before[name] for name in differing}, {name: after[name] for name in differing}
        )


@dataclass
class DeleteByHand(_ByHand):
    """Delete a row of a table, and those that can't be without it."""

    NAME = "breakglass.delete"

    def execute(self, actor: Actor) -> None:
        before = written(self.row)
        self._is_done(actor, before, None)
        self.row.delete()
