"""What people do about alerts: acknowledge one, silence some for a while, end a silence, change a rule."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from console.accounts.models import Role
from console.actions import Action, Actor, Conflict, Invalid, Unknown
from console.alerts.models import Alert, RuleSettings, Silence
from console.alerts.rules import RULES

LONGEST_SILENCE = timedelta(days=30)
LONGEST_HOLD_S = 86_400.0


@dataclass
class Acknowledge(Action[Alert]):
    """Say that you see to it. The alert stays; others see who does."""

    alert: int
    reason: str = ""

    NAME = "alert.acknowledge"

    def execute(self, actor: Actor) -> Alert:
        found = Alert.objects.select_for_update().filter(pk=self.alert).first()
        if found is None:
            raise Unknown("alert", self.alert)
        if found.state != Alert.State.FIRING:
            raise Conflict("not-firing", f"the alert is {found.state}; there is nothing to see to")
        if found.acknowledged_at:
            raise Conflict("acknowledged", f"{found.acknowledged_by} sees to it already")
        found.acknowledged_by, found.acknowledged_at = actor.name, timezone.now()
        found.save(update_fields=["acknowledged_by", "acknowledged_at"])
        self.record(
            actor, "alert", str(found.pk), reason=self.reason,
            after={"rule": found.rule, "subject": found.subject, "acknowledged": True},
        )  # fmt: skip
        return found


@dataclass
class SilenceAlerts(Action[Silence]):
    """Tell nobody of alerts that match, for a while. They are still raised, and shown here."""

    until: datetime
    reason: str
    rule: str = ""
    subject: str = ""
    domain: str = ""

    NAME = "alert.silence"

    def execute(self, actor: Actor) -> Silence:
        now = timezone.now()
        if not self.reason.strip():
            raise Invalid("reason", "missing", "say why: others will wonder")
        if not now < self.until <= now + LONGEST_SILENCE:
            raise Invalid("until", "out-of-range", f"between now and {LONGEST_SILENCE.days} days from now")
        if not (self.rule or self.subject or self.domain):
            raise Invalid("rule", "missing", "name a rule, a subject or a domain; * is all of them")
        made = Silence.objects.create(
            rule=self.rule, subject=self.subject, domain=self.domain, until=self.until, reason=self.reason,
            created_by=actor.name,
        )  # fmt: skip
        matchers = {"rule": self.rule, "subject": self.subject, "domain": self.domain}
        self.record(
            actor, "silence", str(made.pk), after={**matchers, "until": self.until.isoformat()},
            reason=self.reason,
        )  # fmt: skip
        return made


@dataclass
class EndSilence(Action[Silence]):
    """End a silence before its time: what still fires is told."""

    silence: int
    reason: str = ""

    NAME = "alert.end-silence"

    def execute(self, actor: Actor) -> Silence:
        found = Silence.objects.select_for_update().filter(pk=self.silence).first()
        if found is None:
            raise Unknown("silence", self.silence)
        now = timezone.now()
        if found.ended_at or found.until <= now:
            raise Conflict("over", "this silence is over already")
        found.ended_at = now
        found.save(update_fields=["ended_at"])
        self.record(actor, "silence", str(found.pk), after={"ended": True}, reason=self.reason)
        return found


@dataclass
class ChangeRule(Action[RuleSettings]):
    """Change a rule's threshold and times, or switch it off. None: as it was built."""

    rule: str
    is_on: bool = True
    threshold: float | None = None
    raise_after_s: float | None = None
    clear_after_s: float | None = None
    reason: str = ""

    NAME = "alert.change-rule"
    ROLE = Role.OPERATOR

    def execute(self, actor: Actor) -> RuleSettings:
        if self.rule not in RULES:
            raise Unknown("rule", self.rule)
        if self.threshold is not None and not (math.isfinite(self.threshold) and 0 < self.threshold < 1e12):
            raise Invalid("threshold", "out-of-range", "a number above 0")
        for name in ("raise_after_s", "clear_after_s"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= LONGEST_HOLD_S:
                raise Invalid(name, "out-of-range", f"0 to {LONGEST_HOLD_S:.0f} seconds")
        found, _ = RuleSettings.objects.get_or_create(rule=self.rule)
        names = ("is_on", "threshold", "raise_after_s", "clear_after_s")
        before = {name: getattr(found, name) for name in names}
        for name in names:
            setattr(found, name, getattr(self, name))
        found.save(update_fields=list(names))
        after = {name: getattr(found, name) for name in names}
        self.record(actor, "rule", self.rule, before=before, after=after, reason=self.reason)
        return found
