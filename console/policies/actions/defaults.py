"""Changing how loads are placed that name no policy, and going back to how they were."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from django.db import IntegrityError

from balancer_core.load import KINDS
from balancer_core.placement import InvalidLoad, Load
from balancer_core.policies import POLICIES
from console.accounts.models import Role
from console.actions import Action, Actor, Conflict, Invalid, Unknown, is_storable
from console.live.bells import ring_hosts
from console.live.picture import picture
from console.policies.defaults import BUILT_IN, defaults
from console.policies.models import PolicyVersion

LONGEST_REASON = 500
#: Characters of the options as JSON.
LONGEST_OPTIONS = 10_000


class _MakesVersion(Action[PolicyVersion]):
    """What setting and going back share.

    based_on: the version that the change was made from; where there is a newer one it is refused. None: whatever
    holds.
    """

    kind: str
    reason: str
    based_on: int | None
    ROLE = Role.POLICY_ADMIN

    def run(self, actor: Actor) -> PolicyVersion:
        try:
            return super().run(actor)
        except IntegrityError:
            # Two made the same number at once, and the other one's is kept.
            raise Conflict("overtaken", "somebody made a version at this moment; look at it first") from None

    def committed(self, result: PolicyVersion) -> None:
        defaults.take(result)
        ring_hosts()

    def _newest(self) -> PolicyVersion | None:
        """Checks what both ask. Raises Unknown, Invalid or Conflict."""
        if self.kind not in KINDS:
            raise Unknown("kind of load", self.kind)
        if not self.reason.strip():
            raise Invalid("reason", "missing", "say why: others will wonder")
        if len(self.reason) > LONGEST_REASON or not is_storable(self.reason):
            raise Invalid("reason", "invalid", f"at most {LONGEST_REASON} characters, without NUL")
        newest = PolicyVersion.objects.filter(kind=self.kind).order_by("-number").first()
        number = newest.number if newest else 0
        if self.based_on is not None and self.based_on != number:
            by = f", {newest.policy} by {newest.made_by}," if newest else ""
            raise Conflict("overtaken", f"version {number}{by} holds now; look at it first")
        return newest

    def _make(
        self, actor: Actor, policy: str, options: dict[str, Any], restored: int | None = None
    ) -> PolicyVersion:
        newest = self._newest()
        self._check(policy, options)
        held = (newest.policy, newest.options) if newest else (BUILT_IN.policy, dict(BUILT_IN.options))
        if held == (policy, options):
            raise Conflict("same", f"{self.kind}s are placed like that already")
        made = PolicyVersion.objects.create(
            kind=self.kind,
            number=(newest.number if newest else 0) + 1,
            policy=policy,
            options=options,
            restored=restored,
            made_by=actor.name,
            reason=self.reason,
        )
        before = {"policy": held[0], "options": held[1], "version": made.number - 1}
        after = {"policy": policy, "options": options, "version": made.number}
        if restored is not None:
            after["restored"] = restored
        self.record(actor, "policy", self.kind, before=before, after=after, reason=self.reason)
        return made

    def _check(self, policy: str, options: dict[str, Any]) -> None:
        """By asking what a placement asks: what is kept here must never refuse one."""
        if policy not in POLICIES:
            raise Invalid("policy", "unknown_policy", f"{policy[:80]!r} is none of {', '.join(POLICIES)}")
        if not is_storable(options) or len(json.dumps(options)) > LONGEST_OPTIONS:
            raise Invalid("options", "invalid", f"at most {LONGEST_OPTIONS:,} characters of JSON")
        try:
            picture.check(Load(self.kind, "default", {"cpu": 1.0}, policy=policy, options=options))  # type: ignore[arg-type]
        except InvalidLoad as error:
            raise Invalid(error.field, error.code, error.reason) from None


@dataclass
class SetDefaultPolicy(_MakesVersion):
    """Set by which policy, and with which options, loads of one kind are placed that name none."""

    kind: str
    policy: str
    options: dict[str, Any] = field(default_factory=dict)
    reason: str = ""
    based_on: int | None = None

    NAME = "policy.set"

    def execute(self, actor: Actor) -> PolicyVersion:
        return self._make(actor, self.policy, self.options)


@dataclass
class RestoreDefaultPolicy(_MakesVersion):
    """Go back to an earlier version, 0 for what was built in: as a new version that says the same."""

    kind: str
    version: int
    reason: str = ""
    based_on: int | None = None

    NAME = "policy.restore"

    def execute(self, actor: Actor) -> PolicyVersion:
        if self.version == 0:
            return self._make(actor, BUILT_IN.policy, dict(BUILT_IN.options), restored=0)
        old = PolicyVersion.objects.filter(kind=self.kind, number=self.version).first()
        if old is None:
            raise Unknown(f"version of the default for {self.kind}s", self.version)
        return self._make(actor, old.policy, old.options, restored=old.number)
